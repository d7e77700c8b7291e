/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Control packets that come in: what they ask is answered, what they answer is believed if it was asked. */
#ifndef MIZAR_TAKE_H
#define MIZAR_TAKE_H

#include <linux/pkt_cls.h>

#include "count.h"
#include "forward.h"
#include "nonce.h"
#include "underlay.h"
#include "vpc.h"

/* The packet at hand, a control packet, goes on to `host` with another option. */
static __always_inline int pass_on(struct __sk_buff *skb, const struct mzr_config *row,
				   const struct packet *packet, __be32 host,
				   const struct mzr_control_option *option, int *verdict)
{
	const struct outer *out = &packet->outer;
	struct cursor c = cursor_of_skb(skb);

	if (!readdress(&c, row, out, host) ||
	    bpf_skb_store_bytes(skb, out->option, option, sizeof(*option), 0))
		return MZR_DROP_INTERNAL;
	*verdict = send_to_underlay(skb, row, host, out->tos, packet->moment);
	return 0;
}

static __always_inline __u64 network_in(const struct mzr_control_option *option)
{
	return (__u64)bpf_ntohl(option->network[0]) << 32 | bpf_ntohl(option->network[1]);
}

/* A question: it goes on by the rule, as a packet for the address would, or is answered here. */
static __always_inline int take_question(struct __sk_buff *skb, const struct mzr_config *row,
					 struct packet *packet, struct mzr_control_option *option,
					 int *verdict)
{
	const struct mzr_endpoint_key *to = &packet->inner.to;
	struct way *way = &packet->way;
	__be32 origin = option->origin;
	__u32 reason;
	int go;

	if (!row->uplink || option->stage == MZR_STAGE_NONE || option->stage > MZR_STAGE_LAST ||
	    origin == row->address || !bpf_map_lookup_elem(&hosts, &origin))
		return MZR_DROP_GENEVE_CONTROL;
	/* Who knows the VNI as another VPC's does not know what is asked for. */
	reason = judge_question_of(to->vni, network_in(option));
	if (reason)
		return reason;
	packet->inner.flow = mix32(const_words(&to->address)[3]);
	clear_way(way);
	go = decide(row, bpf_map_lookup_elem(&endpoints, to), packet, option->stage);
	if (go == GO_HOST) {
		option->stage = way->stage;
		return pass_on(skb, row, packet, way->host, option, verdict);
	}
	if (go == GO_PORT) {
		tell_owner(to->vni, origin);
		option->message = MZR_MESSAGE_HAVE;
		option->origin = bpf_htonl(row->mtu);
		option->network[0] = bpf_htonl(way->network >> 32);
		option->network[1] = bpf_htonl(way->network);
		return pass_on(skb, row, packet, origin, option, verdict);
	}
	/* A gateway is nobody's, to all but the endpoints of its network. */
	if (go == GO_GATEWAY)
		way->reason = MZR_DROP_NO_ENDPOINT;
	if (way->reason != MZR_DROP_NO_ENDPOINT && way->reason != MZR_DROP_HOST_DOWN)
		return 0;
	option->message = MZR_MESSAGE_NONE;
	option->reason = way->reason;
	return pass_on(skb, row, packet, origin, option, verdict);
}

/* "Are you there?": the answer says what is applied here, for who waits for it. */
static __always_inline int take_echo(struct __sk_buff *skb, const struct mzr_config *row,
				     const struct packet *packet, struct mzr_control_option *option,
				     int *verdict)
{
	const __u32 zero = 0;
	struct mzr_applied *commit = bpf_map_lookup_elem(&applied, &zero);

	if (!row->uplink)
		return MZR_DROP_GENEVE_CONTROL;
	option->message = MZR_MESSAGE_ECHO_REPLY;
	option->origin = bpf_htonl(row->mtu);
	if (commit)
		__builtin_memcpy(option->network, commit->commit, sizeof(option->network));
	return pass_on(skb, row, packet, packet->outer.source, option, verdict);
}

static __always_inline int take_echo_reply(const struct mzr_config *row, const struct packet *packet,
					   const struct mzr_control_option *option, __u64 nonce, __u64 time)
{
	const __be32 source = packet->outer.source;
	struct mzr_host *peer = bpf_map_lookup_elem(&hosts, &source);
	struct mzr_endpoint_key key = {};

	address_v4(&key.address, source);
	if (!peer || !is_proven(&key, 0, nonce, time))
		return MZR_DROP_GENEVE_CONTROL;
	answered(peer, row->health_count);
	keep_mtu(source, option->origin);
	__builtin_memcpy(peer->commit, option->network, sizeof(peer->commit));
	return 0;
}

/* "Nobody has it": what is known of who has it stands against that, for then its own host says when it goes.
 */
static __always_inline bool believe_none(const struct mzr_config *row, const struct mzr_endpoint_key *key,
					 const struct mzr_control_option *option, struct mzr_direct *entry)
{
	const struct mzr_direct *known = find_direct(key);

	if (known && is_fresh(known, row, entry->proven))
		return true;
	entry->host = 0;
	entry->packets = row->direct_after;
	entry->nobody = option->reason == MZR_DROP_HOST_DOWN ? MZR_DROP_HOST_DOWN : MZR_DROP_NO_ENDPOINT;
	return put_direct(key, entry);
}

/* A control packet from a host of the topology. Returns a drop reason, or 0 and the verdict. */
static __always_inline int take_control(struct __sk_buff *skb, const struct mzr_config *row,
					struct packet *packet, int *verdict)
{
	const __be32 source = packet->outer.source;
	struct mzr_endpoint_key *to = &packet->inner.to;
	struct mzr_control_option *option = &packet->control;
	__u64 vpc, nonce, time = now();
	struct mzr_direct entry = {.host = source, .proven = ticks(time), .asked = ticks(time)};

	if (bpf_skb_load_bytes(skb, packet->outer.option, option, sizeof(*option)))
		return MZR_DROP_GENEVE_CONTROL;
	to->vni = packet->outer.vni;
	__builtin_memcpy(to->address.bytes, option->address, sizeof(option->address));
	nonce = (__u64)option->nonce[0] << 32 | option->nonce[1];
	vpc = find_vpc(to->vni);
	switch (option->message) {
	case MZR_MESSAGE_ASK:
		return take_question(skb, row, packet, option, verdict);
	case MZR_MESSAGE_HAVE:
		entry.network = network_in(option);
		if (!vpc || !is_proven(to, vpc, nonce, time))
			return MZR_DROP_GENEVE_CONTROL;
		keep_mtu(source, option->origin);
		return prove_row(to, source, entry.proven) || put_direct(to, &entry)
			       ? 0
			       : MZR_DROP_GENEVE_CONTROL;
	case MZR_MESSAGE_NONE:
		return vpc && is_proven(to, vpc, nonce, time) && believe_none(row, to, option, &entry)
			       ? 0
			       : MZR_DROP_GENEVE_CONTROL;
	case MZR_MESSAGE_GONE:
		prove_row(to, source, 0);
		forget(to, source);
		return 0;
	case MZR_MESSAGE_ECHO:
		return take_echo(skb, row, packet, option, verdict);
	case MZR_MESSAGE_ECHO_REPLY:
		return take_echo_reply(row, packet, option, nonce, time);
	}
	return MZR_DROP_GENEVE_CONTROL;
}

/* Behind `mizar_uplink`, which has read the outer headers. */
static __always_inline int control_program(struct __sk_buff *skb)
{
	const __u32 zero = 0;
	struct packet *packet = packet_of(HOLDER_UPLINK);
	struct mzr_config *row = bpf_map_lookup_elem(&config, &zero);
	/* What was taken in ends here, uncounted. TC_ACT_STOLEN would say so, but tcx does not know it, and
	 * goes on. */
	int verdict = TC_ACT_SHOT, reason = MZR_DROP_INTERNAL;
	__u32 bytes = skb->len;

	if (row && packet)
		reason = take_control(skb, row, packet, &verdict);
	if (!reason)
		return verdict;
	count_drop(reason, bytes);
	return TC_ACT_SHOT;
}

#endif /* MIZAR_TAKE_H */
