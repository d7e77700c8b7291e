/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * tc ingress of an endpoint's host-side interface: what the endpoint sends. Every frame ends here: answered,
 * delivered, sent to another host, or dropped and counted. Nothing goes on to the host's own stack.
 */
#ifndef MIZAR_PORT_H
#define MIZAR_PORT_H

#include "cut.h"
#include "icmp.h"

/* Whether the packet's source address is one that this port may send from. */
static __always_inline bool owns_source(struct sender *sender, const struct inner *in)
{
	const struct mzr_address *known = in->ipv6 ? &sender->own6 : &sender->own4;

	if ((in->ipv6 ? sender->knows_own6 : sender->knows_own4) && same_address(known, &in->from.address))
		return true;
	if (sender->knows_alien && same_address(&sender->alien, &in->from.address))
		return false;
	if (!is_own(&in->from, sender->ifindex)) {
		sender->alien = in->from.address;
		sender->knows_alien = true;
		return false;
	}
	if (in->ipv6) {
		sender->own6 = in->from.address;
		sender->knows_own6 = true;
	} else {
		sender->own4 = in->from.address;
		sender->knows_own4 = true;
	}
	return true;
}

static __always_inline bool knows_mac(const struct sender *sender, const __u8 *mac)
{
	return sender->knows_mac && mac_equal(sender->mac, mac);
}

static __always_inline void keep_mac(struct sender *sender, const __u8 *mac)
{
	copy_mac(sender->mac, mac);
	sender->knows_mac = true;
}

/* Which way an endpoint's packet goes. */
static __always_inline int head(const struct mzr_config *row, const struct inner *in, struct heading *heading,
				__u64 time, struct way *way)
{
	struct mzr_endpoint *endpoint;
	int go = recall(heading, time, &in->to, in->flow, MZR_ASKED_BY_PORT, way);

	if (go != GO_UNKNOWN)
		return go;
	endpoint = bpf_map_lookup_elem(&endpoints, &in->to);
	if (!endpoint)
		way->found = go_direct(row, &in->to, way) | DIRECT_ASKED;
	if (way->found & DIRECT_NOBODY)
		return GO_DROP;
	go = way->found & DIRECT_WAY ? GO_HOST
				     : decide(row, endpoint, &in->to, in->flow, MZR_ASKED_BY_PORT, way);
	/* What is yet to be learned is counted packet by packet. */
	if (endpoint || way->found & DIRECT_WAY)
		remember(heading, time, &in->to, in->flow, MZR_ASKED_BY_PORT, go, way);
	return go;
}

/* An IP packet. Returns a drop reason, or 0 and where to. */
static __always_inline int port_packet(struct __sk_buff *skb, struct cursor *c, const struct mzr_config *row,
				       struct sender *sender, __be16 ethertype, int *verdict)
{
	const struct mzr_port *port = &sender->port;
	const __u8 *source_mac = sender->source;
	struct inner in = {.from.vni = port->vni, .to.vni = port->vni};
	struct heading *heading;
	struct way way = {};
	bool crosses;
	int reason, go;

	keep_whole(&in);
	reason = read_inner(c, ethertype, ETH_HLEN, skb->len, &in);
	if (!reason)
		reason = judge_checksum(skb, &in, 0);
	if (!reason && skb->gso_size)
		reason = judge_gso(skb, &in);
	if (reason)
		return reason;
	if (in.ipv6 && in.protocol == IPPROTO_ICMPV6 && in.fragment != FRAGMENT_LATER) {
		__u8 *type = at(c, in.upper, 1), kind;

		if (!type || in.upper >= in.size)
			return MZR_DROP_MALFORMED;
		kind = *type;
		if (kind >= MZR_ND_FIRST && kind <= MZR_ND_LAST) {
			*verdict = bpf_redirect(skb->ifindex, 0);
			return answer_neighbor(skb, &in, port, source_mac, kind);
		}
	}
	reason = classify(&in);
	if (reason)
		return reason;
	if (!owns_source(sender, &in))
		return MZR_DROP_SPOOFED_IP;
	if (!knows_mac(sender, source_mac)) {
		learn(skb->ifindex, port, source_mac);
		keep_mac(sender, source_mac);
	}
	/* Before anything is asked, changed or counted for it: its segments come here one by one. No tunnel
	 * is in TCP. */
	if (skb->gso_size && in.protocol != IPPROTO_TCP && row->uplink) {
		if (is_tunnels(skb) && is_elsewhere(&in.to) && !sender->cast)
			return send_by_loopback(skb, verdict);
		cursor_load(c);
	}
	heading = heading_of(&in.to, in.flow);
	if (!heading)
		return MZR_DROP_INTERNAL;
	go = head(row, &in, heading, sender->moment, &way);
	if (go == GO_DROP) {
		reason = way.reason;
		/* Somebody may have it by now. */
		if (way.found & DIRECT_NOBODY && way.found & DIRECT_ASK && row->uplink)
			ask_tables(skb, row, &in, &way);
		return reason;
	}
	/* A frame for everybody does not carry a packet for one, RFC 1122 3.3.6. */
	if (sender->cast)
		return sender->cast;
	/* Between two networks the data plane is a router, once: here. */
	crosses = go != GO_GATEWAY && way.network != port->network;
	if (crosses && in.hops <= 1)
		return MZR_DROP_TIME_EXCEEDED;
	if (go == GO_PORT) {
		if (crosses && !spend_hop(c, &in))
			return MZR_DROP_INTERNAL;
		reason = deliver(skb, way.ifindex, &in, heading, verdict);
	} else if (go == GO_GATEWAY) {
		if (way.network != port->network)
			return MZR_DROP_NO_ENDPOINT;
		reason = answer_echo(c, &in);
		if (reason)
			return reason;
		count_received(port->slot, in.packets, bytes_of(&in));
		*verdict = bpf_redirect(skb->ifindex, 0);
	} else {
		if (!row->uplink)
			return MZR_DROP_PENDING;
		if (too_big(skb, row, &in))
			return MZR_DROP_TOO_BIG;
		if (way.found)
			tend(skb, row, &in, &way);
		if (crosses && !spend_hop(c, &in))
			return MZR_DROP_INTERNAL;
		reason = encapsulate(skb, row, &way, &in);
		if (reason)
			return reason;
		*verdict = send_to_underlay(skb, row, way.host, in.tos, sender->moment);
		count_sent_by(port->slot, in.packets, bytes_of(&in), way.stage);
		return 0;
	}
	if (!reason)
		count_sent(port->slot, in.packets, bytes_of(&in));
	return reason;
}

/* Why a packet for one endpoint must not come in a frame to this MAC; 0: it may. */
static __always_inline __u8 cast_of(const __u8 *mac)
{
	if (!mac_is_group(mac))
		return MZR_DROP_NONE;
	return (mac[0] & mac[1] & mac[2] & mac[3] & mac[4] & mac[5]) == 0xff ? MZR_DROP_BROADCAST
									     : MZR_DROP_MULTICAST;
}

static __always_inline int port_frame(struct __sk_buff *skb, int *verdict)
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
	sender = find_sender(ifindex, moment(row));
	if (!sender)
		return MZR_DROP_UNKNOWN_PORT;
	eth = at(&c, 0, sizeof(*eth));
	if (!eth)
		return MZR_DROP_MALFORMED;
	ethertype = eth->h_proto;
	copy_mac(sender->source, eth->h_source);
	sender->cast = cast_of(eth->h_dest);
	if (skb->vlan_present || is_vlan(ethertype))
		return MZR_DROP_VLAN;
	if (mac_is_group(sender->source) || mac_is_zero(sender->source))
		return MZR_DROP_SPOOFED_MAC;
	if (sender->port.flags & MZR_PORT_MAC_FIXED && !knows_mac(sender, sender->source)) {
		const struct mzr_port_mac *fixed = bpf_map_lookup_elem(&port_macs, &ifindex);

		if (!fixed || !mac_equal(fixed->mac, sender->source))
			return MZR_DROP_SPOOFED_MAC;
		keep_mac(sender, sender->source);
	}
	if (ethertype == bpf_htons(ETH_P_ARP)) {
		*verdict = bpf_redirect(ifindex, 0);
		return answer_arp(skb, &c, &sender->port, sender->source);
	}
	return port_packet(skb, &c, row, sender, ethertype, verdict);
}

static __always_inline int port_program(struct __sk_buff *skb)
{
	__u32 bytes = skb->len;
	int verdict = TC_ACT_SHOT;
	int reason = port_frame(skb, &verdict);

	if (!reason)
		return verdict;
	if (is_told(reason)) {
		skb->cb[0] = reason;
		bpf_tail_call(skb, &programs, MZR_PROGRAM_ICMP);
	}
	count_drop(reason, bytes);
	return TC_ACT_SHOT;
}

#endif /* MIZAR_PORT_H */
