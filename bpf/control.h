/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * Control packets between data planes: Geneve with flag O and one option, no inner frame.
 *
 * A program cannot make a packet, but it can copy one. So the packet to send is laid down in `control`, a
 * copy of the packet at hand goes to the uplink with our mark, and the guard there, which runs
 * before the copy's call returns, writes the one over the other.
 */
#ifndef MIZAR_CONTROL_H
#define MIZAR_CONTROL_H

#include <linux/pkt_cls.h>

#include "dscp.h"
#include "forget.h"
#include "geneve.h"
#include "hop.h"

struct control_packet {
	struct iphdr ip;
	struct udphdr udp;
	struct geneve geneve;
	struct mzr_control_option option;
};

/* How far a control packet is on its way. */
enum control_state {
	CONTROL_NONE,
	CONTROL_LAID_DOWN, /* for the copy that comes next to the guard */
	CONTROL_SENT,	   /* the copy became it, whole, and went out */
};

struct control {
	struct control_packet packet;
	__u32 state; /* enum control_state */
};

MZR_ARRAY(control, BPF_MAP_TYPE_PERCPU_ARRAY, struct control, 1);

/* Sends a control packet to `host`. The packet at hand stays, and must be read anew. False: no copy of it
 * could become one, so nothing was said. */
static __always_inline bool say(struct __sk_buff *skb, const struct mzr_config *row, __be32 host,
				const struct mzr_control_option *option, __u32 vni)
{
	const __u32 zero = 0;
	const __u32 *own = bpf_map_lookup_elem(&mark, &zero);
	struct control *row_of_cpu = bpf_map_lookup_elem(&control, &zero);
	struct control_packet *packet;
	bool is_sent;

	if (!own || !row_of_cpu || !can_forget(skb))
		return false;
	packet = &row_of_cpu->packet;
	__builtin_memset(packet, 0, sizeof(*packet));
	packet->ip.version = 4;
	packet->ip.ihl = 5;
	packet->ip.tos = outer_tos(row, 0);
	packet->ip.frag_off = bpf_htons(0x4000);
	packet->ip.ttl = MZR_OUTER_TTL;
	packet->ip.protocol = IPPROTO_UDP;
	packet->ip.saddr = row->address;
	packet->ip.daddr = host;
	packet->udp.source = geneve_port(row);
	packet->udp.dest = geneve_port(row);
	packet->geneve.version_length = sizeof(packet->option) / 4;
	packet->geneve.flags = MZR_GENEVE_OAM | MZR_GENEVE_CRITICAL;
	packet->geneve.protocol = bpf_htons(MZR_GENEVE_PROTOCOL);
	packet->geneve.vni = bpf_htonl(vni << 8);
	packet->option = *option;
	packet->option.option_class = bpf_htons(MZR_OPTION_CLASS);
	packet->option.type = MZR_OPTION_CONTROL;
	packet->option.length = (sizeof(packet->option) - 4) / 4;
	row_of_cpu->state = CONTROL_LAID_DOWN;
	skb->mark = *own;
	is_sent = !bpf_clone_redirect(skb, row->uplink, 0) && row_of_cpu->state == CONTROL_SENT;
	skb->mark = 0;
	row_of_cpu->state = CONTROL_NONE;
	return is_sent;
}

/* Whether the packet that the guard sees is a copy, made to become a control packet. */
static __always_inline bool is_laid_down(void)
{
	const __u32 zero = 0;
	struct control *row_of_cpu = bpf_map_lookup_elem(&control, &zero);

	return row_of_cpu && row_of_cpu->state == CONTROL_LAID_DOWN;
}

/*
 * The packet's length is that of the whole copy, with what could not be cut off behind it: who trims a packet
 * to its length, as bridges do, drops one that owes a checksum behind that.
 */
static __always_inline void take_in(struct control_packet *packet, __u32 size)
{
	packet->ip.tot_len = bpf_htons(size);
	packet->udp.len = bpf_htons(size - sizeof(packet->ip));
	packet->ip.check = 0;
	packet->ip.check = ipv4_checksum(&packet->ip);
}

/* The copy becomes the control packet that was laid down for it. Returns a drop reason, or 0. */
static __always_inline int become_control(struct __sk_buff *skb)
{
	const __u32 zero = 0, size = ETH_HLEN + sizeof(struct control_packet);
	const __u32 more = sizeof(struct ipv6hdr) - sizeof(struct iphdr);
	struct control *row_of_cpu = bpf_map_lookup_elem(&control, &zero);
	const __be16 type = bpf_htons(ETH_P_IP);
	bool ipv6 = skb->protocol == bpf_htons(ETH_P_IPV6);

	if (!row_of_cpu)
		return MZR_DROP_INTERNAL;
	row_of_cpu->state = CONTROL_NONE;
	/* An skb of IPv6 loses the difference of the headers in becoming one of IPv4. */
	if (!forget_past(skb, ipv6 ? size + more : size) || (ipv6 && bpf_skb_change_proto(skb, type, 0)))
		return MZR_DROP_INTERNAL;
	take_in(&row_of_cpu->packet, skb->len - ETH_HLEN);
	if (bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_proto), &type, sizeof(type), 0) ||
	    bpf_skb_store_bytes(skb, ETH_HLEN, &row_of_cpu->packet, sizeof(row_of_cpu->packet), 0))
		return MZR_DROP_INTERNAL;
	return 0;
}

/* Sends the copy as what it is to be. One that cannot become it is no packet of anybody's. */
static __always_inline int send_laid_down(struct __sk_buff *skb, const struct mzr_config *row)
{
	const __u32 zero = 0;
	struct control *row_of_cpu = bpf_map_lookup_elem(&control, &zero);

	if (!row_of_cpu || become_control(skb))
		return TC_ACT_SHOT;
	row_of_cpu->state = CONTROL_SENT;
	return by_neighbour(row, find_gateway(skb, row, row_of_cpu->packet.ip.daddr));
}

#endif /* MIZAR_CONTROL_H */
