/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Inner addresses: IPv6, or IPv4 mapped into it. */
#ifndef MIZAR_ADDRESS_H
#define MIZAR_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "mizar_abi.h"

/* Addresses in keys are 4-byte aligned, and read and written as words. */
static __always_inline __be32 *words(struct mzr_address *address)
{
	return (__be32 *)address->bytes;
}

static __always_inline const __be32 *const_words(const struct mzr_address *address)
{
	return (const __be32 *)address->bytes;
}

static __always_inline void address_v4(struct mzr_address *address, __be32 v4)
{
	__be32 *to = words(address);

	to[0] = 0;
	to[1] = 0;
	to[2] = bpf_htonl(0xffff);
	to[3] = v4;
}

static __always_inline void address_v6(struct mzr_address *address, const void *place)
{
	const __be32 *from = place;
	__be32 *to = words(address);

	to[0] = from[0];
	to[1] = from[1];
	to[2] = from[2];
	to[3] = from[3];
}

static __always_inline bool address_is_v4(const struct mzr_address *address)
{
	const __be32 *word = const_words(address);

	return !word[0] && !word[1] && word[2] == bpf_htonl(0xffff);
}

static __always_inline bool same_address(const struct mzr_address *a, const struct mzr_address *b)
{
	const __be32 *x = const_words(a), *y = const_words(b);

	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2] && x[3] == y[3];
}

#endif /* MIZAR_ADDRESS_H */
