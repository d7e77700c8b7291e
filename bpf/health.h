/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Whether other hosts answer: echoes that they were sent, and what came of them. */
#ifndef MIZAR_HEALTH_H
#define MIZAR_HEALTH_H

#include <stdbool.h>

#include "clock.h"
#include "maps.h"

/* Whether packets may be sent to a host: it answers, as far as it was asked. */
static __always_inline bool answers(const struct mzr_host *host, __u32 patience)
{
	return !(host->flags & MZR_HOST_DOWN) && (!patience || host->missed < patience);
}

static __always_inline bool is_time_to_ask(const struct mzr_host *host, const struct mzr_config *row,
					   __u32 tick)
{
	return row->health_count && (!host->asked || ticks_since(tick, host->asked) >= row->health_interval);
}

/*
 * Another echo went to the host, unless another CPU's was first: it counts as missed until its answer comes.
 * Once it was given up, it must answer several in a row before it is used again.
 */
static __always_inline void expect_answer(struct mzr_host *host, const struct mzr_config *row, __u32 tick)
{
	if (!is_time_to_ask(host, row, tick))
		return;
	host->asked = tick;
	if (host->is_silent) {
		if (host->missed < 255)
			host->missed++;
		host->answered = 0;
	}
	host->is_silent = 1;
}

/* Answers in a row after which a host that was given up is used again. */
#define MZR_ANSWERS_IN_A_ROW 3

static __always_inline void answered(struct mzr_host *host, __u32 patience)
{
	host->is_silent = 0;
	if (host->missed >= patience && ++host->answered < MZR_ANSWERS_IN_A_ROW)
		return;
	host->missed = 0;
	host->answered = 0;
}

#endif /* MIZAR_HEALTH_H */
