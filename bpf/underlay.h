/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* From tc to another host. */
#ifndef MIZAR_UNDERLAY_H
#define MIZAR_UNDERLAY_H

#include "geneve.h"
#include "hop.h"

/*
 * Out by the uplink, to `peer`; NULL: it has just left the topology. In each tick the stack sends the first
 * packet, which looks after routing and the neighbour entry; the others go the way that was found meanwhile.
 */
static __always_inline int send_to_peer(struct __sk_buff *skb, const struct mzr_config *row,
					struct peer *peer, __u8 tos)
{
	const __u32 zero = 0;
	const __u32 *own = bpf_map_lookup_elem(&mark, &zero);

	skb->mark = own ? *own : 0;
	if (peer && lacks_hop(peer, tos)) {
		look_up_hop_skb(skb, row, peer, tos);
	} else if (peer) {
		struct ethhdr *eth = (void *)(long)skb->data;

		if ((void *)(eth + 1) <= (void *)(long)skb->data_end && write_hop(eth, peer))
			return bpf_redirect(row->uplink, 0);
	}
	return by_neighbour(row, peer ? peer->gateway : 0);
}

static __always_inline int send_to_underlay(struct __sk_buff *skb, const struct mzr_config *row, __be32 host,
					    __u8 tos, __u64 time)
{
	return send_to_peer(skb, row, find_peer(row, host, time), tos);
}

/* A packet that came by the underlay gets this host's addresses, to go on to `host`. */
static __always_inline bool readdress(const struct cursor *c, const struct mzr_config *row,
				      const struct outer *out, __be32 host)
{
	struct iphdr *ip = peek(c, ETH_HLEN, sizeof(*ip));
	struct udphdr *udp = peek(c, out->udp, sizeof(*udp));
	__u16 *hops, before, check;

	if (!ip || !udp)
		return false;
	check = ip->check;
	hops = (void *)&ip->ttl;
	before = *hops;
	ip->ttl = MZR_OUTER_TTL;
	checksum_replace16(&check, before, *hops);
	checksum_replace32(&check, ip->saddr, row->address);
	checksum_replace32(&check, ip->daddr, host);
	ip->check = check;
	ip->saddr = row->address;
	ip->daddr = host;
	udp->dest = geneve_port(row);
	udp->check = 0;
	return true;
}

#endif /* MIZAR_UNDERLAY_H */
