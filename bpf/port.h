/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * tc ingress of an endpoint's host-side interface: what the endpoint sends. Every frame ends here or in a
 * tail: answered, delivered, sent to another host, or dropped and counted. Nothing goes on to the host's own
 * stack.
 */
#ifndef MIZAR_PORT_H
#define MIZAR_PORT_H

#include <linux/pkt_cls.h>

#include "answer.h"
#include "cut.h"
#include "deliver.h"
#include "send.h"
#include "tunnel.h"

/* Which way an endpoint's packet goes. */
static __always_inline int head(const struct mzr_config *row, struct packet *packet, struct heading *heading)
{
	struct way *way = &packet->way;
	struct mzr_endpoint *endpoint;
	int go = recall(heading, packet, MZR_ASKED_BY_PORT);

	if (go != GO_UNKNOWN)
		return go;
	clear_way(way);
	endpoint = bpf_map_lookup_elem(&endpoints, &packet->inner.to);
	if (!endpoint)
		way->found = go_direct(row, packet) | DIRECT_ASKED;
	if (way->found & DIRECT_NOBODY)
		return GO_DROP;
	go = way->found & DIRECT_WAY ? GO_HOST : decide(row, endpoint, packet, MZR_ASKED_BY_PORT);
	if (endpoint && go == GO_HOST)
		go_by_row(row, endpoint, packet);
	/* What is yet to be learned is counted packet by packet. */
	if (endpoint || way->found & DIRECT_WAY)
		remember(heading, packet, MZR_ASKED_BY_PORT, go);
	return go;
}

/* A neighbour message is answered before its source is judged: that may be link-local, or none. */
static __always_inline int is_neighbor_message(struct cursor *c, const struct inner *in)
{
	const __u8 *type;

	if (!in->ipv6 || in->protocol != IPPROTO_ICMPV6 || in->fragment == FRAGMENT_LATER)
		return 0;
	type = at(c, in->upper, 1);
	if (!type || in->upper >= in->size)
		return MZR_DROP_MALFORMED;
	return *type >= MZR_ND_FIRST && *type <= MZR_ND_LAST ? MZR_LEAVE_TO(MZR_TAIL_ANSWER) : 0;
}

/* An IP packet: into a port of this host, or what a tail is left to do. */
static __always_inline int port_packet(struct __sk_buff *skb, struct cursor *c, const struct mzr_config *row,
				       struct packet *packet, struct sender *sender, __be16 ethertype,
				       int *verdict)
{
	const struct mzr_port *port = &sender->port;
	struct inner *in = &packet->inner;
	struct heading *heading;
	int reason, go;

	in->from.vni = port->vni;
	in->to.vni = port->vni;
	reason = read_inner(c, ethertype, ETH_HLEN, skb->len, packet);
	keep_whole(packet);
	if (!reason)
		reason = judge_checksum(skb, in, 0);
	if (!reason && packet->gso)
		reason = judge_gso(skb, in);
	if (reason)
		return reason;
	reason = is_neighbor_message(c, in);
	if (!reason)
		reason = classify(in);
	if (reason)
		return reason;
	if (!owns_source(sender, in))
		return MZR_DROP_SPOOFED_IP;
	if (!knows_mac(sender, packet->source)) {
		learn(skb->ifindex, port, packet->source);
		keep_mac(sender, packet->source);
	}
	/* Before anything is asked, changed or counted for it: its segments come here one by one. No tunnel
	 * is in TCP. */
	if (packet->gso && in->protocol != IPPROTO_TCP && row->uplink) {
		if (is_tunnels(skb) && is_elsewhere(&in->to) && !packet->cast)
			return send_by_loopback(skb, verdict);
		cursor_load(c);
	}
	packet->vpc = sender->vpc;
	heading = heading_of(packet);
	if (!heading)
		return MZR_DROP_INTERNAL;
	go = head(row, packet, heading);
	keep_whole(packet);
	if (go == GO_DROP) {
		/* Somebody may have it by now. */
		if (packet->way.found & DIRECT_NOBODY && packet->way.found & DIRECT_ASK && row->uplink) {
			packet->reason = packet->way.reason;
			return MZR_LEAVE_TO(MZR_TAIL_TEND);
		}
		return packet->way.reason;
	}
	/* A frame for everybody does not carry a packet for one, RFC 1122 3.3.6. */
	if (packet->cast)
		return packet->cast;
	if (go == GO_GATEWAY)
		return packet->way.network == port->network ? MZR_LEAVE_TO(MZR_TAIL_ANSWER)
							    : MZR_DROP_NO_ENDPOINT;
	/* Between two networks the data plane is a router, once: here. */
	packet->crosses = packet->way.network != port->network;
	if (packet->crosses && in->hops <= 1)
		return MZR_DROP_TIME_EXCEEDED;
	if (go == GO_HOST) {
		if (!row->uplink)
			return MZR_DROP_PENDING;
		if (!packet->vpc)
			return MZR_DROP_NO_VPC;
		packet->mtu = row->mtu;
		if (too_big(skb, row->mtu, in) || is_jumbogram(in))
			return MZR_DROP_TOO_BIG;
		packet->slot = port->slot;
		packet->reason = MZR_DROP_NONE;
		if (packet->way.found)
			return MZR_LEAVE_TO(MZR_TAIL_TEND);
		/* Nearly always. A tail would cost half as much again. */
		return send_packet(skb, row, packet, verdict);
	}
	if (packet->crosses && !spend_hop(c, in))
		return MZR_DROP_INTERNAL;
	reason = deliver(skb, packet->way.ifindex, in, heading, verdict);
	if (!reason)
		count_sent(port->slot, in->packets, bytes_of(in));
	return reason;
}

/* Returns a drop reason, 0 and the verdict, or a tail. */
static __always_inline int port_frame(struct __sk_buff *skb, struct packet *packet, int *verdict)
{
	const __u32 zero = 0;
	struct cursor c = cursor_of_skb(skb);
	const struct mzr_config *row = bpf_map_lookup_elem(&config, &zero);
	__u32 ifindex = skb->ifindex;
	struct sender *sender;
	struct ethhdr *eth;
	__be16 ethertype;

	if (!row)
		return MZR_DROP_INTERNAL;
	packet->gso = skb->gso_size;
	packet->moment = moment(packet, row);
	sender = find_sender(ifindex, packet->moment);
	if (!sender)
		return MZR_DROP_UNKNOWN_PORT;
	eth = at(&c, 0, sizeof(*eth));
	if (!eth)
		return MZR_DROP_MALFORMED;
	ethertype = eth->h_proto;
	copy_mac(packet->source, eth->h_source);
	packet->cast = cast_of(eth->h_dest);
	if (skb->vlan_present || is_vlan(ethertype))
		return MZR_DROP_VLAN;
	if (mac_is_group(packet->source) || mac_is_zero(packet->source))
		return MZR_DROP_SPOOFED_MAC;
	if (sender->port.flags & MZR_PORT_MAC_FIXED && !knows_mac(sender, packet->source)) {
		const struct mzr_port_mac *fixed = bpf_map_lookup_elem(&port_macs, &ifindex);

		if (!fixed || !mac_equal(fixed->mac, packet->source))
			return MZR_DROP_SPOOFED_MAC;
		keep_mac(sender, packet->source);
	}
	if (ethertype == bpf_htons(ETH_P_ARP))
		return MZR_LEAVE_TO(MZR_TAIL_ANSWER);
	return port_packet(skb, &c, row, packet, sender, ethertype, verdict);
}

static __always_inline int port_program(struct __sk_buff *skb)
{
	struct packet *packet = packet_of(HOLDER_PORT);
	int verdict = TC_ACT_SHOT, reason = MZR_DROP_INTERNAL;
	__u32 bytes = skb->len;

	if (packet)
		reason = port_frame(skb, packet, &verdict);
	switch (reason) {
	case 0:
		return verdict;
	case MZR_LEAVE_TO(MZR_TAIL_TEND):
		bpf_tail_call(skb, &tails, MZR_TAIL_TEND);
		reason = MZR_DROP_NO_PROGRAM;
		break;
	case MZR_LEAVE_TO(MZR_TAIL_ANSWER):
		bpf_tail_call(skb, &tails, MZR_TAIL_ANSWER);
		reason = MZR_DROP_NO_PROGRAM;
		break;
	}
	return end(skb, packet, reason, bytes);
}

#endif /* MIZAR_PORT_H */
