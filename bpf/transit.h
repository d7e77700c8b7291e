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

	if (!peer || !eth || xdp->ingress_ifindex != row->uplink || !(++peer->turn & MZR_REFRESH_MASK))
		return false;
	if (peer->hop == HOP_UNKNOWN || peer->tos != tos)
		look_up_hop_xdp(xdp, row, peer, tos);
	return write_hop(eth, peer);
}

static __always_inline bool is_watch_due(const struct mzr_config *row, __be32 host, __u64 time)
{
	const struct peer *peer = host ? find_peer(row, host, time) : NULL;

	return peer && peer->is_due;
}

static __always_inline int xdp_program(struct xdp_md *xdp)
{
	const __u32 zero = 0;
	struct cursor c = cursor_of_xdp(xdp);
	struct mzr_config *row = bpf_map_lookup_elem(&config, &zero);
	struct outer out = {};
	struct inner in;
	struct heading *heading;
	struct way way = {};
	int reason, go;

	if (!row)
		return XDP_PASS;
	reason = read_outer(&c, row, &out);
	/* A checksum is verified where the whole packet is at hand. */
	if (reason == MZR_PASS || reason == MZR_CONTROL || (!reason && out.checksum))
		return XDP_PASS;
	if (reason)
		goto drop;
	go = decide_inner(&c, row, &out, &in, &way, &heading);
	if (go == GO_DROP) {
		reason = way.reason;
		/* tc tells its sender. */
		if (is_gone(&out, go, &way))
			return XDP_PASS;
		goto drop;
	}
	if (go != GO_HOST || !out.option)
		return XDP_PASS;
	/* A divider looks after its bouncers from tc. */
	if (way.stage == MZR_STAGE_BOUNCER &&
	    (is_watch_due(row, way.host, out.moment) || is_watch_due(row, way.avoided, out.moment)))
		return XDP_PASS;
	if (!find_next_hop(xdp, &c, row, way.host, out.tos, out.moment))
		return XDP_PASS;
	if (!restage(&c, row, &out, &way)) {
		reason = MZR_DROP_INTERNAL;
		goto drop;
	}
	/* Not XDP_TX: a veth kicks its peer for that only if the peer runs XDP too, and else lets frames lie.
	 */
	return bpf_redirect(row->uplink, 0);
drop:
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
