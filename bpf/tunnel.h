/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * Into Geneve and out of it. A packet may stand for many (GSO) and carry partial checksums; nothing here
 * changes either.
 */
#ifndef MIZAR_TUNNEL_H
#define MIZAR_TUNNEL_H

#include "dscp.h"
#include "geneve.h"

/* Linux 6.3; the headers here are older. */
#define MZR_DECAP_L3_IPV6 (1ULL << 8)

#define MZR_EALREADY 114

/* What bpf_skb_adjust_room gets to make room for Geneve. */
#define MZR_ENCAP_FLAGS                                                                                      \
	(BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_ENCAP_L4_UDP |             \
	 BPF_F_ADJ_ROOM_ENCAP_L2_ETH | BPF_F_ADJ_ROOM_ENCAP_L2(ETH_HLEN))

#define MZR_ECN_NONE 0 /* not ECT */
#define MZR_ECN_ECT1 1
#define MZR_ECN_CE 3

/*
 * What bpf_skb_adjust_room gets besides when it takes the IPv4 outer header off an IPv6 packet: the loader
 * sets MZR_DECAP_L3_IPV6 where the kernel knows it. 0: the kernel is older, and the way round is taken.
 */
const volatile __u64 mzr_decap_flags = 0;

/* The largest packet that endpoints may send over an underlay of this MTU. Always with a stage, so that what
 * fits once fits by every way. */
static __always_inline __u32 usable_mtu(__u32 mtu)
{
	return mtu > MZR_OVERHEAD_STAGED ? mtu - MZR_OVERHEAD_STAGED : 0;
}

static __always_inline bool too_big(struct __sk_buff *skb, __u32 mtu, const struct inner *in)
{
	__u32 size = skb->gso_size ? skb->gso_size + in->headers : skb->len - ETH_HLEN;

	return size > usable_mtu(mtu);
}

/* A frame that IPv6 has no length for, behind a header that has it. */
static __always_inline bool is_jumbogram(const struct inner *in)
{
	return in->size > ETH_HLEN + sizeof(struct ipv6hdr) + 0xffff && in->ipv6 &&
	       in->upper != ETH_HLEN + sizeof(struct ipv6hdr);
}

static __always_inline void write_stage(struct mzr_stage_option *option, __u32 stage, __u32 vpc,
					__be32 origin)
{
	option->option_class = bpf_htons(MZR_OPTION_CLASS);
	option->type = MZR_OPTION_STAGE;
	option->length = (sizeof(*option) - 4) / 4;
	option->stage = stage;
	option->vpc[0] = vpc >> 16;
	option->vpc[1] = vpc >> 8;
	option->vpc[2] = vpc;
	option->origin = origin;
}

/*
 * Room for a single packet that is itself a tunnel's: the inner headers that its skb knows stay the innermost
 * ones. The skb of an IPv6 packet becomes one of IPv4, as the outer header will be, which costs 20 bytes of
 * its header: it is put back whole.
 */
static __noinline int make_nested_room(struct __sk_buff *skb, __u32 overhead, __u32 ipv6)
{
	const __s32 lost = sizeof(struct ipv6hdr) - sizeof(struct iphdr);
	__u8 header[sizeof(struct ipv6hdr)];

	if (!ipv6)
		return bpf_skb_adjust_room(skb, overhead, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO);
	if (bpf_skb_load_bytes(skb, ETH_HLEN, header, sizeof(header)) ||
	    bpf_skb_change_proto(skb, bpf_htons(ETH_P_IP), 0) ||
	    bpf_skb_adjust_room(skb, overhead + lost, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO))
		return -1;
	return bpf_skb_store_bytes(skb, ETH_HLEN + overhead, header, sizeof(header), 0);
}

/*
 * Puts the endpoint's frame into Geneve for way->host. The inner frame keeps its Ethernet header, and the skb
 * learns where the inner headers are, so that interfaces with tunnel offloads can still segment it.
 */
static __always_inline int encapsulate(struct __sk_buff *skb, const struct mzr_config *row,
				       const struct packet *packet)
{
	const struct inner *in = &packet->inner;
	const struct way *way = &packet->way;
	__u32 overhead = way->stage ? MZR_OVERHEAD_STAGED : MZR_OVERHEAD_DIRECT;
	struct geneve *geneve;
	struct ethhdr *eth;
	struct udphdr *udp;
	struct iphdr *ip;
	__u32 total;
	void *end;
	long rc;

	rc = bpf_skb_adjust_room(skb, overhead, BPF_ADJ_ROOM_MAC, MZR_ENCAP_FLAGS);
	if (rc == -MZR_EALREADY)
		rc = make_nested_room(skb, overhead, in->ipv6);
	if (rc)
		return MZR_DROP_INTERNAL;

	eth = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	if ((void *)eth + ETH_HLEN + MZR_OVERHEAD_DIRECT > end)
		return MZR_DROP_INTERNAL;
	ip = (void *)(eth + 1);
	udp = (void *)(ip + 1);
	geneve = (void *)(udp + 1);

	/* A GSO packet may be larger than its headers can say: each of its packets gets its own lengths. */
	total = skb->len - ETH_HLEN;
	ip->version = 4;
	ip->ihl = 5;
	ip->tos = outer_tos(row, in->tos);
	ip->tot_len = total <= 0xffff ? bpf_htons(total) : 0;
	ip->id = 0;
	ip->frag_off = bpf_htons(0x4000);
	ip->ttl = MZR_OUTER_TTL;
	ip->protocol = IPPROTO_UDP;
	ip->check = 0;
	ip->saddr = row->address;
	ip->daddr = way->host;
	ip->check = ipv4_checksum(ip);

	total -= sizeof(*ip);
	udp->source = bpf_htons(MZR_SOURCE_PORT_FIRST + (in->flow & MZR_SOURCE_PORT_MASK));
	udp->dest = geneve_port(row);
	udp->len = total <= 0xffff - sizeof(*ip) ? bpf_htons(total) : 0;
	udp->check = 0;

	geneve->flags = 0;
	geneve->protocol = bpf_htons(MZR_GENEVE_PROTOCOL);
	geneve->vni = bpf_htonl(in->to.vni << 8);
	if (way->stage) {
		struct mzr_stage_option *option = (void *)(geneve + 1);

		if ((void *)eth + ETH_HLEN + MZR_OVERHEAD_STAGED > end)
			return MZR_DROP_INTERNAL;
		geneve->version_length = sizeof(*option) / 4;
		geneve->flags = MZR_GENEVE_CRITICAL;
		write_stage(option, way->stage, packet->vpc, row->address);
		__builtin_memcpy(option + 1, eth, ETH_HLEN);
	} else {
		geneve->version_length = 0;
		__builtin_memcpy(geneve + 1, eth, ETH_HLEN);
	}
	eth->h_proto = bpf_htons(ETH_P_IP);
	return 0;
}

/* A router's step: the inner packet, whose hops are more than one, has one less. */
static __always_inline bool spend_hop(struct cursor *c, const struct inner *in)
{
	struct ipv6hdr *ip6;
	struct iphdr *ip;
	__u16 *hops, before, check;

	cursor_load(c);
	if (in->ipv6) {
		ip6 = peek(c, ETH_HLEN, sizeof(*ip6));
		if (!ip6)
			return false;
		ip6->hop_limit--;
		return true;
	}
	ip = peek(c, ETH_HLEN, sizeof(*ip));
	if (!ip)
		return false;
	check = ip->check;
	hops = (void *)&ip->ttl;
	before = *hops;
	ip->ttl--;
	checksum_replace16(&check, before, *hops);
	ip->check = check;
	return true;
}

/* Explicit congestion notification of a tunnel's end, RFC 6040 4.2. `ip`: the inner header. */
static __always_inline int merge_ecn(void *place, const struct inner *in, __u8 outer_tos)
{
	__u8 outer = outer_tos & MZR_ECN_MASK, inner = in->tos & MZR_ECN_MASK;
	__u8 merged = inner;

	if (outer == MZR_ECN_CE) {
		if (inner == MZR_ECN_NONE)
			return MZR_DROP_CONGESTED;
		merged = MZR_ECN_CE;
	} else if (outer == MZR_ECN_ECT1 && inner != MZR_ECN_NONE && inner != MZR_ECN_CE) {
		merged = MZR_ECN_ECT1;
	}
	if (merged == inner)
		return 0;
	if (in->ipv6) {
		struct ipv6hdr *ip = place;

		ip->flow_lbl[0] = (ip->flow_lbl[0] & 0xcf) | merged << 4;
	} else {
		struct iphdr *ip = place;
		__u16 *first = place;
		__u16 before = *first;
		__u16 check = ip->check;

		ip->tos = (ip->tos & ~MZR_ECN_MASK) | merged;
		checksum_replace16(&check, before, *first);
		ip->check = check;
	}
	return 0;
}

/* Takes everything between the outer and the inner Ethernet header off, and the latter. */
static __always_inline int decapsulate(struct __sk_buff *skb, const struct outer *out, const struct inner *in)
{
	__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO;
	__s32 size = out->inner;
	void *place;

	if (in->ipv6 && mzr_decap_flags) {
		flags |= mzr_decap_flags;
	} else if (in->ipv6) {
		/* Makes the skb one of IPv6, with an outer header to match, which goes like the rest. */
		if (bpf_skb_change_proto(skb, bpf_htons(ETH_P_IPV6), 0))
			return MZR_DROP_INTERNAL;
		size += sizeof(struct ipv6hdr) - sizeof(struct iphdr);
	}
	if (bpf_skb_adjust_room(skb, -size, BPF_ADJ_ROOM_MAC, flags))
		return MZR_DROP_INTERNAL;
	place = (void *)(long)skb->data;
	if (place + ETH_HLEN + sizeof(struct iphdr) > (void *)(long)skb->data_end)
		return MZR_DROP_INTERNAL;
	return merge_ecn(place + ETH_HLEN, in, out->tos);
}

#endif /* MIZAR_TUNNEL_H */
