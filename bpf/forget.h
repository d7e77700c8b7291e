/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* An skb without its packet's past, so that another packet can be made of it. */
#ifndef MIZAR_FORGET_H
#define MIZAR_FORGET_H

#include "offload.h"

/* What bpf_skb_adjust_room takes off at once. */
#define MZR_CUT_MAX 0xfff

/* How much of a packet's front must go for the place of a checksum that it owes to leave it. */
static __always_inline __u32 past_of(const struct offload *offload)
{
	return offload->owes && offload->start >= 0 ? offload->start + 1 : 0;
}

/* Whether forget_past can do its work. */
static __always_inline bool can_forget(struct __sk_buff *skb)
{
	struct offload offload;

	read_offload(skb, &offload);
	return past_of(&offload) <= MZR_CUT_MAX && !(offload.is_tunnels && skb->gso_size);
}

/*
 * Makes an skb of `size` bytes or more, whatever is in them, without its packet's past: it stands for one
 * packet, and nobody will write a checksum (CHECKSUM_PARTIAL) into these bytes, since the place of that has
 * left the packet by its front. The tail of a tunnel's packet cannot be changed: its front is cut until
 * `size` bytes are left, and if it is too short for that, the place moves behind them.
 */
static __noinline bool forget_past(struct __sk_buff *skb, __u32 size)
{
	struct offload offload;
	__u32 past;
	__s32 room;

	read_offload(skb, &offload);
	past = past_of(&offload);
	if (past > MZR_CUT_MAX)
		return false;
	room = -(__s32)past;
	if (bpf_skb_change_tail(skb, size + past, 0)) {
		if (skb->gso_size)
			return false;
		room = skb->len < size + past ? (__s32)size : (__s32)size - (__s32)skb->len;
		if (room < -MZR_CUT_MAX)
			room = -MZR_CUT_MAX;
	}
	if (room && bpf_skb_adjust_room(skb, room, BPF_ADJ_ROOM_MAC, 0))
		return false;
	read_offload(skb, &offload);
	return !offload.owes || offload.start >= (__s32)size;
}

#endif /* MIZAR_FORGET_H */
