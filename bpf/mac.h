/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* MACs. Each starts at an even address. */
#ifndef MIZAR_MAC_H
#define MIZAR_MAC_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/if_ether.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

#include "mizar_abi.h"

static __always_inline bool mac_is_group(const __u8 *mac)
{
	return mac[0] & 1;
}

static __always_inline bool mac_is_zero(const __u8 *mac)
{
	return !(mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]);
}

static __always_inline bool mac_equal(const __u8 *a, const __u8 *b)
{
	const __u16 *x = (const void *)a, *y = (const void *)b;

	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2];
}

static __always_inline void copy_mac(__u8 *to, const __u8 *from)
{
	__u16 *x = (void *)to;
	const __u16 *y = (const void *)from;

	x[0] = y[0];
	x[1] = y[1];
	x[2] = y[2];
}

/* Byte by byte, so that it becomes immediates: .rodata holds what the loader sets and nothing else. */
static __always_inline void set_gateway_mac(__u8 *to)
{
#define MZR_MAC_BYTE(n) (((const __u8[ETH_ALEN])MZR_GATEWAY_MAC)[n])
	to[0] = MZR_MAC_BYTE(0);
	to[1] = MZR_MAC_BYTE(1);
	to[2] = MZR_MAC_BYTE(2);
	to[3] = MZR_MAC_BYTE(3);
	to[4] = MZR_MAC_BYTE(4);
	to[5] = MZR_MAC_BYTE(5);
#undef MZR_MAC_BYTE
}

/* Why a packet for one endpoint must not come in a frame to this MAC; 0: it may. */
static __always_inline __u8 cast_of(const __u8 *mac)
{
	if (!mac_is_group(mac))
		return MZR_DROP_NONE;
	return (mac[0] & mac[1] & mac[2] & mac[3] & mac[4] & mac[5]) == 0xff ? MZR_DROP_BROADCAST
									     : MZR_DROP_MULTICAST;
}

#endif /* MIZAR_MAC_H */
