/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* The next hop towards a host on the uplink, kept in its memo for a tick. */
#ifndef MIZAR_HOP_H
#define MIZAR_HOP_H

#include <linux/in.h>

#include "dscp.h"
#include "mac.h"
#include "memo.h"

#define MZR_AF_INET 2
#define MZR_LOOPBACK 1 /* ifindex of lo, in every network namespace */

/*
 * Looks up the next hop to a host. The kernel wants the interface that a packet came in by to forward; asked
 * for lo, it looks the route up as for a packet of this host's own, and the uplink itself need not forward.
 */
static __always_inline long find_route(void *context, const struct mzr_config *row,
				       struct bpf_fib_lookup *fib, __be32 host, __u8 tos)
{
	*fib = (struct bpf_fib_lookup){
		.family = MZR_AF_INET,
		.l4_protocol = IPPROTO_UDP,
		.ifindex = MZR_LOOPBACK,
		.tos = tos & ~MZR_ECN_MASK,
		.ipv4_src = row->address,
		.ipv4_dst = host,
	};
	return bpf_fib_lookup(context, fib, sizeof(*fib), 0);
}

/* Whom to ask for on the uplink, once the route was found; 0: the route leads elsewhere, or nowhere. */
static __always_inline __be32 gateway_of(long found, const struct bpf_fib_lookup *fib,
					 const struct mzr_config *row)
{
	if (fib->ifindex != row->uplink)
		return 0;
	return found == BPF_FIB_LKUP_RET_SUCCESS || found == BPF_FIB_LKUP_RET_NO_NEIGH ? fib->ipv4_dst : 0;
}

/* Whether the memo has no next hop of a packet with this DSCP. ECN chooses no route. */
static __always_inline bool lacks_hop(const struct peer *peer, __u8 tos)
{
	return peer->hop == HOP_UNKNOWN || (peer->tos ^ tos) & ~MZR_ECN_MASK;
}

static __always_inline int look_up_hop(void *context, const struct mzr_config *row, struct peer *peer,
				       __u8 tos)
{
	struct bpf_fib_lookup fib;
	long found = find_route(context, row, &fib, peer->host, tos);

	peer->tos = tos;
	peer->hop = HOP_NONE;
	peer->gateway = gateway_of(found, &fib, row);
	if (!peer->gateway || found != BPF_FIB_LKUP_RET_SUCCESS)
		return 0;
	copy_mac(peer->macs, fib.dmac);
	copy_mac(peer->macs + ETH_ALEN, fib.smac);
	peer->hop = HOP_KNOWN;
	return 0;
}

static __noinline int look_up_hop_skb(struct __sk_buff *skb, const struct mzr_config *row, struct peer *peer,
				      __u8 tos)
{
	return look_up_hop(skb, row, peer, tos);
}

static __noinline int look_up_hop_xdp(struct xdp_md *xdp, const struct mzr_config *row, struct peer *peer,
				      __u8 tos)
{
	return look_up_hop(xdp, row, peer, tos);
}

/* False: this is for the stack to find out. */
static __always_inline bool write_hop(struct ethhdr *eth, const struct peer *peer)
{
	if (peer->hop != HOP_KNOWN)
		return false;
	copy_mac(eth->h_dest, peer->macs);
	copy_mac(eth->h_source, peer->macs + ETH_ALEN);
	return true;
}

/* The same of a packet that no memo is for. */
static __noinline __be32 find_gateway(struct __sk_buff *skb, const struct mzr_config *row, __be32 host)
{
	struct bpf_fib_lookup fib;
	long found = find_route(skb, row, &fib, host, 0);

	return gateway_of(found, &fib, row);
}

/*
 * Out by the uplink with the stack's neighbour entry. Asked for the route as well, the stack would look it up
 * by the packet's mark, which is random, and which rules of the host's may match.
 */
static __noinline int by_neighbour(const struct mzr_config *row, __be32 gateway)
{
	struct bpf_redir_neigh next = {.nh_family = MZR_AF_INET, .ipv4_nh = gateway};

	if (!gateway)
		return bpf_redirect_neigh(row->uplink, NULL, 0, 0);
	return bpf_redirect_neigh(row->uplink, &next, sizeof(next), 0);
}

#endif /* MIZAR_HOP_H */
