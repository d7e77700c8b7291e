/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* The time: nanoseconds of CLOCK_MONOTONIC, and ticks of it, which rows and memos bear. */
#ifndef MIZAR_CLOCK_H
#define MIZAR_CLOCK_H

#include <stddef.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

#include "mizar_abi.h"

static __always_inline __u64 now(void)
{
	return bpf_ktime_get_coarse_ns();
}

static __always_inline __u32 ticks(__u64 time)
{
	return time >> MZR_TICK_SHIFT;
}

/* Ticks from `then` to `tick`. Another CPU's clock may be one ahead of this one's. */
static __always_inline __u32 ticks_since(__u32 tick, __u32 then)
{
	return then == tick + 1 ? 0 : tick - then;
}

/* The tick, as it was read last: it goes with the jiffies, which cost a load, while reading the clock costs
 * as much as a drop. */
struct clock {
	__u64 jiffies;
	__u32 tick;
	__u32 reserved;
};

static __always_inline __u32 tick_of(struct clock *clock)
{
	__u64 jiffies = bpf_jiffies64();

	if (clock->jiffies != jiffies) {
		clock->tick = ticks(now());
		clock->jiffies = jiffies;
	}
	return clock->tick;
}

#endif /* MIZAR_CLOCK_H */
