/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * tc ingress of the uplink: Geneve from hosts of the topology is delivered to a port here or sent on by the
 * rule. Everything else goes on to the next filter and the stack, untouched.
 */
#ifndef MIZAR_UPLINK_H
#define MIZAR_UPLINK_H

#include <linux/pkt_cls.h>

#include "cut.h"
#include "deliver.h"
#include "onward.h"
#include "take.h"

/* Where an inner packet that came in by the underlay goes; shared with XDP. */
static __always_inline int decide_inner(struct cursor *c, const struct mzr_config *row, struct packet *packet,
					struct heading **heading)
{
	const struct outer *out = &packet->outer;
	struct inner *in = &packet->inner;
	struct way *way = &packet->way;
	__u32 reason;
	int go;

	cursor_load(c);
	in->from.vni = out->vni;
	in->to.vni = out->vni;
	reason = read_inner(c, out->ethertype, out->inner + ETH_HLEN, out->end, packet);
	keep_whole(packet);
	if (!reason)
		reason = classify(in);
	if (reason)
		return go_drop(way, reason);
	packet->vpc = out->option ? out->vpc : out->source;
	*heading = heading_of(packet);
	if (!*heading)
		return go_drop(way, MZR_DROP_INTERNAL);
	go = recall(*heading, packet, out->stage);
	if (go != GO_UNKNOWN)
		return go;
	clear_way(way);
	reason = out->option ? judge_vpc(out->vni, out->vpc) : judge_plain(out->vni, out->source);
	if (reason)
		go = go_drop(way, reason);
	else
		go = decide(row, bpf_map_lookup_elem(&endpoints, &in->to), packet, out->stage);
	/* What came straight must reach tc first, which tells its sender. */
	if (go == GO_DROP && way->reason == MZR_DROP_NO_VPC && (out->option || c->skb)) {
		struct peer *peer = find_peer(row, out->source, packet->moment);

		if (peer)
			peer->alien = out->vni;
	}
	/* Gateways are answered where the question is asked. */
	if (go == GO_GATEWAY)
		go = go_drop(way, MZR_DROP_NO_ENDPOINT);
	if (go == GO_HOST && !row->uplink)
		go = go_drop(way, MZR_DROP_PENDING);
	remember(*heading, packet, out->stage, go);
	return go;
}

static __always_inline bool outer_checksum_is_right(struct __sk_buff *skb, const struct outer *out,
						    const struct mzr_config *row)
{
	__u32 size = out->end - out->udp;
	__s64 sum;

	/* Each packet of a GSO packet would have its own: there is none to look at. */
	if (skb->gso_size)
		return false;
	sum = sum_of(skb, out->udp, size,
		     fold((__u64)out->source + row->address + bpf_htonl(IPPROTO_UDP) + bpf_htonl(size)));
	return sum >= 0 && fold(sum) == 0xffff;
}

/* Returns a drop reason, MZR_PASS, a tail, or 0 and the verdict. */
static __always_inline int uplink_frame(struct __sk_buff *skb, struct packet *packet, int *verdict)
{
	const __u32 zero = 0;
	struct cursor c = cursor_of_skb(skb);
	struct mzr_config *row = bpf_map_lookup_elem(&config, &zero);
	struct heading *heading;
	int reason, go;

	if (!row || skb->vlan_present)
		return MZR_PASS;
	packet->gso = skb->gso_size;
	reason = read_outer(&c, row, packet);
	keep_whole(packet);
	if (reason && reason != MZR_CONTROL)
		return reason;
	if (packet->outer.checksum && !outer_checksum_is_right(skb, &packet->outer, row))
		return MZR_DROP_OUTER_CHECKSUM;
	if (reason == MZR_CONTROL)
		return MZR_LEAVE_TO(MZR_TAIL_CONTROL);
	go = decide_inner(&c, row, packet, &heading);
	keep_whole(packet);
	if (go != GO_DROP && judge_checksum(skb, &packet->inner, packet->outer.inner))
		return MZR_DROP_MALFORMED;
	/* Of what goes on, nearly all. A tail would cost half as much again. */
	if (go == GO_HOST && packet->outer.option && !is_watch_due(row, packet))
		return pass_staged(skb, row, packet, verdict);
	if (go == GO_HOST || is_gone(packet, go)) {
		packet->way.go = go;
		return MZR_LEAVE_TO(MZR_TAIL_FORWARD);
	}
	if (go != GO_PORT)
		return packet->way.reason;
	/* Only TCP's are of use as one to whoever gets them. */
	if (skb->gso_size && packet->inner.protocol != IPPROTO_TCP)
		return send_by_loopback(skb, verdict);
	reason = decapsulate(skb, &packet->outer, &packet->inner);
	if (reason)
		return reason;
	return deliver(skb, packet->way.ifindex, &packet->inner, heading, verdict);
}

static __always_inline int uplink_program(struct __sk_buff *skb)
{
	struct packet *packet = packet_of(HOLDER_UPLINK);
	__u32 bytes = skb->len;
	int verdict = TC_ACT_SHOT;
	int reason = packet ? uplink_frame(skb, packet, &verdict) : MZR_PASS;

	switch (reason) {
	case 0:
		return verdict;
	case MZR_PASS:
		return TC_ACT_UNSPEC;
	case MZR_LEAVE_TO(MZR_TAIL_FORWARD):
		bpf_tail_call(skb, &tails, MZR_TAIL_FORWARD);
		reason = MZR_DROP_NO_PROGRAM;
		break;
	case MZR_LEAVE_TO(MZR_TAIL_CONTROL):
		bpf_tail_call(skb, &tails, MZR_TAIL_CONTROL);
		reason = MZR_DROP_NO_PROGRAM;
		break;
	}
	count_drop(reason, bytes);
	return TC_ACT_SHOT;
}

#endif /* MIZAR_UPLINK_H */
