/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* The tail of the uplink whose packets go on to another host, or whose senders must be told that they do not.
 */
#ifndef MIZAR_ONWARD_H
#define MIZAR_ONWARD_H

#include <linux/pkt_cls.h>

#include "ask.h"
#include "count.h"
#include "tails.h"
#include "tunnel.h"
#include "underlay.h"
#include "vpc.h"

/* Whether a packet came straight to this host for an endpoint that it does not have: its sender must be told.
 */
static __always_inline bool is_gone(const struct packet *packet, int go)
{
	const __u8 reason = packet->way.reason;

	if (packet->outer.option)
		return false;
	return go == GO_HOST ||
	       (go == GO_DROP &&
		(reason == MZR_DROP_NOT_HERE || reason == MZR_DROP_NO_VPC || reason == MZR_DROP_NO_ENDPOINT ||
		 reason == MZR_DROP_OTHER_VPC || reason == MZR_DROP_HOST_DOWN));
}

/* A packet goes on with a new stage, in the option that it came with. */
static __always_inline bool restage(const struct cursor *c, const struct mzr_config *row,
				    const struct outer *out, const struct way *way)
{
	struct mzr_stage_option *option = peek(c, out->option, sizeof(*option));

	if (!option)
		return false;
	option->stage = way->stage;
	return readdress(c, row, out, way->host);
}

/* The headers of a packet that gets a stage option; what follows in the packet stays. */
struct staged_headers {
	struct iphdr ip;
	struct udphdr udp;
	struct geneve geneve;
	struct mzr_stage_option option;
};

/* A plain packet goes on with a stage option behind its Geneve header. Options of its outer IP header go. */
static __noinline int add_stage(struct __sk_buff *skb, const struct mzr_config *row,
				const struct packet *packet)
{
	const struct outer *out = &packet->outer;
	const struct way *way = &packet->way;
	/* Its sender has proven that it means the VPC that has the VNI here. */
	const __u32 vpc = find_tag(out->vni);
	const __u32 added = sizeof(struct mzr_stage_option);
	__s32 room = (__s32)(ETH_HLEN + sizeof(struct iphdr) + added) - (__s32)out->udp;
	struct staged_headers headers;
	__u32 total, words;

	if (!vpc)
		return MZR_DROP_NO_VPC;
	if (!skb->gso_size && skb->len - ETH_HLEN + room > row->mtu)
		return MZR_DROP_TOO_BIG;
	if (bpf_skb_load_bytes(skb, ETH_HLEN, &headers.ip, sizeof(headers.ip)) ||
	    bpf_skb_load_bytes(skb, out->udp, &headers.udp, sizeof(headers.udp) + sizeof(headers.geneve)))
		return MZR_DROP_INTERNAL;
	words = headers.geneve.version_length + added / 4;
	if (words > 0x3f)
		return MZR_DROP_TOO_BIG;
	if (room && bpf_skb_adjust_room(skb, room, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO))
		return MZR_DROP_INTERNAL;
	total = skb->len - ETH_HLEN;
	headers.ip.ihl = sizeof(headers.ip) / 4;
	headers.ip.tot_len = total <= 0xffff ? bpf_htons(total) : 0;
	headers.ip.ttl = MZR_OUTER_TTL;
	headers.ip.saddr = row->address;
	headers.ip.daddr = way->host;
	headers.ip.check = 0;
	headers.ip.check = ipv4_checksum(&headers.ip);
	total -= sizeof(headers.ip);
	headers.udp.len = headers.ip.tot_len ? bpf_htons(total) : 0;
	headers.udp.dest = geneve_port(row);
	headers.udp.check = 0;
	headers.geneve.version_length = words;
	headers.geneve.flags |= MZR_GENEVE_CRITICAL;
	write_stage(&headers.option, way->stage, vpc, out->source);
	return bpf_skb_store_bytes(skb, ETH_HLEN, &headers, sizeof(headers), 0) ? MZR_DROP_INTERNAL : 0;
}

/* Whether a packet that came by the underlay, or one of those that it stands for, is larger than an MTU
 * there. */
static __always_inline bool is_larger(struct __sk_buff *skb, const struct packet *packet, __u32 mtu)
{
	__u32 size = skb->gso_size ? skb->gso_size + packet->inner.headers + packet->outer.inner
				   : skb->len - ETH_HLEN;

	return size > mtu;
}

/* A packet with a stage, to the host that it goes on to. Returns a drop reason, or 0 and the verdict. */
static __always_inline int pass_staged(struct __sk_buff *skb, const struct mzr_config *row,
				       const struct packet *packet, int *verdict)
{
	struct cursor c = cursor_of_skb(skb);
	struct peer *peer = find_peer(row, packet->way.host, packet->moment);

	/* Its sender hears so from itself, once it has an answer of the host where it goes in the end. */
	if (peer && peer->mtu < row->mtu && is_larger(skb, packet, peer->mtu))
		return MZR_DROP_TOO_BIG;
	if (!restage(&c, row, &packet->outer, &packet->way))
		return MZR_DROP_INTERNAL;
	*verdict = send_to_peer(skb, row, peer, packet->outer.tos);
	return 0;
}

/* Returns a drop reason, or 0 and the verdict. */
static __always_inline int send_onward(struct __sk_buff *skb, const struct mzr_config *row,
				       const struct packet *packet, int *verdict)
{
	const struct way *way = &packet->way;
	struct peer *peer;
	int reason;

	if (is_gone(packet, way->go))
		tell_gone(skb, row, packet);
	if (way->go == GO_DROP)
		return way->reason;
	/* A divider chose a bouncer. */
	if (way->stage == MZR_STAGE_BOUNCER) {
		watch(skb, row, way->host, packet->moment);
		if (way->avoided)
			watch(skb, row, way->avoided, packet->moment);
	}
	if (packet->outer.option)
		return pass_staged(skb, row, packet, verdict);
	peer = find_peer(row, way->host, packet->moment);
	if (peer && peer->mtu < row->mtu && is_larger(skb, packet, peer->mtu))
		return MZR_DROP_TOO_BIG;
	reason = add_stage(skb, row, packet);
	if (reason)
		return reason;
	*verdict = send_to_peer(skb, row, peer, packet->outer.tos);
	return 0;
}

static __always_inline int forward_program(struct __sk_buff *skb)
{
	const __u32 zero = 0;
	const struct mzr_config *row = bpf_map_lookup_elem(&config, &zero);
	const struct packet *packet = packet_of(HOLDER_UPLINK);
	int verdict = TC_ACT_SHOT, reason = MZR_DROP_INTERNAL;
	__u32 bytes = skb->len;

	if (row && packet)
		reason = send_onward(skb, row, packet, &verdict);
	if (!reason)
		return verdict;
	count_drop(reason, bytes);
	return TC_ACT_SHOT;
}

#endif /* MIZAR_ONWARD_H */
