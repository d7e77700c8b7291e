/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * Reading packets.
 *
 * One contract for all readers: they get offsets from the frame's first byte, they return 0 or a drop reason,
 * and nothing that they read is used before its bytes were shown to be inside the frame *and* inside what the
 * enclosing header says. A frame whose headers lie beyond the linear part of its skb is pulled, never
 * misread.
 */
#ifndef MIZAR_PARSE_H
#define MIZAR_PARSE_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>

#include "address.h"
#include "cursor.h"
#include "packet.h"

/* IPv6 headers before the upper layer that are followed; nobody knows what a packet with more of them is. */
#define MZR_EXTENSIONS_MAX 6
#define MZR_FRAGMENT_MASK 0x1fff
#define MZR_FRAGMENT_MORE 0x2000

#define MZR_UDPLITE 136

/* Packets that a frame may stand for: 64 KiB of TCP's segments of 128 bytes. Each costs whoever cuts the
 * frame up about a microsecond. */
#define MZR_GSO_PACKETS 512

/* Of all the packets that the frame stands for: each has the headers. */
static __always_inline __u32 bytes_of(const struct inner *in)
{
	return in->size + (in->packets - 1) * (ETH_HLEN + in->headers);
}

/* All 32 bits of the result depend on all 32 of `x`; a bijection. */
static __always_inline __u32 mix32(__u32 x)
{
	x ^= x >> 16;
	x *= 0x7feb352d;
	x ^= x >> 15;
	x *= 0x846ca68b;
	x ^= x >> 16;
	return x;
}

static __always_inline __u32 absorb(__u32 state, __u32 word)
{
	return ((state << 5 | state >> 27) ^ word) * 0x9e3779b1;
}

static __always_inline bool has_ports(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP ||
	       protocol == IPPROTO_DCCP || protocol == MZR_UDPLITE;
}

/* Ports into the hash, header sizes of a GSO packet; `end` is where the IP packet ends. */
static __always_inline int read_upper(struct cursor *c, __u32 end, __u32 network, struct packet *packet,
				      __u32 hash)
{
	struct inner *in = &packet->inner;
	const __u32 gso = packet->gso;
	__u32 payload, packets;
	__u8 *place;

	in->packets = 1;
	in->headers = 0;
	if (in->fragment == FRAGMENT_NONE && has_ports(in->protocol)) {
		if (in->upper + 4 > end)
			return MZR_DROP_MALFORMED;
		place = at(c, in->upper, 4);
		if (!place)
			return MZR_DROP_MALFORMED;
		hash = absorb(hash, bpf_ntohl(*(__be32 *)place));
	}
	in->flow = mix32(hash);
	if (!gso)
		return 0;
	payload = in->upper + sizeof(struct udphdr);
	if (in->protocol == IPPROTO_TCP && in->fragment == FRAGMENT_NONE) {
		place = at(c, in->upper + 12, 1);
		if (!place)
			return MZR_DROP_MALFORMED;
		payload = in->upper + (*place >> 4) * 4;
	}
	if (payload > end)
		return MZR_DROP_MALFORMED;
	in->headers = payload - network;
	packets = (end - payload + gso - 1) / gso;
	if (packets > MZR_GSO_PACKETS)
		return MZR_DROP_MALFORMED;
	in->packets = packets;
	return 0;
}

/* A frame that is to be cut up is cut to its end, whatever its header says: nothing is padding there. */
static __always_inline int read_ipv4(struct cursor *c, __u32 network, __u32 limit, struct packet *packet)
{
	struct inner *in = &packet->inner;
	struct iphdr *ip = at(c, network, sizeof(*ip));
	__u32 header, total, hash;
	__u16 fragment;

	if (!ip)
		return MZR_DROP_MALFORMED;
	header = ip->ihl * 4;
	total = bpf_ntohs(ip->tot_len);
	/* A GSO packet over 64 KiB has no length (BIG TCP). */
	if (!total && packet->gso)
		total = limit - network;
	if (ip->version != 4 || header < sizeof(*ip) || total < header || network + total > limit)
		return MZR_DROP_MALFORMED;
	if (packet->gso && network + total != limit)
		return MZR_DROP_MALFORMED;
	fragment = bpf_ntohs(ip->frag_off);
	in->ipv6 = 0;
	in->protocol = ip->protocol;
	in->tos = ip->tos;
	in->hops = ip->ttl;
	in->fragment = FRAGMENT_NONE;
	if (fragment & MZR_FRAGMENT_MASK)
		in->fragment = FRAGMENT_LATER;
	else if (fragment & MZR_FRAGMENT_MORE)
		in->fragment = FRAGMENT_FIRST;
	in->upper = network + header;
	in->size = ETH_HLEN + total;
	address_v4(&in->from.address, ip->saddr);
	address_v4(&in->to.address, ip->daddr);
	hash = absorb(absorb(ip->protocol, bpf_ntohl(ip->saddr)), bpf_ntohl(ip->daddr));
	return read_upper(c, network + total, network, packet, hash);
}

#define MZR_WALK_MALFORMED (~0ULL)

/*
 * Loops over headers read them by copy and are global functions: the verifier takes each by itself, once,
 * whatever calls it. They are off the usual path.
 */
static __always_inline long load(void *context, bool xdp, __u32 offset, void *to, __u32 size)
{
	return xdp ? bpf_xdp_load_bytes(context, offset, to, size)
		   : bpf_skb_load_bytes(context, offset, to, size);
}

static __always_inline bool is_extension(__u32 next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_FRAGMENT ||
	       next == IPPROTO_AH || next == IPPROTO_DSTOPTS;
}

/*
 * Follows the extension headers of RFC 8200 from `offset` to the upper layer. Gives its offset, the kind of
 * fragment and the protocol, from the upper bits down; MZR_WALK_MALFORMED where a header is not inside.
 */
static __always_inline __u64 walk(void *context, bool xdp, __u32 offset, __u32 end, __u32 next)
{
	__u32 fragment = FRAGMENT_NONE;
	int i;

	for (i = 0; i < MZR_EXTENSIONS_MAX; i++) {
		__u8 header[8] __attribute__((aligned(8)));
		__u32 size;

		if (!is_extension(next))
			break;
		if (offset > MZR_OFFSET_MAX || offset + sizeof(header) > end)
			return MZR_WALK_MALFORMED;
		if (load(context, xdp, offset, header, sizeof(header)))
			return MZR_WALK_MALFORMED;
		size = (header[1] + 1) * 8;
		if (next == IPPROTO_AH)
			size = (header[1] + 2) * 4;
		if (next == IPPROTO_FRAGMENT) {
			__u32 place = header[2] << 8 | header[3];

			size = sizeof(header);
			if (place & ~7)
				fragment = FRAGMENT_LATER;
			else if (place & 1)
				fragment = FRAGMENT_FIRST;
		}
		next = header[0];
		offset += size;
		if (offset > end)
			return MZR_WALK_MALFORMED;
		if (fragment == FRAGMENT_LATER)
			break;
	}
	return (__u64)offset << 16 | fragment << 8 | next;
}

__noinline __u64 walk_skb(struct __sk_buff *skb, __u32 offset, __u32 end, __u32 next)
{
	return walk(skb, false, offset, end, next);
}

__noinline __u64 walk_xdp(struct xdp_md *xdp, __u32 offset, __u32 end, __u32 next)
{
	return walk(xdp, true, offset, end, next);
}

static __always_inline int read_extensions(struct cursor *c, __u32 end, struct inner *in)
{
	__u64 result;

	if (c->skb)
		result = walk_skb(c->skb, in->upper, end, in->protocol);
	else
		result = walk_xdp(c->xdp, in->upper, end, in->protocol);
	if (result == MZR_WALK_MALFORMED)
		return MZR_DROP_MALFORMED;
	in->protocol = result;
	in->fragment = result >> 8;
	in->upper = result >> 16 & 0xffff;
	/* Its receiver would read on, and believe a neighbour message that we did not see. */
	if (is_extension(in->protocol) && in->fragment != FRAGMENT_LATER)
		return MZR_DROP_MALFORMED;
	return 0;
}

static __always_inline int read_ipv6(struct cursor *c, __u32 network, __u32 limit, struct packet *packet)
{
	struct inner *in = &packet->inner;
	struct ipv6hdr *ip = at(c, network, sizeof(*ip));
	__u32 total, hash, label, i;
	int reason;

	if (!ip)
		return MZR_DROP_MALFORMED;
	total = bpf_ntohs(ip->payload_len) + sizeof(*ip);
	if (!ip->payload_len && packet->gso)
		total = limit - network;
	if (ip->version != 6 || network + total > limit)
		return MZR_DROP_MALFORMED;
	if (packet->gso && network + total != limit)
		return MZR_DROP_MALFORMED;
	in->ipv6 = 1;
	in->protocol = ip->nexthdr;
	in->tos = ip->priority << 4 | ip->flow_lbl[0] >> 4;
	in->hops = ip->hop_limit;
	label = (ip->flow_lbl[0] & 0xf) << 16 | ip->flow_lbl[1] << 8 | ip->flow_lbl[2];
	in->fragment = FRAGMENT_NONE;
	in->upper = network + sizeof(*ip);
	in->size = ETH_HLEN + total;
	address_v6(&in->from.address, &ip->saddr);
	address_v6(&in->to.address, &ip->daddr);
	/* A mapped address would be an IPv4 endpoint's key: no such address is valid on a wire (RFC
	 * 4291 2.5.5.2). */
	if (address_is_v4(&in->from.address) || address_is_v4(&in->to.address))
		return MZR_DROP_MALFORMED;
	if (is_extension(in->protocol)) {
		reason = read_extensions(c, network + total, in);
		if (reason)
			return reason;
	}
	/* With the flow label, RFC 6438: it tells flows apart whose ports are out of sight. Of a packet's
	 * fragments only the first may show what is above. */
	hash = absorb(in->fragment ? IPPROTO_FRAGMENT : in->protocol, label);
	for (i = 0; i < 4; i++)
		hash = absorb(hash, bpf_ntohl(const_words(&in->from.address)[i]));
	for (i = 0; i < 4; i++)
		hash = absorb(hash, bpf_ntohl(const_words(&in->to.address)[i]));
	return read_upper(c, network + total, network, packet, hash);
}

static __always_inline bool is_vlan(__be16 ethertype)
{
	return ethertype == bpf_htons(ETH_P_8021Q) || ethertype == bpf_htons(ETH_P_8021AD);
}

/* The IP packet at `network`, which may reach to `limit`, into packet->inner. */
static __always_inline int read_inner(struct cursor *c, __be16 ethertype, __u32 network, __u32 limit,
				      struct packet *packet)
{
	if (ethertype == bpf_htons(ETH_P_IP))
		return read_ipv4(c, network, limit, packet);
	if (ethertype == bpf_htons(ETH_P_IPV6))
		return read_ipv6(c, network, limit, packet);
	return is_vlan(ethertype) ? MZR_DROP_VLAN : MZR_DROP_ETHERTYPE;
}

/* Broadcast and multicast destinations that no table need be asked about; 0: a unicast one. */
static __always_inline int classify(const struct inner *in)
{
	const __be32 *word = const_words(&in->to.address);

	if (in->ipv6)
		return (word[0] & bpf_htonl(0xff000000)) == bpf_htonl(0xff000000) ? MZR_DROP_MULTICAST : 0;
	if (word[3] == bpf_htonl(0xffffffff))
		return MZR_DROP_BROADCAST;
	return (word[3] & bpf_htonl(0xf0000000)) == bpf_htonl(0xe0000000) ? MZR_DROP_MULTICAST : 0;
}

#endif /* MIZAR_PARSE_H */
