/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * Whose a VNI is. Hosts come to a commit at different times, or lag far behind: what is one VPC's here is
 * another's there. So what goes by a host's own tables bears a tag of the VPC that it is of, and is judged by
 * it wherever it is delivered or sent on; plain packets go only where a host has proven that it knows the VNI
 * as the same VPC's.
 */
#ifndef MIZAR_VPC_H
#define MIZAR_VPC_H

#include "maps.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct mzr_told_key);
	__type(value, __u64);
} told SEC(".maps");

/* The lowest 24 bits of a VPC's id, which is all that the option has room for. No two VPCs of a commit have
 * the same. */
static __always_inline __u32 tag_of(const struct mzr_vpc *vpc)
{
	__u32 tag = vpc->vpc & 0xffffff;

	return tag ? tag : 1;
}

/* The tag of the VPC that has the VNI here; 0: none has. */
static __always_inline __u32 find_tag(__u32 vni)
{
	const struct mzr_vpc *vpc = bpf_map_lookup_elem(&vpcs, &vni);

	return vpc ? tag_of(vpc) : 0;
}

/* The id of the VPC that has the VNI here; 0: none has. */
static __always_inline __u64 find_vpc(__u32 vni)
{
	const struct mzr_vpc *vpc = bpf_map_lookup_elem(&vpcs, &vni);

	return vpc ? vpc->vpc : 0;
}

/* Whether what bears this tag is of the VPC that has the VNI here. Versions before the tag bear none. Returns
 * a drop reason, or 0. */
static __always_inline __u32 judge_vpc(__u32 vni, __u32 tag)
{
	const struct mzr_vpc *vpc = bpf_map_lookup_elem(&vpcs, &vni);

	if (!vpc)
		return MZR_DROP_NO_VPC;
	if (tag ? tag == tag_of(vpc) : !(vpc->flags & MZR_HANDED_OVER))
		return 0;
	return MZR_DROP_OTHER_VPC;
}

/* The same of a question, which bears the whole id. */
static __always_inline __u32 judge_question_of(__u32 vni, __u64 id)
{
	const struct mzr_vpc *vpc = bpf_map_lookup_elem(&vpcs, &vni);

	if (!vpc)
		return MZR_DROP_NO_VPC;
	if (id ? id == vpc->vpc : !(vpc->flags & MZR_HANDED_OVER))
		return 0;
	return MZR_DROP_OTHER_VPC;
}

/* Whether the host may send plain packets in the VNI. Returns a drop reason, or 0. */
static __always_inline __u32 judge_plain(__u32 vni, __be32 host)
{
	const struct mzr_told_key key = {.host = host, .vni = vni};
	const struct mzr_vpc *vpc = bpf_map_lookup_elem(&vpcs, &vni);
	const __u64 *known;

	/* Rows of endpoints may be there before it comes, and after it has gone. */
	if (!vpc)
		return MZR_DROP_NO_VPC;
	if (!(vpc->flags & MZR_HANDED_OVER))
		return 0;
	known = bpf_map_lookup_elem(&told, &key);
	return known && *known == vpc->vpc ? 0 : MZR_DROP_OTHER_VPC;
}

/* The host gets to know who has the VNI. */
static __always_inline void tell_owner(__u32 vni, __be32 host)
{
	const struct mzr_told_key key = {.host = host, .vni = vni};
	const struct mzr_vpc *vpc = bpf_map_lookup_elem(&vpcs, &vni);

	if (vpc && vpc->flags & MZR_HANDED_OVER)
		bpf_map_update_elem(&told, &key, &vpc->vpc, BPF_ANY);
}

#endif /* MIZAR_VPC_H */
