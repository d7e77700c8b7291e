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

#include "control.h"

/* UDP to Geneve's port; a fragment that is not the first has no port, and is nothing without the first. */
static __always_inline bool is_geneve(struct __sk_buff *skb, const struct mzr_config *row)
{
	struct cursor c = cursor_of_skb(skb);
	struct outer out;
	__u16 fragment;

	return !skb->vlan_present && find_geneve(&c, row, &out, &fragment) != MZR_PASS;
}

static __always_inline int guard_program(struct __sk_buff *skb)
{
	const __u32 zero = 0;
	struct mzr_config *row = bpf_map_lookup_elem(&config, &zero);
	const __u32 *own = bpf_map_lookup_elem(&mark, &zero);
	__u32 from = skb->ingress_ifindex, bytes = skb->len;
	bool is_ours = own && *own && skb->mark == *own;

	if (!row)
		return TC_ACT_UNSPEC;
	if (is_ours && is_laid_down())
		return send_laid_down(skb, row);
	if (!is_geneve(skb, row))
		return TC_ACT_UNSPEC;
	if (is_ours && from && (from == row->uplink || find_sender(from, moment(row)))) {
		skb->mark = 0;
		return TC_ACT_UNSPEC;
	}
	count_drop(MZR_DROP_FOREIGN_SENDER, bytes);
	return TC_ACT_SHOT;
}

/* While there is no program in a slot: Geneve waits, the host's own connections do not notice. */
static __always_inline int without_program(struct __sk_buff *skb)
{
	const __u32 zero = 0;
	struct mzr_config *row = bpf_map_lookup_elem(&config, &zero);

	if (!row || !is_geneve(skb, row))
		return TC_ACT_UNSPEC;
	count_drop(MZR_DROP_NO_PROGRAM, skb->len);
	return TC_ACT_SHOT;
}

#endif /* MIZAR_GUARD_H */
