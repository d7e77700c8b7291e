/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Counters: what was dropped, and what went through a port. Per CPU, so plain additions are enough. */
#ifndef MIZAR_COUNT_H
#define MIZAR_COUNT_H

#include "maps.h"

static __always_inline void count_drop(__u32 reason, __u32 bytes)
{
	struct mzr_drop *row = bpf_map_lookup_elem(&drops, &reason);

	if (row) {
		row->packets++;
		row->bytes += bytes;
	}
}

/* A packet of the endpoint whose port counts in `slot`; `bytes` with its Ethernet header. Gives the row;
 * NULL: there is no such slot yet. */
static __always_inline struct mzr_traffic *count_sent(__u32 slot, __u32 packets, __u32 bytes)
{
	struct mzr_traffic *row = bpf_map_lookup_elem(&traffic, &slot);

	if (row) {
		row->sent_packets += packets;
		row->sent_bytes += bytes;
	}
	return row;
}

/* The same, of one that went to another host. */
static __always_inline void count_sent_by(__u32 slot, __u32 packets, __u32 bytes, __u32 stage)
{
	struct mzr_traffic *row = count_sent(slot, packets, bytes);

	if (!row)
		return;
	if (stage == MZR_STAGE_NONE || stage == MZR_STAGE_HOST)
		row->direct_packets += packets;
	else if (stage == MZR_STAGE_BOUNCER)
		row->bouncer_packets += packets;
	else
		row->divider_packets += packets;
}

/* A packet for that endpoint. */
static __always_inline void count_received(__u32 slot, __u32 packets, __u32 bytes)
{
	struct mzr_traffic *row = bpf_map_lookup_elem(&traffic, &slot);

	if (row) {
		row->received_packets += packets;
		row->received_bytes += bytes;
	}
}

#endif /* MIZAR_COUNT_H */
