/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * What an skb says of work that it leaves to others: a checksum that is owed (CHECKSUM_PARTIAL), a frame that
 * is to be cut up (GSO). Whoever made the skb chose these words freely, a container by the virtio header of a
 * packet socket, a VM by that of its tap, so they are judged by the packet's own headers before anybody acts
 * on them: else the bytes that were judged are not the bytes that arrive.
 */
#ifndef MIZAR_OFFLOAD_H
#define MIZAR_OFFLOAD_H

#include <bpf/bpf_core_read.h>

#include "parse.h"

/* The parts of the kernel's own structs that are read here; where they lie, the loader finds out. */
struct sk_buff {
	__u8 ip_summed : 2;
	__u8 encapsulation : 1;
	__u16 csum_start;
	__u16 csum_offset;
	__u16 inner_transport_header;
	__u32 end; /* offset of struct skb_shared_info from head */
	unsigned char *head;
	unsigned char *data;
} __attribute__((preserve_access_index));

struct skb_shared_info {
	__u32 gso_type;
} __attribute__((preserve_access_index));

extern void *bpf_cast_to_kern_ctx(void *context) __ksym __weak;
extern void *bpf_rdonly_cast(const void *place, __u32 type) __ksym __weak;

/* Whether this kernel has these two (Linux 6.2), which cost a load a field: set by the loader. Else the
 * fields are copied, each by a call. */
const volatile __u64 mzr_reads_kernel_structs = 0;

#define MZR_CHECKSUM_PARTIAL 3

/* Of the kernel's SKB_GSO_*: what is inside, and in which tunnel. The numbers are the kernel's since 5.7. */
#define MZR_GSO_TCPV4 (1 << 0)
#define MZR_GSO_TCPV6 (1 << 4)
#define MZR_GSO_SCTP (1 << 14)
#define MZR_GSO_UDP (1 << 16 | 1 << 17) /* UDP: cut into fragments; UDP_L4: into datagrams */
#define MZR_GSO_IN_GRE (1 << 6 | 1 << 7)
#define MZR_GSO_IN_IP (1 << 8 | 1 << 9)
#define MZR_GSO_IN_UDP (1 << 10 | 1 << 11)
#define MZR_GSO_IN_ESP (1 << 15)

/* Datagrams that Linux takes in one frame (UDP_MAX_SEGMENTS); readers bound all frames by MZR_GSO_PACKETS. */
#define MZR_GSO_DATAGRAMS 128

/* A tunnel's shortest header, GRE's. */
#define MZR_TUNNEL_HEADER 4

/* Offsets are from the frame's first byte. They may lie before it. */
struct offload {
	bool owes; /* a checksum; the next four mean nothing if not */
	bool is_tunnels;
	__s32 start;  /* where the sum begins: at the header that owes it */
	__s32 inner;  /* the transport header inside a tunnel */
	__u16 offset; /* from the start to the place that is to be written */
};

static __noinline void copy_offload(struct __sk_buff *skb, struct offload *offload)
{
	const struct sk_buff *kernel = (const void *)skb;
	__s64 room;

	offload->owes = BPF_CORE_READ_BITFIELD_PROBED(kernel, ip_summed) == MZR_CHECKSUM_PARTIAL;
	offload->is_tunnels = BPF_CORE_READ_BITFIELD_PROBED(kernel, encapsulation);
	if (!offload->owes)
		return;
	room = BPF_CORE_READ(kernel, data) - BPF_CORE_READ(kernel, head);
	offload->start = BPF_CORE_READ(kernel, csum_start) - room;
	offload->inner = BPF_CORE_READ(kernel, inner_transport_header) - room;
	offload->offset = BPF_CORE_READ(kernel, csum_offset);
}

static __always_inline void read_offload(struct __sk_buff *skb, struct offload *offload)
{
	const struct sk_buff *kernel;
	__s64 room;

	if (!mzr_reads_kernel_structs) {
		copy_offload(skb, offload);
		return;
	}
	kernel = bpf_cast_to_kern_ctx(skb);
	offload->owes = BPF_CORE_READ_BITFIELD(kernel, ip_summed) == MZR_CHECKSUM_PARTIAL;
	offload->is_tunnels = BPF_CORE_READ_BITFIELD(kernel, encapsulation);
	if (!offload->owes)
		return;
	room = (__s64)kernel->data - (__s64)kernel->head;
	offload->start = kernel->csum_start - room;
	offload->inner = kernel->inner_transport_header - room;
	offload->offset = kernel->csum_offset;
}

static __always_inline __u32 gso_type_of(struct __sk_buff *skb)
{
	const struct sk_buff *kernel;
	const struct skb_shared_info *shared;

	if (!mzr_reads_kernel_structs) {
		kernel = (const void *)skb;
		shared = (const void *)(BPF_CORE_READ(kernel, head) + BPF_CORE_READ(kernel, end));
		return BPF_CORE_READ(shared, gso_type);
	}
	kernel = bpf_cast_to_kern_ctx(skb);
	shared = bpf_rdonly_cast(kernel->head + kernel->end, bpf_core_type_id_kernel(struct skb_shared_info));
	return shared->gso_type;
}

/* Where a header of this protocol has its checksum, of those that senders leave to others; 0: of none. */
static __always_inline __u32 checksum_offset(__u8 protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return 16;
	case IPPROTO_UDP:
	case IPPROTO_DCCP:
	case MZR_UDPLITE:
		return 6;
	case IPPROTO_SCTP:
		return 8;
	}
	return 0;
}

/*
 * Whether the checksum is owed where the packet's own upper header has it. In an endpoint's own tunnel it is
 * owed by the header inside, which lies behind what was judged here: what is written there is the endpoint's
 * payload.
 */
static __always_inline bool owes_its_own(const struct offload *offload, const struct inner *in, __u32 frame)
{
	if (in->fragment != FRAGMENT_NONE || offload->start + offload->offset + 2 > (__s32)(frame + in->size))
		return false;
	if (offload->start == in->upper)
		return offload->offset == checksum_offset(in->protocol) && offload->offset;
	return offload->is_tunnels && offload->start == offload->inner &&
	       offload->start >= in->upper + MZR_TUNNEL_HEADER &&
	       (offload->offset == checksum_offset(IPPROTO_TCP) ||
		offload->offset == checksum_offset(IPPROTO_UDP) ||
		offload->offset == checksum_offset(IPPROTO_SCTP));
}

/*
 * Whether the frame may be cut up as its type says. What left a tunnel bears that tunnel's mark for ever, so
 * the outermost header alone must be among those that the type knows. No type at all contradicts nothing.
 */
static __always_inline bool fits_type(__u32 type, const struct inner *in)
{
	if (!type)
		return true;
	if (in->fragment != FRAGMENT_NONE)
		return false;
	switch (in->protocol) {
	case IPPROTO_TCP:
		return type & (in->ipv6 ? MZR_GSO_TCPV6 : MZR_GSO_TCPV4) &&
		       !(type & (MZR_GSO_UDP | MZR_GSO_SCTP));
	case IPPROTO_UDP:
		return type & (MZR_GSO_UDP | MZR_GSO_IN_UDP | MZR_GSO_IN_ESP);
	case IPPROTO_SCTP:
		return type & MZR_GSO_SCTP;
	case IPPROTO_GRE:
		return type & MZR_GSO_IN_GRE;
	case IPPROTO_IPIP:
	case IPPROTO_IPV6:
		return type & MZR_GSO_IN_IP;
	case IPPROTO_ESP:
		return type & MZR_GSO_IN_ESP;
	}
	return false;
}

static __noinline int judge_gso(struct __sk_buff *skb, const struct inner *in)
{
	__u32 type = gso_type_of(skb);

	if (!fits_type(type, in) || (type & MZR_GSO_UDP && in->packets > MZR_GSO_DATAGRAMS))
		return MZR_DROP_MALFORMED;
	return 0;
}

/* The checksum that a packet owes, whose Ethernet header is at `frame`. Returns a drop reason, or 0. */
static __always_inline int judge_checksum(struct __sk_buff *skb, const struct inner *in, __u32 frame)
{
	struct offload offload;

	read_offload(skb, &offload);
	return offload.owes && !owes_its_own(&offload, in, frame) ? MZR_DROP_MALFORMED : 0;
}

#endif /* MIZAR_OFFLOAD_H */
