/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * Programs behind others, by tail call: what most packets do not need, so that it costs them no stack and the
 * verifier one look.
 *
 * Each load has an array of its own, so no packet goes from one version's programs to another's: what is in
 * its struct packet is what its own version wrote.
 */
#ifndef MIZAR_TAILS_H
#define MIZAR_TAILS_H

#include <stddef.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "mizar_abi.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, MZR_TAIL_COUNT);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} tails SEC(".maps");

/* What a step returns, whose packet is a tail's from here on. */
#define MZR_LEAVE_TO(tail) (-1 - (int)(tail))

#endif /* MIZAR_TAILS_H */
