/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * Interfaces beside the uplink, in a network of other hosts: Linux answers ARP for all its addresses on each
 * of its interfaces, so a neighbour may send there what is for the uplink's address, and a route may lead
 * out there.
 */
#ifndef MIZAR_BESIDE_H
#define MIZAR_BESIDE_H

#include "guard.h"

/* tc ingress: Geneve for this host goes on as if it had come in by the uplink. */
static __always_inline int beside_program(struct __sk_buff *skb)
{
	const __u32 zero = 0;
	const struct mzr_config *row = bpf_map_lookup_elem(&config, &zero);
	struct cursor c = cursor_of_skb(skb);
	const struct iphdr *ip;
	__u16 fragment;

	/* The uplink may have come to be this interface a moment ago. */
	if (!row || !row->uplink || row->uplink == skb->ifindex || is_tagged(skb) ||
	    !find_geneve(&c, row, &fragment))
		return TC_ACT_UNSPEC;
	ip = peek(&c, ETH_HLEN, sizeof(*ip));
	if (!ip || ip->daddr != row->address)
		return TC_ACT_UNSPEC;
	return bpf_redirect(row->uplink, BPF_F_INGRESS);
}

/* tc egress: the programs send nothing by this interface, so Geneve from this host's address is somebody
 * else's. From other addresses it is taken by no host. */
static __always_inline int beside_guard_program(struct __sk_buff *skb)
{
	const __u32 zero = 0;
	const struct mzr_config *row = bpf_map_lookup_elem(&config, &zero);

	if (!row || !row->address || !is_geneve_from(skb, row->address))
		return TC_ACT_UNSPEC;
	count_drop(MZR_DROP_FOREIGN_SENDER, skb->len);
	return TC_ACT_SHOT;
}

#endif /* MIZAR_BESIDE_H */
