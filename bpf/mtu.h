/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * What fits on the way to a host. Hosts may have underlays of unlike MTU, and a router between them drops
 * what is too big for the next, or a card what is too big for itself, without a word that an endpoint would
 * hear. So each host says with its answers what its underlay takes, and the smaller of both counts.
 */
#ifndef MIZAR_MTU_H
#define MIZAR_MTU_H

#include <stddef.h>
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "mizar_abi.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __be32);
	__type(value, __u32);
} mtus SEC(".maps");

/* What IPv4 asks of any underlay with room for our headers around IPv6's least MTU. */
#define MZR_MTU_LEAST (1280 + MZR_OVERHEAD_STAGED)

static __always_inline __u32 mtu_towards(const struct mzr_config *row, __be32 host)
{
	const __u32 *known = bpf_map_lookup_elem(&mtus, &host);

	return known && *known < row->mtu ? *known : row->mtu;
}

/* As a host says it with an answer. No host makes another's packets smaller than the least. */
static __always_inline void keep_mtu(__be32 host, __be32 said)
{
	__u32 mtu = bpf_ntohl(said);
	const __u32 *known = bpf_map_lookup_elem(&mtus, &host);

	if (!mtu || mtu > 0xffff || (known && *known == mtu))
		return;
	if (mtu < MZR_MTU_LEAST)
		mtu = MZR_MTU_LEAST;
	bpf_map_update_elem(&mtus, &host, &mtu, BPF_ANY);
}

#endif /* MIZAR_MTU_H */
