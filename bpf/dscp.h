/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* The byte of IP headers that has DSCP (RFC 2474) and ECN (RFC 3168): `tos`. */
#ifndef MIZAR_DSCP_H
#define MIZAR_DSCP_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "mizar_abi.h"

#define MZR_ECN_MASK 3
#define MZR_DSCP_SHIFT 2

/* The outer header's, of a packet that has `tos`. An endpoint's DSCP chooses no class on the underlay, which
 * all tenants share, unless the cluster says so. */
static __always_inline __u8 outer_tos(const struct mzr_config *row, __u8 tos)
{
	return row->dscp == MZR_DSCP_COPY ? tos : row->dscp << MZR_DSCP_SHIFT | (tos & MZR_ECN_MASK);
}

#endif /* MIZAR_DSCP_H */
