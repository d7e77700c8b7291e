/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Who may be told that the gateway's MAC has an address. */
#ifndef MIZAR_QUESTION_H
#define MIZAR_QUESTION_H

#include "forward.h"

enum question {
	QUESTION_IGNORED,
	QUESTION_NEIGHBOR, /* another address of the network */
	QUESTION_GATEWAY,
};

/* Whether a port may be told that the gateway's MAC has the address. Global: verified by itself. */
__noinline int judge_question(const struct mzr_endpoint_key *target, __u64 network, __u32 ifindex,
			      __u32 flags)
{
	struct mzr_endpoint_key key;
	struct mzr_endpoint *row;
	struct mzr_network *found;
	struct mzr_vpc *vpc;
	__u32 vni;

	if (!target)
		return QUESTION_IGNORED;
	/* Linux 6.1 takes no key from a global function's argument: it must be on the stack. */
	key = *target;
	row = bpf_map_lookup_elem(&endpoints, &key);
	if (row) {
		if (row->ifindex == ifindex || row->kind == MZR_ENDPOINT_BROADCAST)
			return QUESTION_IGNORED;
		if (row->kind == MZR_ENDPOINT_GATEWAY && row->network == network)
			return QUESTION_GATEWAY;
	}
	if (flags & MZR_PORT_ANSWERS_ALL)
		return QUESTION_NEIGHBOR;
	if (row && row->kind == MZR_ENDPOINT_GATEWAY)
		return QUESTION_IGNORED;
	vni = target->vni;
	vpc = bpf_map_lookup_elem(&vpcs, &vni);
	if (!vpc)
		return QUESTION_IGNORED;
	found = find_network(vpc, target);
	return found && found->network == network ? QUESTION_NEIGHBOR : QUESTION_IGNORED;
}

#endif /* MIZAR_QUESTION_H */
