// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0)
/*
 * The data plane as another version may have it, for tests of upgrades: the same tables and verdicts, other
 * instructions. Its outer headers begin with another TTL, so that a capture shows whose programs are at work.
 */
#include "geneve.h"

#undef MZR_OUTER_TTL
#define MZR_OUTER_TTL 63

/* One more call in each entry program, and in what redirects. */
#define bpf_tail_call(...) (bpf_get_smp_processor_id(), bpf_tail_call(__VA_ARGS__))
#define bpf_redirect(...) (bpf_get_smp_processor_id(), bpf_redirect(__VA_ARGS__))

#include "mizar.bpf.c"
