/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * XDP of the uplink: packets that only pass through a bouncer's or divider's tables, and garbage, end here
 * without an skb. Whatever is for a port of this host, or needs more than new addresses, passes unchanged to
 * the tc program behind, which runs the same rule and counts it then.
 */
#ifndef MIZAR_TRANSIT_H
#define MIZAR_TRANSIT_H

#include "uplink.h"

/* One transit packet in so many goes by the stack, which keeps the next hop's neighbour entry fresh. */
#define MZR_REFRESH_MASK 1023

static __always_inline bool find_next_hop(struct xdp_md *xdp, struct cursor *c, const struct mzr_config *row,
					  __be32 host, __u8 tos, __u64 time)
{
	struct peer *peer = find_peer(row, host, time);
	struct ethhdr *eth = peek(c, 0, sizeof(*eth));

	if (!peer || !eth || (peer->mtu < row->mtu && c->length - ETH_HLEN > peer->mtu) ||
	    xdp->ingress_ifindex != row->uplink || !(++peer->turn & MZR_REFRESH_MASK))
		return false;
	if (lacks_hop(peer, tos))
		look_up_hop_xdp(xdp, row, peer, tos);
	return write_hop(eth, peer);
}

/* Returns a drop reason, MZR_PASS, or 0 and the verdict. */
static __always_inline int transit_frame(struct xdp_md *xdp, struct cursor *c, struct packet *packet,
					 int *verdict)
{
	const __u32 zero = 0;
	struct mzr_config *row = bpf_map_lookup_elem(&config, &zero);
	const struct outer *out = &packet->outer;
	const struct way *way = &packet->way;
	struct heading *heading;
	int reason, go;

	if (!row)
		return MZR_PASS;
	packet->gso = 0;
	reason = read_outer(c, row, packet);
	keep_whole(packet);
	/* A checksum is verified where the whole packet is at hand. */
	if (reason == MZR_CONTROL || (!reason && out->checksum))
		return MZR_PASS;
	if (reason)
		return reason;
	go = decide_inner(c, row, packet, &heading);
	keep_whole(packet);
	/* tc tells its sender. */
	if (go == GO_DROP)
		return is_gone(packet, go) ? MZR_PASS : way->reason;
	if (go != GO_HOST || !out->option)
		return MZR_PASS;
	/* A divider looks after its bouncers from tc. */
	if (is_watch_due(row, packet))
		return MZR_PASS;
	if (!find_next_hop(xdp, c, row, way->host, out->tos, packet->moment))
		return MZR_PASS;
	if (!restage(c, row, out, way))
		return MZR_DROP_INTERNAL;
	/* Not XDP_TX: a veth kicks its peer for that only if the peer runs XDP too, and else lets frames lie.
	 */
	*verdict = bpf_redirect(row->uplink, 0);
	return 0;
}

static __always_inline int xdp_program(struct xdp_md *xdp)
{
	struct cursor c = cursor_of_xdp(xdp);
	struct packet *packet = packet_of(HOLDER_XDP);
	int verdict = XDP_PASS;
	int reason = packet ? transit_frame(xdp, &c, packet, &verdict) : MZR_PASS;

	if (reason == MZR_PASS)
		return XDP_PASS;
	if (!reason)
		return verdict;
	count_drop(reason, c.length);
	return XDP_DROP;
}

/* Linux 6.8, for a program that is bound to its interface: 0, -ENODATA where there is no tag, or -EOPNOTSUPP
 * of a driver that does not say. */
extern int bpf_xdp_metadata_rx_vlan_tag(const struct xdp_md *xdp, __be16 *protocol, __u16 *tag) __ksym __weak;

#define MZR_ENODATA 61

/* Whether the frame has no tag beside it. What nobody knows of, tc looks at. */
static __always_inline bool is_untagged(struct xdp_md *xdp)
{
	__be16 protocol;
	__u16 tag;

	return bpf_xdp_metadata_rx_vlan_tag(xdp, &protocol, &tag) == -MZR_ENODATA;
}

#endif /* MIZAR_TRANSIT_H */
