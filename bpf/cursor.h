/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Bytes of a frame, shown to be inside it; addresses and MACs in them. */
#ifndef MIZAR_CURSOR_H
#define MIZAR_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "mizar_abi.h"

/* No header of interest starts further into a frame: bounds offsets for the verifier. */
#define MZR_OFFSET_MAX 0x3fff

struct cursor {
	struct __sk_buff *skb; /* NULL in XDP, where frames are linear */
	struct xdp_md *xdp;    /* NULL in tc */
	void *data;
	void *end;
	__u32 length; /* of the whole frame, in bytes */
	__u32 gso;    /* payload bytes of each packet that this frame stands for; 0: it is one packet */
};

static __always_inline void cursor_load(struct cursor *c)
{
	c->data = (void *)(long)c->skb->data;
	c->end = (void *)(long)c->skb->data_end;
}

static __always_inline struct cursor cursor_of_skb(struct __sk_buff *skb)
{
	struct cursor c = {.skb = skb, .length = skb->len, .gso = skb->gso_size};

	cursor_load(&c);
	return c;
}

static __always_inline struct cursor cursor_of_xdp(struct xdp_md *xdp)
{
	struct cursor c = {.xdp = xdp, .data = (void *)(long)xdp->data, .end = (void *)(long)xdp->data_end};

	c.length = c.end - c.data;
	return c;
}

/* `size` bytes at `offset`, or NULL where the linear part of the frame ends before. */
static __always_inline void *peek(const struct cursor *c, __u32 offset, __u32 size)
{
	void *place;

	if (offset > MZR_OFFSET_MAX)
		return NULL;
	/* Linux 6.1 bounds only the register that was compared, none of its copies: bound this one. */
	if (!__builtin_constant_p(offset)) {
		asm volatile("" : "+r"(offset));
		offset &= MZR_OFFSET_MAX;
	}
	place = c->data + offset;
	/* Else the compiler may add up the place twice, and the verifier knows of only one that it is inside.
	 */
	asm volatile("" : "+r"(place));
	if (place + size > c->end)
		return NULL;
	return place;
}

/* Makes the frame's first `size` bytes linear, if it has them. Earlier pointers into the frame end here. */
static __always_inline void pull(struct cursor *c, __u32 size)
{
	if (!c->skb || c->data + (size & 0xffff) <= c->end || size > c->length)
		return;
	bpf_skb_pull_data(c->skb, size);
	cursor_load(c);
}

/* `size` bytes at `offset`, pulled if they must be; NULL where the frame ends before. */
static __always_inline void *at(struct cursor *c, __u32 offset, __u32 size)
{
	void *place = peek(c, offset, size);

	if (place || !c->skb || offset + size > c->length)
		return place;
	bpf_skb_pull_data(c->skb, offset + size);
	cursor_load(c);
	return peek(c, offset, size);
}

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

#endif /* MIZAR_CURSOR_H */
