/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * ICMP errors: a port's sender is told why its packet was dropped, where it can do something about it. A
 * program of its own, behind `mizar_port`: the packet at hand becomes the error that quotes it, and goes out
 * where it came in.
 *
 * RFC 792, 1122 3.2.2, 1191 and 1812 4.3 for IPv4, RFC 4443 and 8201 for IPv6.
 */
#ifndef MIZAR_ICMP_H
#define MIZAR_ICMP_H

#include <linux/pkt_cls.h>

#include "checksum.h"
#include "count.h"
#include "echo.h"
#include "forget.h"
#include "forward.h"
#include "rate.h"
#include "tunnel.h"

#define MZR_UNREACHABLE4 3
#define MZR_UNREACHABLE4_HOST 1
#define MZR_UNREACHABLE4_TOO_BIG 4
#define MZR_TIME_EXCEEDED4 11
#define MZR_UNREACHABLE6 1
#define MZR_UNREACHABLE6_ADDRESS 3
#define MZR_TOO_BIG6 2
#define MZR_TIME_EXCEEDED6 3

/* ICMP types that are no errors (RFC 792, 950, 1256): one bit each. */
#define MZR_INFORMATIONAL4 (1 << 0 | 1 << 8 | 1 << 9 | 1 << 10 | 0x3f << 13)
#define MZR_INFORMATIONAL4_LAST 18
#define MZR_INFORMATIONAL6_FIRST 128

/* The precedence of network control, which a router's errors have (RFC 1812 4.3.2.5). */
#define MZR_ERROR_TOS 0xc0

/* An error with its IP header, RFC 1812 4.3.2.3 and RFC 4443 2.4c: what passes everywhere. */
#define MZR_ERROR4_MAX 576
#define MZR_ERROR6_MAX 1280

/* Errors to a port: so many at once, then one in so many nanoseconds (64 a second). */
#define MZR_ERROR_BURST 16
#define MZR_ERROR_INTERVAL 15625000ULL

struct icmp_error {
	__u8 type;
	__u8 code;
	__u16 checksum;
	__be32 mtu; /* of ICMP in the lower half; 0 where there is none to tell */
};

struct error4 {
	struct ethhdr eth;
	struct iphdr ip;
	struct icmp_error icmp;
} __attribute__((packed));

struct error6 {
	struct ethhdr eth;
	struct ipv6hdr ip;
	struct icmp_error icmp;
} __attribute__((packed));

/* The part of the packet that an error quotes: kept here while its skb is made anew. */
struct quote {
	__u8 bytes[MZR_ERROR6_MAX - sizeof(struct ipv6hdr) - sizeof(struct icmp_error)];
};

MZR_ARRAY(quote, BPF_MAP_TYPE_PERCPU_ARRAY, struct quote, 1);

MZR_RATES(errors);

/* Whether a packet's sender is told that it was dropped for `reason`. */
static __always_inline bool is_told(__u32 reason)
{
	return reason == MZR_DROP_TOO_BIG || reason == MZR_DROP_TIME_EXCEEDED ||
	       reason == MZR_DROP_NO_ENDPOINT || reason == MZR_DROP_HOST_DOWN;
}

/* No errors about errors, nor about fragments that do not begin a packet: RFC 1122 3.2.2, RFC 4443 2.4e. */
static __always_inline bool may_be_answered(struct cursor *c, const struct inner *in)
{
	__u8 *type;

	if (in->fragment == FRAGMENT_LATER)
		return false;
	if (in->protocol != (in->ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return true;
	type = in->upper < in->size ? at(c, in->upper, 1) : NULL;
	if (!type)
		return false;
	if (in->ipv6)
		return *type >= MZR_INFORMATIONAL6_FIRST;
	return *type <= MZR_INFORMATIONAL4_LAST && (MZR_INFORMATIONAL4 >> *type & 1);
}

/* Who speaks: the gateway of the sender's block. Where there is none, the destination itself, which the
 * sender takes for a neighbour. */
static __always_inline void find_speaker(const struct inner *in, struct mzr_address *speaker)
{
	__u32 vni = in->from.vni;
	struct mzr_vpc *vpc = bpf_map_lookup_elem(&vpcs, &vni);
	struct mzr_network *network = vpc ? find_network(vpc, &in->from) : NULL;
	const __be32 *word;

	address_v6(speaker, const_words(&in->to.address));
	if (!network)
		return;
	word = const_words(&network->gateway);
	if (word[0] | word[1] | word[2] | word[3])
		address_v6(speaker, word);
}

static __always_inline void describe(struct icmp_error *error, bool ipv6, __u32 reason, __u32 mtu)
{
	if (reason == MZR_DROP_TOO_BIG) {
		error->type = ipv6 ? MZR_TOO_BIG6 : MZR_UNREACHABLE4;
		error->code = ipv6 ? 0 : MZR_UNREACHABLE4_TOO_BIG;
		error->mtu = bpf_htonl(mtu);
	} else if (reason == MZR_DROP_TIME_EXCEEDED) {
		error->type = ipv6 ? MZR_TIME_EXCEEDED6 : MZR_TIME_EXCEEDED4;
	} else {
		error->type = ipv6 ? MZR_UNREACHABLE6 : MZR_UNREACHABLE4;
		error->code = ipv6 ? MZR_UNREACHABLE6_ADDRESS : MZR_UNREACHABLE4_HOST;
	}
}

static __always_inline long write_headers4(struct __sk_buff *skb, const struct inner *in, const __u8 *mac,
					   const struct mzr_address *from, const struct icmp_error *icmp,
					   __u32 quoted)
{
	struct error4 error = {.icmp = *icmp};
	struct iphdr ip = {};

	copy_mac(error.eth.h_dest, mac);
	set_gateway_mac(error.eth.h_source);
	error.eth.h_proto = bpf_htons(ETH_P_IP);
	ip.version = 4;
	ip.ihl = 5;
	ip.tos = MZR_ERROR_TOS;
	ip.tot_len = bpf_htons(sizeof(ip) + sizeof(*icmp) + quoted);
	ip.frag_off = bpf_htons(0x4000);
	ip.ttl = MZR_GATEWAY_TTL;
	ip.protocol = IPPROTO_ICMP;
	ip.saddr = const_words(from)[3];
	ip.daddr = const_words(&in->from.address)[3];
	ip.check = ipv4_checksum(&ip);
	error.ip = ip;
	return bpf_skb_store_bytes(skb, 0, &error, sizeof(error), 0);
}

static __always_inline long write_headers6(struct __sk_buff *skb, const struct inner *in, const __u8 *mac,
					   const struct mzr_address *from, const struct icmp_error *icmp,
					   __u32 quoted)
{
	struct error6 error = {.icmp = *icmp};

	copy_mac(error.eth.h_dest, mac);
	set_gateway_mac(error.eth.h_source);
	error.eth.h_proto = bpf_htons(ETH_P_IPV6);
	error.ip.version = 6;
	error.ip.payload_len = bpf_htons(sizeof(*icmp) + quoted);
	error.ip.nexthdr = IPPROTO_ICMPV6;
	error.ip.hop_limit = MZR_GATEWAY_TTL;
	__builtin_memcpy(&error.ip.saddr, from, sizeof(*from));
	__builtin_memcpy(&error.ip.daddr, &in->from.address, sizeof(in->from.address));
	return bpf_skb_store_bytes(skb, 0, &error, sizeof(error), 0);
}

static __always_inline __u32 front_of(const struct inner *in)
{
	return in->ipv6 ? sizeof(struct error6) : sizeof(struct error4);
}

/* The packet becomes the error `icmp` about it, from `from`. Returns how many bytes it quotes; 0: it failed.
 */
static __noinline __u32 become_error(struct __sk_buff *skb, const struct inner *in, const __u8 *mac,
				     const struct mzr_address *from, const struct icmp_error *icmp)
{
	const __u32 zero = 0;
	const __u32 front = front_of(in);
	const __u32 most = ETH_HLEN + (in->ipv6 ? MZR_ERROR6_MAX : MZR_ERROR4_MAX) - front;
	struct quote *kept = bpf_map_lookup_elem(&quote, &zero);
	__u32 quoted = in->size - ETH_HLEN;
	long failed;

	if (quoted > most)
		quoted = most;
	/* The verifier must see both bounds, each by itself: an upper one that is more than the compiler
	 * needs. */
	asm volatile("" : "+r"(quoted));
	if (!kept || quoted > sizeof(kept->bytes))
		return 0;
	asm volatile("" : "+r"(quoted));
	if (quoted < sizeof(struct iphdr))
		return 0;
	if (bpf_skb_load_bytes(skb, ETH_HLEN, kept->bytes, quoted) || !forget_past(skb, front + quoted))
		return 0;
	if (in->ipv6)
		failed = write_headers6(skb, in, mac, from, icmp, quoted);
	else
		failed = write_headers4(skb, in, mac, from, icmp, quoted);
	return failed || bpf_skb_store_bytes(skb, front, kept->bytes, quoted, 0) ? 0 : quoted;
}

/* The error's checksum, over `size` bytes from its ICMP header on. */
static __always_inline bool complete(struct __sk_buff *skb, const struct inner *in,
				     const struct mzr_address *from, __u32 size)
{
	const __u32 offset = front_of(in) - sizeof(struct icmp_error);
	__u16 checksum;
	__s64 sum = 0;

	if (in->ipv6)
		sum = pseudo_sum6(const_words(from), const_words(&in->from.address), size);
	sum = sum_of(skb, offset, size, sum);
	if (sum < 0)
		return false;
	checksum = ~fold(sum);
	return !bpf_skb_store_bytes(skb, offset + offsetof(struct icmp_error, checksum), &checksum,
				    sizeof(checksum), 0);
}

/* Whether the port's packet, dropped for packet->reason, has become an error for its sender. */
static __always_inline bool tell(struct __sk_buff *skb, const struct packet *packet)
{
	const __u32 zero = 0;
	const struct inner *in = &packet->inner;
	struct cursor c = cursor_of_skb(skb);
	__u32 ifindex = skb->ifindex;
	const struct mzr_port *port = bpf_map_lookup_elem(&ports, &ifindex);
	const struct mzr_config *row = bpf_map_lookup_elem(&config, &zero);
	struct icmp_error error = {};
	struct mzr_address speaker;
	__u32 quoted;

	/* What was sent to everybody is answered by nobody. */
	if (!port || !row || packet->cast || !may_be_answered(&c, in) ||
	    !take_token(&errors, ifindex, MZR_ERROR_BURST, MZR_ERROR_INTERVAL))
		return false;
	find_speaker(in, &speaker);
	describe(&error, in->ipv6, packet->reason, usable_mtu(packet->mtu));
	quoted = become_error(skb, in, packet->source, &speaker, &error);
	if (!quoted || !complete(skb, in, &speaker, sizeof(error) + quoted))
		return false;
	count_received(port->slot, 1, front_of(in) + quoted);
	return true;
}

static __always_inline int icmp_program(struct __sk_buff *skb)
{
	const struct packet *packet = packet_of(HOLDER_PORT);

	if (!packet)
		return TC_ACT_SHOT;
	count_drop(packet->reason, skb->len);
	return tell(skb, packet) ? bpf_redirect(skb->ifindex, 0) : TC_ACT_SHOT;
}

#endif /* MIZAR_ICMP_H */
