/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* From tc into a port of this host. A packet may stand for many (GSO) and carry partial checksums. */
#ifndef MIZAR_DELIVER_H
#define MIZAR_DELIVER_H

#include "count.h"
#include "mac.h"
#include "memo.h"
#include "parse.h"

#define MZR_PACKET_HOST 0 /* <linux/if_packet.h> is not for programs */

static __always_inline bool find_port(struct heading *heading, __u32 ifindex)
{
	const struct mzr_port_mac *known = bpf_map_lookup_elem(&port_macs, &ifindex);
	const struct mzr_port *port = bpf_map_lookup_elem(&ports, &ifindex);

	if (!known || !port)
		return false;
	copy_mac(heading->mac, known->mac);
	heading->is_straight = port->flags & MZR_PORT_STRAIGHT ? 1 : 0;
	heading->slot = port->slot;
	return true;
}

/* Whether the interface is the one that the port's row was written for, and not another with its index. */
static __always_inline bool is_same_device(__u32 slot, __u32 ifindex)
{
	const __u32 *device = bpf_map_lookup_elem(&port_devices, &slot);

	return device && *device == ifindex;
}

/*
 * The frame, whose IP header follows its Ethernet header, into a port of this host. Straight into the other
 * namespace it takes no turn in the queue of the CPU's backlog. The kernel has judged by the old Ethernet
 * header whose packet it is: nobody does so again on this way.
 */
static __always_inline int deliver(struct __sk_buff *skb, __u32 ifindex, const struct inner *in,
				   struct heading *heading, int *verdict)
{
	struct ethhdr *eth;

	if (mac_is_zero(heading->mac) && !find_port(heading, ifindex))
		return MZR_DROP_PENDING;
	if (!is_same_device(heading->slot, ifindex))
		return MZR_DROP_PENDING;
	if (heading->is_straight && skb->pkt_type != MZR_PACKET_HOST &&
	    bpf_skb_change_type(skb, MZR_PACKET_HOST))
		return MZR_DROP_INTERNAL;
	eth = (void *)(long)skb->data;
	if ((void *)(eth + 1) > (void *)(long)skb->data_end)
		return MZR_DROP_INTERNAL;
	copy_mac(eth->h_dest, heading->mac);
	set_gateway_mac(eth->h_source);
	eth->h_proto = in->ipv6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
	count_received(heading->slot, in->packets, bytes_of(in));
	*verdict = heading->is_straight ? bpf_redirect_peer(ifindex, 0) : bpf_redirect(ifindex, 0);
	return 0;
}

#endif /* MIZAR_DELIVER_H */
