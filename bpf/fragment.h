/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * A port leaves a packet that is too big for the underlay to this tail, which makes the packet fit if it can
 * and drops it if not. It is a tail because nearly all packets fit.
 *
 * - Bytes behind the packet, such as padding, are cut off.
 * - IPv4 without DF is fragmented, as a router would (RFC 791 2.3 and 3.1, RFC 1812 4.2.2.7).
 * - TCP that is yet to be cut into segments is cut into smaller ones, where it is IPv4 without DF.
 * - A frame of IPv6 over 64 KiB (BIG TCP) loses the header that says so, which whoever cuts it up behind a
 *   tunnel's header would leave in each segment, for their receiver to drop.
 *
 * What was changed comes in by the port once more, as if the endpoint had sent them, so that all that is
 * judged and counted for a packet is judged and counted for each of them.
 */
#ifndef MIZAR_FRAGMENT_H
#define MIZAR_FRAGMENT_H

#include "checksum.h"
#include "forget.h"
#include "rate.h"
#include "tunnel.h"

#define MZR_DONT_FRAGMENT 0x4000

/* A datagram of 11 KiB, at an MTU of 1500. One that takes more is an attempt to make much work of little. */
#define MZR_FRAGMENTS_MAX 8

/* Packets that are fragmented for a port: so many at once, then one in so many nanoseconds (8,000 a second).
 * Fragmenting one costs about as much as sending eight. */
#define MZR_FRAGMENTED_BURST 256
#define MZR_FRAGMENTED_INTERVAL 125000ULL

MZR_RATES(fragmented);

/* An IPv4 header with its options; zero behind its end. */
union header4 {
	struct iphdr ip;
	__u32 words[15];
	__u8 bytes[60];
};

/* The packet that is being fragmented. Not on the stack, as walks' state, see packet.h. */
struct fragmenting {
	union header4 header; /* of the next fragment */
	__u32 size;	      /* of the header */
	__u32 most;	      /* bytes of a fragment, with its header */
	__u32 left;	      /* payload that is yet to go */
	__u32 place;	      /* of that, in units of 8 bytes */
	__u32 flags;	      /* the packet's own, around the offset */
	__u32 rest;	      /* of the option at hand: bytes that are yet to come */
	__u8 is_dropped;      /* the option at hand: only the first fragment has it */
	__u8 is_over;	      /* no option comes any more */
	__u8 is_broken;
	/* The packet's first bytes behind its Ethernet header, up to the upper header's first and as many
	 * more. */
	__u8 front[ETH_HLEN + sizeof(union header4) + 1];
};

MZR_ARRAY(fragmenting, BPF_MAP_TYPE_PERCPU_ARRAY, struct fragmenting, 1);

#define MZR_OPTIONS4_MAX (sizeof(union header4) - sizeof(struct iphdr))
#define MZR_OPTION_COPIED 0x80 /* bit of an option's type: it is part of every fragment */
#define MZR_OPTION_END 0
#define MZR_OPTION_NOP 1

/* A byte of the options, of which later fragments have those only that say so. */
static long drop_option(__u32 index, struct fragmenting **context)
{
	struct fragmenting *work = *context;
	__u32 offset = sizeof(struct iphdr) + index;
	__u8 *byte, type, length;

	if (offset >= work->size || offset >= sizeof(work->header.bytes) - 1)
		return 1;
	byte = &work->header.bytes[offset];
	if (!work->rest && !work->is_over) {
		type = byte[0];
		length = byte[1];
		work->is_dropped = !(type & MZR_OPTION_COPIED);
		work->rest = type == MZR_OPTION_NOP ? 1 : length;
		/* What is no option ends them all. */
		work->is_over = type == MZR_OPTION_END || !work->rest || offset + work->rest > work->size;
	}
	if (work->is_over) {
		*byte = MZR_OPTION_END;
		return 0;
	}
	if (work->is_dropped)
		*byte = MZR_OPTION_NOP;
	work->rest--;
	return 0;
}

/* Writes the header of a fragment in front of its payload. */
static __always_inline bool write_header4(struct __sk_buff *skb, struct fragmenting *work, __u32 payload,
					  __u32 flags)
{
	union header4 *header = &work->header;
	__u32 size = work->size;
	__s64 sum;

	header->ip.tot_len = bpf_htons(size + payload);
	header->ip.frag_off = bpf_htons(flags | work->place);
	header->ip.check = 0;
	sum = bpf_csum_diff(NULL, 0, header->words, sizeof(header->words), 0);
	header->ip.check = ~fold(sum);
	/* The verifier must see both bounds. */
	asm volatile("" : "+r"(size));
	if (size < sizeof(header->ip) || size > sizeof(header->bytes))
		return false;
	return !bpf_skb_store_bytes(skb, ETH_HLEN, header->bytes, size, 0);
}

/*
 * Writes the checksum that the packet owes, for its fragments cannot owe it; the skb learns of that when the
 * place from which it would be summed up leaves it by its front. Returns a drop reason, or 0.
 */
static __noinline int settle_checksum(struct __sk_buff *skb, const struct inner *in, struct fragmenting *work)
{
	struct offload offload;
	__u16 checksum;
	__u32 size;
	__s64 sum;

	read_offload(skb, &offload);
	/* The tail of a tunnel's packet cannot be changed, nor what of its checksums is whose. */
	if (offload.is_tunnels)
		return MZR_DROP_TOO_BIG;
	if (!offload.owes)
		return 0;
	/* SCTP's is no sum. */
	if (offload.start != in->upper || in->protocol == IPPROTO_SCTP)
		return MZR_DROP_TOO_BIG;
	sum = sum_of(skb, in->upper, in->size - in->upper, 0);
	if (sum < 0)
		return MZR_DROP_INTERNAL;
	checksum = ~fold(sum);
	/* 0 means that there is none. */
	if (!checksum && in->protocol != IPPROTO_TCP)
		checksum = 0xffff;
	/* As much as brings the upper header's first byte before the frame's. */
	size = in->upper + 1;
	asm volatile("" : "+r"(size));
	if (size < sizeof(struct iphdr) || size > sizeof(work->front))
		return MZR_DROP_INTERNAL;
	if (bpf_skb_store_bytes(skb, in->upper + offload.offset, &checksum, sizeof(checksum), 0) ||
	    bpf_skb_load_bytes(skb, ETH_HLEN, work->front, size) ||
	    bpf_skb_adjust_room(skb, -(__s32)size, BPF_ADJ_ROOM_MAC, 0) ||
	    bpf_skb_adjust_room(skb, size, BPF_ADJ_ROOM_MAC, 0) ||
	    bpf_skb_store_bytes(skb, ETH_HLEN, work->front, size, 0))
		return MZR_DROP_INTERNAL;
	return 0;
}

/* Cuts `size` bytes off, behind the Ethernet header. */
static __always_inline bool cut_front(struct __sk_buff *skb, __u32 size)
{
	int i;

	for (i = 0; i <= 0xffff / MZR_CUT_MAX; i++) {
		__u32 step = size > MZR_CUT_MAX ? MZR_CUT_MAX : size;

		if (!size)
			break;
		if (bpf_skb_adjust_room(skb, -(__s32)step, BPF_ADJ_ROOM_MAC, 0))
			return false;
		size -= step;
	}
	return true;
}

struct fragments {
	struct __sk_buff *skb;
	struct fragmenting *work;
};

/* A fragment that others follow. Behind it is the payload of them all, which is cut off when it comes in. */
static long send_fragment(__u32 index, struct fragments *fragments)
{
	struct __sk_buff *skb = fragments->skb;
	struct fragmenting *work = fragments->work;
	__u32 room = (work->most - work->size) & ~7U & 0xffff;

	if (work->size + work->left <= work->most)
		return 1;
	work->is_broken = true;
	if (!write_header4(skb, work, room, work->flags | MZR_FRAGMENT_MORE) ||
	    bpf_clone_redirect(skb, skb->ifindex, BPF_F_INGRESS) || !cut_front(skb, room))
		return 1;
	work->is_broken = false;
	work->left -= room;
	work->place += room / 8;
	if (!index)
		bpf_loop(MZR_OPTIONS4_MAX, drop_option, &fragments->work, 0);
	return 0;
}

/* Reads the packet that is to be fragmented. Returns a drop reason, or 0. */
static __noinline int begin_fragments(struct __sk_buff *skb, const struct packet *packet,
				      struct fragmenting *work)
{
	__u32 size = packet->inner.upper - ETH_HLEN, flags, room;

	/* The verifier must see both bounds. */
	asm volatile("" : "+r"(size));
	if (size < sizeof(work->header.ip) || size > sizeof(work->header.bytes))
		return MZR_DROP_INTERNAL;
	__builtin_memset(&work->header, 0, sizeof(work->header));
	if (bpf_skb_load_bytes(skb, ETH_HLEN, work->header.bytes, size))
		return MZR_DROP_INTERNAL;
	flags = bpf_ntohs(work->header.ip.frag_off);
	work->size = size;
	work->most = usable_mtu(packet->mtu);
	if (flags & MZR_DONT_FRAGMENT || work->most < work->size + 8)
		return MZR_DROP_TOO_BIG;
	work->left = packet->inner.size - ETH_HLEN - work->size;
	work->place = flags & MZR_FRAGMENT_MASK;
	work->flags = flags & ~MZR_FRAGMENT_MASK;
	work->rest = 0;
	work->is_over = false;
	work->is_broken = false;
	room = (work->most - work->size) & ~7U;
	/* What would end beyond any packet's end is nobody's fragment. */
	if (work->place * 8 + work->left > 0xffff || work->left > MZR_FRAGMENTS_MAX * room ||
	    !take_token(&fragmented, skb->ifindex, MZR_FRAGMENTED_BURST, MZR_FRAGMENTED_INTERVAL))
		return MZR_DROP_TOO_BIG;
	return 0;
}

/* The packet becomes its last fragment; the others are on their way. Returns a drop reason, or 0. */
static __noinline int send_fragments(struct __sk_buff *skb, struct fragmenting *work)
{
	struct fragments fragments = {.skb = skb, .work = work};

	bpf_loop(MZR_FRAGMENTS_MAX, send_fragment, &fragments, 0);
	return !work->is_broken && write_header4(skb, work, work->left, work->flags) ? 0 : MZR_DROP_INTERNAL;
}

static __always_inline int fragment(struct __sk_buff *skb, const struct packet *packet)
{
	const __u32 zero = 0;
	struct fragmenting *work = bpf_map_lookup_elem(&fragmenting, &zero);
	int reason;

	if (!work)
		return MZR_DROP_INTERNAL;
	reason = begin_fragments(skb, packet, work);
	if (!reason)
		reason = settle_checksum(skb, &packet->inner, work);
	return reason ? reason : send_fragments(skb, work);
}

/*
 * Makes the segments that the frame is to be cut into smaller. The kernel does so for who makes room for
 * headers in such a frame; the room itself is given back.
 */
static __always_inline int resize_segments(struct __sk_buff *skb, const struct packet *packet)
{
	const struct inner *in = &packet->inner;
	__u32 most = usable_mtu(packet->mtu), less = packet->gso + in->headers - most;
	__be16 place;

	if (in->protocol != IPPROTO_TCP || most <= in->headers || less > MZR_CUT_MAX ||
	    bpf_skb_load_bytes(skb, ETH_HLEN + offsetof(struct iphdr, frag_off), &place, sizeof(place)) ||
	    place & bpf_htons(MZR_DONT_FRAGMENT))
		return MZR_DROP_TOO_BIG;
	if (bpf_skb_adjust_room(skb, less, BPF_ADJ_ROOM_MAC, 0))
		return MZR_DROP_TOO_BIG;
	return bpf_skb_adjust_room(skb, -(__s32)less, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO)
		       ? MZR_DROP_INTERNAL
		       : 0;
}

/* The jumbo payload option of RFC 2675, alone in its hop-by-hop header: what Linux writes, before 7.0. */
struct jumbo_header {
	__u8 next;
	__u8 length; /* 0: 8 bytes */
	__u8 type;
	__u8 option_length;
	__be32 payload;
};

#define MZR_OPTION6_JUMBO 0xc2

/* Takes the header of a jumbogram off; it has no length then, as GSO frames of that size may. */
static __always_inline int strip_jumbo(struct __sk_buff *skb)
{
	struct jumbo_header jumbo;

	if (bpf_skb_load_bytes(skb, ETH_HLEN + sizeof(struct ipv6hdr), &jumbo, sizeof(jumbo)) ||
	    jumbo.length || jumbo.type != MZR_OPTION6_JUMBO || jumbo.option_length != sizeof(jumbo.payload))
		return MZR_DROP_MALFORMED;
	if (bpf_skb_store_bytes(skb, ETH_HLEN + offsetof(struct ipv6hdr, nexthdr), &jumbo.next,
				sizeof(jumbo.next), 0) ||
	    bpf_skb_adjust_room(skb, -(__s32)sizeof(jumbo), BPF_ADJ_ROOM_NET, BPF_F_ADJ_ROOM_FIXED_GSO))
		return MZR_DROP_INTERNAL;
	return 0;
}

/* Makes a packet that is too big for packet->mtu fit. Returns a drop reason; 0: it is to come in anew. */
static __always_inline int make_fit(struct __sk_buff *skb, const struct packet *packet, int *verdict)
{
	const struct inner *in = &packet->inner;
	int reason;

	*verdict = 0;
	if (is_jumbogram(in))
		return strip_jumbo(skb);
	if (packet->gso)
		return in->ipv6 ? MZR_DROP_TOO_BIG : resize_segments(skb, packet);
	if (in->size - ETH_HLEN <= usable_mtu(packet->mtu))
		return bpf_skb_change_tail(skb, in->size, 0) ? MZR_DROP_TOO_BIG : 0;
	if (in->ipv6)
		return MZR_DROP_TOO_BIG;
	reason = fragment(skb, packet);
	if (!reason)
		*verdict = bpf_redirect(skb->ifindex, BPF_F_INGRESS);
	return reason;
}

#endif /* MIZAR_FRAGMENT_H */
