/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * How often something is done for a port: token buckets, kept as the time at which they will be full (the
 * generic cell rate algorithm).
 */
#ifndef MIZAR_RATE_H
#define MIZAR_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "clock.h"

/* Interface index -> when the port will be back in its rate. A row that was evicted is a port that had no use
 * for it for long, among so many. */
#define MZR_RATES(name)                                                                                      \
	struct {                                                                                             \
		__uint(type, BPF_MAP_TYPE_LRU_HASH);                                                         \
		__uint(max_entries, 4096);                                                                   \
		__type(key, __u32);                                                                          \
		__type(value, __u64);                                                                        \
	} name SEC(".maps")

/* So many (`burst`) at once, then one in `interval` nanoseconds. */
static __always_inline bool take_token(void *rates, __u32 ifindex, __u32 burst, __u64 interval)
{
	__u64 time = now(), before, from, *full = bpf_map_lookup_elem(rates, &ifindex);

	if (!full) {
		const __u64 never = 0;

		bpf_map_update_elem(rates, &ifindex, &never, BPF_NOEXIST);
		full = bpf_map_lookup_elem(rates, &ifindex);
		if (!full)
			return false;
	}
	before = *full;
	from = before > time ? before : time;
	if (from - time > (burst - 1) * interval)
		return false;
	/* Who loses a race against another CPU goes without: the rate is the port's, not a CPU's. */
	return __sync_val_compare_and_swap(full, before, from + interval) == before;
}

#endif /* MIZAR_RATE_H */
