/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * GSO packets that nobody behind us could cut up rightly:
 *
 * - At a port, one of an endpoint's own tunnel. Whoever segments it in ours knows of one tunnel only and
 * leaves the lengths of the whole in its middle headers.
 * - At the uplink, datagrams in Geneve. An skb says for ever that it is a tunnel's: once it has left the
 *   tunnel, a socket that wants single datagrams loses it.
 *
 * So they are segmented before: sent by lo, which takes no GSO packet of a tunnel, the stack cuts them and
 * computes their checksums; at lo's ingress each segment is led back to the interface that it came in by, as
 * if it had come alone.
 *
 * The secret mark tells these segments from whatever else goes by lo, the priority names their interface.
 */
#ifndef MIZAR_CUT_H
#define MIZAR_CUT_H

#include <linux/pkt_cls.h>

#include "count.h"
#include "hop.h"
#include "mac.h"
#include "tunnel.h"

/*
 * Whether the skb has a tunnel's inner headers, which a program cannot read: room without bytes is refused
 * for that first, and before anything is changed.
 */
static __always_inline bool is_tunnels(struct __sk_buff *skb)
{
	return bpf_skb_adjust_room(skb, 0, BPF_ADJ_ROOM_MAC, MZR_ENCAP_FLAGS) == -MZR_EALREADY;
}

/* Whether the packet will leave this host, as far as its address says it. */
static __always_inline bool is_elsewhere(const struct mzr_endpoint_key *to)
{
	const struct mzr_endpoint *endpoint = bpf_map_lookup_elem(&endpoints, to);

	return !endpoint || endpoint->kind == MZR_ENDPOINT_REMOTE;
}

/*
 * To lo, and back as many. The frame is to the gateway's MAC, whatever it was: should nobody take it off lo,
 * the stack finds it to be another's.
 */
static __always_inline int send_by_loopback(struct __sk_buff *skb, int *verdict)
{
	const __u32 zero = 0;
	const __u32 *own = bpf_map_lookup_elem(&mark, &zero);
	struct ethhdr *eth = (void *)(long)skb->data;

	if (!own || !*own || (void *)(eth + 1) > (void *)(long)skb->data_end)
		return MZR_DROP_INTERNAL;
	set_gateway_mac(eth->h_dest);
	skb->mark = *own;
	skb->priority = skb->ifindex;
	*verdict = bpf_redirect(MZR_LOOPBACK, 0);
	return 0;
}

/* Whether a program of ours that sends packets by lo is at that interface. */
static __always_inline bool is_cutting(__u32 ifindex)
{
	const __u32 zero = 0;
	const struct mzr_config *row = bpf_map_lookup_elem(&config, &zero);

	return (row && row->uplink == ifindex) || bpf_map_lookup_elem(&ports, &ifindex);
}

/* tc ingress of lo. */
static __always_inline int loopback_program(struct __sk_buff *skb)
{
	const __u32 zero = 0;
	const __u32 *own;
	__u32 ifindex;

	if (!skb->mark)
		return TC_ACT_UNSPEC;
	own = bpf_map_lookup_elem(&mark, &zero);
	ifindex = skb->priority;
	if (!own || skb->mark != *own || !is_cutting(ifindex))
		return TC_ACT_UNSPEC;
	/* Nobody cut it: there it would only be sent here again. */
	if (skb->gso_size) {
		count_drop(MZR_DROP_INTERNAL, skb->len);
		return TC_ACT_SHOT;
	}
	skb->mark = 0;
	skb->priority = 0;
	return bpf_redirect(ifindex, BPF_F_INGRESS);
}

#endif /* MIZAR_CUT_H */
