/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* The direct path (docs/direct-path.md): where endpoints of other hosts are, learned from their hosts'
 * answers. */
#ifndef MIZAR_DIRECT_H
#define MIZAR_DIRECT_H

#include "address.h"
#include "clock.h"
#include "maps.h"

/* How often a pair asks again whether its entry still holds: a quarter of an entry's age, and if nobody
 * answers, so many ticks later (268 ms). */
#define MZR_ASK_AGAIN 16
/* How long it holds that nobody has an address, in ticks (3.2 s): a ping a second finds the last answer. */
#define MZR_NOBODY_AGE 192

/* The VPC's entry for the address; NULL: none. */
static __always_inline struct mzr_direct *find_direct(const struct mzr_endpoint_key *key)
{
	__u32 vni = key->vni;
	void *table = bpf_map_lookup_elem(&direct, &vni);

	return table ? bpf_map_lookup_elem(table, &key->address) : NULL;
}

static __always_inline bool is_fresh(const struct mzr_direct *entry, const struct mzr_config *row, __u32 tick)
{
	return entry->host && ticks_since(tick, entry->proven) <= row->direct_age;
}

static __always_inline bool is_nobody(const struct mzr_direct *entry, __u32 tick)
{
	return !entry->host && entry->nobody && ticks_since(tick, entry->proven) <= MZR_NOBODY_AGE;
}

/*
 * Makes or replaces an entry. False: nobody here has anything to do with the VPC. Global, which also puts
 * struct mzr_direct into the object's BTF as a whole.
 */
__noinline int put_direct(const struct mzr_endpoint_key *to, const struct mzr_direct *value)
{
	struct mzr_endpoint_key key;
	struct mzr_direct entry;
	__u32 vni;
	void *table;

	if (!to || !value)
		return false;
	/* Linux 6.1 takes neither from a global function's argument: they must be on the stack. */
	key = *to;
	entry = *value;
	vni = key.vni;
	table = bpf_map_lookup_elem(&direct, &vni);
	return table && !bpf_map_update_elem(table, &key.address, &entry, BPF_ANY);
}

/* The entry of a pair's first packet. */
static __noinline int put_first(const struct mzr_endpoint_key *to)
{
	const struct mzr_direct first = {.packets = 1};

	return put_direct(to, &first);
}

/* A host says that the endpoint is not there: what it is believed to have, it may take back. */
static __always_inline void forget(const struct mzr_endpoint_key *key, __be32 host)
{
	__u32 vni = key->vni;
	void *table = bpf_map_lookup_elem(&direct, &vni);
	struct mzr_direct *entry = table ? bpf_map_lookup_elem(table, &key->address) : NULL;

	if (entry && entry->host == host)
		bpf_map_delete_elem(table, &key->address);
}

#endif /* MIZAR_DIRECT_H */
