/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * What a port answers itself: ARP, neighbour solicitations and pings of its network's gateway. The overlay
 * routes: every address of the network has the gateway's MAC, and nothing is flooded. The frame becomes the
 * answer, which goes out where the question came in.
 */
#ifndef MIZAR_ANSWER_H
#define MIZAR_ANSWER_H

#include <linux/pkt_cls.h>

#include "arp.h"
#include "count.h"
#include "echo.h"
#include "neighbor.h"
#include "tails.h"

/* A ping of the gateway is a packet like any other: it counts as sent, and its answer as received. */
static __always_inline int answer_ping(struct cursor *c, const struct mzr_port *port, const struct inner *in)
{
	int reason = answer_echo(c, in);

	if (reason)
		return reason;
	count_received(port->slot, in->packets, bytes_of(in));
	count_sent(port->slot, in->packets, bytes_of(in));
	return 0;
}

/* Returns 0 when the frame has become the answer, or a drop reason. */
static __always_inline int answer(struct __sk_buff *skb, const struct packet *packet)
{
	struct cursor c = cursor_of_skb(skb);
	const struct ethhdr *eth = at(&c, 0, sizeof(*eth));
	const struct inner *in = &packet->inner;
	__u32 ifindex = skb->ifindex;
	const struct mzr_port *port = bpf_map_lookup_elem(&ports, &ifindex);
	const __u8 *type;

	if (!port)
		return MZR_DROP_UNKNOWN_PORT;
	if (!eth)
		return MZR_DROP_MALFORMED;
	if (eth->h_proto == bpf_htons(ETH_P_ARP))
		return answer_arp(skb, &c, port, packet->source);
	type = in->ipv6 && in->protocol == IPPROTO_ICMPV6 && in->fragment != FRAGMENT_LATER
		       ? at(&c, in->upper, 1)
		       : NULL;
	if (type && *type >= MZR_ND_FIRST && *type <= MZR_ND_LAST)
		return answer_neighbor(skb, in, port, packet->source, *type);
	return answer_ping(&c, port, in);
}

static __always_inline int answer_program(struct __sk_buff *skb)
{
	struct packet *packet = packet_of(HOLDER_PORT);
	__u32 bytes = skb->len;
	int reason = packet ? answer(skb, packet) : MZR_DROP_INTERNAL;

	if (!reason)
		return bpf_redirect(skb->ifindex, 0);
	count_drop(reason, bytes);
	return TC_ACT_SHOT;
}

#endif /* MIZAR_ANSWER_H */
