/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * tc egress of the uplink: Geneve leaves this host only if the programs sent it. Without this, any process or
 * any container behind the host's NAT could speak as one of its endpoints.
 *
 * A packet of ours carries the mark and came in by an endpoint's interface or, in transit, by the uplink.
 * Neither alone will do: a process that may mark its packets has no such interface, and what an endpoint
 * sends by other ways has no mark. A container on a macvlan of the uplink can have both, since its packets
 * come with the mark and the index of the interface that they had in its namespace: so the mark is secret.
 */
#ifndef MIZAR_GUARD_H
#define MIZAR_GUARD_H

#include <linux/pkt_cls.h>

#include "control.h"
#include "count.h"

/* UDP to Geneve's port; a fragment that is not the first has no port, and is nothing without the first. */
static __always_inline bool is_geneve(struct __sk_buff *skb, const struct mzr_config *row)
{
	struct cursor c = cursor_of_skb(skb);
	__u16 fragment;

	return find_geneve(&c, row, &fragment) != 0;
}

/* Ethertypes of tags that switches and hosts take off: IEEE 802.1Q, 802.1ad, and 0x9100 before those. */
static __always_inline bool is_tag(__be16 type)
{
	return is_vlan(type) || type == bpf_htons(0x9100);
}

/* Tags that are looked behind. Nobody stacks more, and what nobody can judge does not leave. */
#define MZR_TAGS_MAX 4

/*
 * The same behind VLAN tags in the frame, none included, and from this source, unless it is 0. A tag does not
 * keep a host from taking the packet: tag 0 is none to Linux, and a port of a switch may take any other off.
 * Global: verified by itself.
 */
__noinline int is_geneve_from(struct __sk_buff *skb, __be32 from)
{
	const __u32 zero = 0;
	const struct mzr_config *row = bpf_map_lookup_elem(&config, &zero);
	__u32 offset = offsetof(struct ethhdr, h_proto), header;
	struct udphdr udp;
	struct iphdr ip;
	__be16 type = 0;
	int i;

	for (i = 0; i <= MZR_TAGS_MAX; i++) {
		if (!row || bpf_skb_load_bytes(skb, offset, &type, sizeof(type)))
			return false;
		offset += sizeof(type);
		if (!is_tag(type))
			break;
		offset += sizeof(__be16);
	}
	if (is_tag(type))
		return true;
	if (type != bpf_htons(ETH_P_IP) || bpf_skb_load_bytes(skb, offset, &ip, sizeof(ip)))
		return false;
	header = ip.ihl * 4;
	if (ip.version != 4 || header < sizeof(ip) || ip.protocol != IPPROTO_UDP ||
	    bpf_ntohs(ip.frag_off) & MZR_FRAGMENT_MASK || (from && ip.saddr != from) ||
	    bpf_skb_load_bytes(skb, offset + header, &udp, sizeof(udp)))
		return false;
	return is_geneve_port(row, udp.dest);
}

/* Whether the frame has a VLAN tag, in it or beside it. */
static __always_inline bool is_tagged(struct __sk_buff *skb)
{
	struct cursor c = cursor_of_skb(skb);
	const struct ethhdr *eth = peek(&c, 0, sizeof(*eth));

	return skb->vlan_present || (eth && is_tag(eth->h_proto));
}

/* Whether the IPv4 packet without a tag has this source. */
static __always_inline bool is_from(struct __sk_buff *skb, __be32 address)
{
	struct cursor c = cursor_of_skb(skb);
	const struct iphdr *ip = peek(&c, ETH_HLEN, sizeof(*ip));

	return ip && ip->saddr == address;
}

static __always_inline int guard_program(struct __sk_buff *skb)
{
	const __u32 zero = 0;
	struct mzr_config *row = bpf_map_lookup_elem(&config, &zero);
	const __u32 *own = bpf_map_lookup_elem(&mark, &zero);
	struct packet *packet = packet_of(HOLDER_GUARD);
	__u32 from = skb->ingress_ifindex, bytes = skb->len;
	bool is_ours = own && *own && skb->mark == *own;

	if (!row || !packet)
		return TC_ACT_UNSPEC;
	if (is_ours && is_laid_down())
		return send_laid_down(skb, row);
	is_ours = is_ours && from && (from == row->uplink || find_sender(from, moment(packet, row)));
	/* The programs put no tag on what they send. */
	if (is_tagged(skb)) {
		if (!is_geneve_from(skb, 0))
			return TC_ACT_UNSPEC;
		is_ours = false;
	} else if (!is_geneve(skb, row)) {
		if (!is_ours)
			return TC_ACT_UNSPEC;
		/* A copy of an endpoint's packet, to be made a control packet of which this guard knows
		 * nothing: another version's, while an upgrade goes on. */
		count_drop(MZR_DROP_INTERNAL, bytes);
		return TC_ACT_SHOT;
	}
	/* And each bears this host's address: a copy of a frame that an endpoint made look like Geneve does
	 * not. */
	if (is_ours && is_from(skb, row->address)) {
		skb->mark = 0;
		return TC_ACT_UNSPEC;
	}
	count_drop(MZR_DROP_FOREIGN_SENDER, bytes);
	return TC_ACT_SHOT;
}

/* While there is no program in a slot: Geneve waits, the host's own connections do not notice. Tagged frames
 * that come in are others'. */
static __always_inline int without_program(struct __sk_buff *skb, bool is_leaving)
{
	const __u32 zero = 0;
	struct mzr_config *row = bpf_map_lookup_elem(&config, &zero);

	if (!row || (is_tagged(skb) ? !is_leaving || !is_geneve_from(skb, 0) : !is_geneve(skb, row)))
		return TC_ACT_UNSPEC;
	count_drop(MZR_DROP_NO_PROGRAM, skb->len);
	return TC_ACT_SHOT;
}

#endif /* MIZAR_GUARD_H */
