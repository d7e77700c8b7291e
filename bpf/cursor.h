/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Bytes of a frame, shown to be inside it. */
#ifndef MIZAR_CURSOR_H
#define MIZAR_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* No header of interest starts further into a frame: bounds offsets for the verifier. */
#define MZR_OFFSET_MAX 0x3fff

struct cursor {
	struct __sk_buff *skb; /* NULL in XDP, where frames are linear */
	struct xdp_md *xdp;    /* NULL in tc */
	void *data;
	void *end;
	__u32 length; /* of the whole frame, in bytes */
};

/* Where the frame's bytes are, anew: after a change of the frame, and to the verifier one state where ways
 * meet. */
static __always_inline void cursor_load(struct cursor *c)
{
	if (c->skb) {
		c->data = (void *)(long)c->skb->data;
		c->end = (void *)(long)c->skb->data_end;
	} else {
		c->data = (void *)(long)c->xdp->data;
		c->end = (void *)(long)c->xdp->data_end;
	}
}

static __always_inline struct cursor cursor_of_skb(struct __sk_buff *skb)
{
	struct cursor c = {.skb = skb, .length = skb->len};

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

#endif /* MIZAR_CURSOR_H */
