/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * What a port answers itself: ARP (RFC 826), neighbour solicitations (RFC 4861) and pings of its network's
 * gateway. The overlay routes: every address of the network has the gateway's MAC, and nothing is flooded.
 *
 * Each returns 0 when the frame has become the answer, which goes out where the question came in.
 */
#ifndef MIZAR_REPLY_H
#define MIZAR_REPLY_H

#include "control.h"

#define MZR_ARP_ETHERNET 1
#define MZR_ARP_REQUEST 1
#define MZR_ARP_REPLY 2

#define MZR_ND_SOLICITATION 135
#define MZR_ND_ADVERTISEMENT 136
#define MZR_ND_FIRST 133 /* router solicitation */
#define MZR_ND_LAST 137	 /* redirect */
#define MZR_ND_SOURCE 1	 /* option: the sender's link-layer address */
#define MZR_ND_TARGET 2	 /* option: the target's */
#define MZR_ND_ROUTER 0x80
#define MZR_ND_SOLICITED 0x40
#define MZR_ND_OVERRIDE 0x20
#define MZR_ND_HOPS 255
#define MZR_ND_OPTIONS_MAX 8 /* and 64 bytes: a solicitation has one option of 8 */

#define MZR_ECHO4_REQUEST 8
#define MZR_ECHO4_REPLY 0
#define MZR_ECHO6_REQUEST 128
#define MZR_ECHO6_REPLY 129

#define MZR_GATEWAY_TTL 64

struct arp {
	__be16 hardware;
	__be16 protocol;
	__u8 hardware_size;
	__u8 protocol_size;
	__be16 operation;
	__u8 sender_mac[ETH_ALEN];
	__u8 sender[4];
	__u8 target_mac[ETH_ALEN];
	__u8 target[4];
};

/* ICMP and ICMPv6 alike. */
struct echo {
	__u8 type;
	__u8 code;
	__u16 checksum;
	__be16 identifier;
	__be16 sequence;
};

struct neighbor {
	__u8 type;
	__u8 code;
	__u16 checksum;
	__u8 flags;
	__u8 reserved[3];
	__be32 target[4];
};

struct neighbor_answer {
	struct ethhdr eth;
	struct ipv6hdr ip;
	struct neighbor neighbor;
	__u8 option;
	__u8 option_size;
	__u8 mac[ETH_ALEN];
} __attribute__((packed));

/* Is the address one that this port may send from? */
static __always_inline bool is_own(const struct mzr_endpoint_key *key, __u32 ifindex)
{
	struct mzr_endpoint *row = bpf_map_lookup_elem(&endpoints, key);

	return row && row->ifindex == ifindex;
}

enum question {
	QUESTION_IGNORED,
	QUESTION_NEIGHBOR, /* another address of the network */
	QUESTION_GATEWAY,
};

/* Whether a port may be told that the gateway's MAC has the address. Global: verified by itself. */
__noinline int judge_question(const struct mzr_endpoint_key *target, __u64 network, __u32 ifindex,
			      __u32 flags)
{
	struct mzr_endpoint_key key;
	struct mzr_endpoint *row;
	struct mzr_network *found;
	struct mzr_vpc *vpc;
	__u32 vni;

	if (!target)
		return QUESTION_IGNORED;
	/* Linux 6.1 takes no key from a global function's argument: it must be on the stack. */
	key = *target;
	row = bpf_map_lookup_elem(&endpoints, &key);
	if (row) {
		if (row->ifindex == ifindex || row->kind == MZR_ENDPOINT_BROADCAST)
			return QUESTION_IGNORED;
		if (row->kind == MZR_ENDPOINT_GATEWAY && row->network == network)
			return QUESTION_GATEWAY;
	}
	if (flags & MZR_PORT_ANSWERS_ALL)
		return QUESTION_NEIGHBOR;
	if (row && row->kind == MZR_ENDPOINT_GATEWAY)
		return QUESTION_IGNORED;
	vni = target->vni;
	vpc = bpf_map_lookup_elem(&vpcs, &vni);
	if (!vpc)
		return QUESTION_IGNORED;
	found = find_network(vpc, target);
	return found && found->network == network ? QUESTION_NEIGHBOR : QUESTION_IGNORED;
}

static __always_inline void learn(__u32 ifindex, const struct mzr_port *port, const __u8 *mac)
{
	const struct mzr_port_mac *known;
	struct mzr_port_mac fresh = {};

	if (port->flags & MZR_PORT_MAC_FIXED)
		return;
	known = bpf_map_lookup_elem(&port_macs, &ifindex);
	if (known && mac_equal(known->mac, mac))
		return;
	copy_mac(fresh.mac, mac);
	bpf_map_update_elem(&port_macs, &ifindex, &fresh, BPF_ANY);
}

static __always_inline int answer_arp(struct __sk_buff *skb, struct cursor *c, const struct mzr_port *port,
				      const __u8 *source_mac)
{
	struct ethhdr *eth = at(c, 0, sizeof(*eth) + sizeof(struct arp));
	struct mzr_endpoint_key key = {.vni = port->vni};
	__be32 asker, asked;
	struct arp *arp;

	if (!eth)
		return MZR_DROP_MALFORMED;
	arp = (void *)(eth + 1);
	if (arp->hardware != bpf_htons(MZR_ARP_ETHERNET) || arp->protocol != bpf_htons(ETH_P_IP) ||
	    arp->hardware_size != ETH_ALEN || arp->protocol_size != 4)
		return MZR_DROP_MALFORMED;
	if (!mac_equal(arp->sender_mac, source_mac))
		return MZR_DROP_SPOOFED_MAC;
	asker = *(__be32 *)arp->sender;
	asked = *(__be32 *)arp->target;
	/* A probe asks whether anybody else has the address (RFC 5227): nobody has. */
	if (!asker)
		return MZR_DROP_NEIGHBOR;
	address_v4(&key.address, asker);
	if (!is_own(&key, skb->ifindex))
		return MZR_DROP_SPOOFED_IP;
	learn(skb->ifindex, port, source_mac);
	if (arp->operation != bpf_htons(MZR_ARP_REQUEST))
		return MZR_DROP_NEIGHBOR;
	address_v4(&key.address, asked);
	if (judge_question(&key, port->network, skb->ifindex, port->flags) == QUESTION_IGNORED)
		return MZR_DROP_NEIGHBOR;
	copy_mac(eth->h_dest, source_mac);
	set_gateway_mac(eth->h_source);
	arp->operation = bpf_htons(MZR_ARP_REPLY);
	copy_mac(arp->target_mac, source_mac);
	*(__be32 *)arp->target = asker;
	set_gateway_mac(arp->sender_mac);
	*(__be32 *)arp->sender = asked;
	return 0;
}

/* The sum of ICMPv6's pseudo header, RFC 8200 8.1. */
static __always_inline __u32 pseudo_sum6(const __be32 *from, const __be32 *to, __u32 size)
{
	__u64 sum = 0;
	int i;

	for (i = 0; i < 4; i++) {
		sum += from[i];
		sum += to[i];
	}
	sum += bpf_htonl(size);
	sum += bpf_htonl(IPPROTO_ICMPV6);
	return fold(sum);
}

/*
 * A neighbour message whose ICMPv6 header is at in->upper; `size` bytes from there to the packet's end.
 * Solicitations are held to RFC 4861 7.1.1 before they are believed.
 */
static __noinline int read_solicitation(struct __sk_buff *skb, const struct inner *in, __u32 size,
					const __u8 *source_mac, struct mzr_endpoint_key *target)
{
	__u8 body[sizeof(struct neighbor) + 8 * MZR_ND_OPTIONS_MAX] = {};
	const struct neighbor *question = (const void *)body;
	__u32 offset = sizeof(*question);
	__s64 sum;
	int i;

	if (size < sizeof(*question))
		return MZR_DROP_MALFORMED;
	if (size > sizeof(body))
		return MZR_DROP_NEIGHBOR;
	if (bpf_skb_load_bytes(skb, in->upper, body, size))
		return MZR_DROP_MALFORMED;
	if (question->code || in->hops != MZR_ND_HOPS)
		return MZR_DROP_NEIGHBOR;
	sum = bpf_csum_diff(NULL, 0, (__be32 *)body, sizeof(body),
			    pseudo_sum6(const_words(&in->from.address), const_words(&in->to.address), size));
	if (sum < 0 || fold(sum) != 0xffff)
		return MZR_DROP_MALFORMED;
	for (i = 0; i < MZR_ND_OPTIONS_MAX; i++) {
		const __u8 *option;
		__u32 step;

		if (offset >= size)
			break;
		if (offset > sizeof(body) - 8)
			return MZR_DROP_MALFORMED;
		option = body + offset;
		step = option[1] * 8;
		if (!step || offset + step > size)
			return MZR_DROP_MALFORMED;
		if (option[0] == MZR_ND_SOURCE && !mac_equal(option + 2, source_mac))
			return MZR_DROP_SPOOFED_MAC;
		offset += step;
	}
	words(&target->address)[0] = question->target[0];
	words(&target->address)[1] = question->target[1];
	words(&target->address)[2] = question->target[2];
	words(&target->address)[3] = question->target[3];
	return 0;
}

static __noinline int write_advertisement(struct __sk_buff *skb, const struct inner *in,
					  const struct mzr_endpoint_key *target, const __u8 *source_mac,
					  bool router)
{
	struct neighbor_answer answer = {};
	const __be32 *from = const_words(&target->address), *to = const_words(&in->from.address);
	const __u32 size = sizeof(answer) - sizeof(answer.eth) - sizeof(answer.ip);
	__s64 sum;

	copy_mac(answer.eth.h_dest, source_mac);
	set_gateway_mac(answer.eth.h_source);
	answer.eth.h_proto = bpf_htons(ETH_P_IPV6);
	answer.ip.version = 6;
	answer.ip.payload_len = bpf_htons(size);
	answer.ip.nexthdr = IPPROTO_ICMPV6;
	answer.ip.hop_limit = MZR_ND_HOPS;
	__builtin_memcpy(&answer.ip.saddr, from, 16);
	__builtin_memcpy(&answer.ip.daddr, to, 16);
	answer.neighbor.type = MZR_ND_ADVERTISEMENT;
	answer.neighbor.flags = MZR_ND_SOLICITED | MZR_ND_OVERRIDE | (router ? MZR_ND_ROUTER : 0);
	__builtin_memcpy(answer.neighbor.target, from, 16);
	answer.option = MZR_ND_TARGET;
	answer.option_size = 1;
	set_gateway_mac(answer.mac);
	sum = pseudo_sum6(from, to, size);
	sum = bpf_csum_diff(NULL, 0, (void *)&answer.neighbor, size, sum);
	if (sum < 0)
		return MZR_DROP_INTERNAL;
	answer.neighbor.checksum = ~fold(sum);
	if (skb->len != sizeof(answer) && bpf_skb_change_tail(skb, sizeof(answer), 0))
		return MZR_DROP_INTERNAL;
	return bpf_skb_store_bytes(skb, 0, &answer, sizeof(answer), 0) ? MZR_DROP_INTERNAL : 0;
}

static __always_inline int answer_neighbor(struct __sk_buff *skb, const struct inner *in,
					   const struct mzr_port *port, const __u8 *source_mac, __u8 type)
{
	const __be32 *from = const_words(&in->from.address);
	struct mzr_endpoint_key target = {.vni = port->vni};
	int question, reason;

	/* RFC 6980: fragmented neighbour messages are not to be believed. */
	if (type != MZR_ND_SOLICITATION || in->fragment != FRAGMENT_NONE)
		return MZR_DROP_NEIGHBOR;
	reason = read_solicitation(skb, in, in->size - in->upper, source_mac, &target);
	if (reason)
		return reason;
	/* Duplicate address detection: nobody else has the address. */
	if (!(from[0] | from[1] | from[2] | from[3]))
		return MZR_DROP_NEIGHBOR;
	if ((from[0] & bpf_htonl(0xffc00000)) != bpf_htonl(0xfe800000)) {
		if (!is_own(&in->from, skb->ifindex))
			return MZR_DROP_SPOOFED_IP;
		learn(skb->ifindex, port, source_mac);
	}
	question = judge_question(&target, port->network, skb->ifindex, port->flags);
	if (question == QUESTION_IGNORED)
		return MZR_DROP_NEIGHBOR;
	return write_advertisement(skb, in, &target, source_mac, question == QUESTION_GATEWAY);
}

/* An echo request to the gateway of the port's network, or a fragment of one, becomes its own answer. */
static __always_inline int answer_echo(struct cursor *c, const struct inner *in)
{
	struct ethhdr *eth;
	__u8 mac[ETH_ALEN];

	if (in->protocol != (in->ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return MZR_DROP_GATEWAY;
	if (in->fragment != FRAGMENT_LATER) {
		struct echo *icmp = at(c, in->upper, sizeof(*icmp));
		__u16 *first = (void *)icmp;
		__u16 before, check;

		if (!icmp || in->upper + sizeof(*icmp) > in->size)
			return MZR_DROP_MALFORMED;
		if (icmp->type != (in->ipv6 ? MZR_ECHO6_REQUEST : MZR_ECHO4_REQUEST) || icmp->code)
			return MZR_DROP_GATEWAY;
		before = *first;
		check = icmp->checksum;
		icmp->type = in->ipv6 ? MZR_ECHO6_REPLY : MZR_ECHO4_REPLY;
		checksum_replace16(&check, before, *first);
		icmp->checksum = check;
	}
	eth = peek(c, 0, sizeof(*eth) + sizeof(struct iphdr));
	if (!eth)
		return MZR_DROP_INTERNAL;
	copy_mac(mac, eth->h_source);
	copy_mac(eth->h_dest, mac);
	set_gateway_mac(eth->h_source);
	if (in->ipv6) {
		struct ipv6hdr *ip = peek(c, ETH_HLEN, sizeof(*ip));
		__be32 *saddr, *daddr;
		int i;

		if (!ip)
			return MZR_DROP_INTERNAL;
		saddr = ip->saddr.in6_u.u6_addr32;
		daddr = ip->daddr.in6_u.u6_addr32;
		for (i = 0; i < 4; i++) {
			__be32 word = saddr[i];

			saddr[i] = daddr[i];
			daddr[i] = word;
		}
		ip->hop_limit = MZR_GATEWAY_TTL;
	} else {
		struct iphdr *ip = (void *)(eth + 1);
		__u16 *hops = (void *)&ip->ttl;
		__u16 before = *hops, check = ip->check;
		__be32 saddr = ip->saddr;

		ip->ttl = MZR_GATEWAY_TTL;
		checksum_replace16(&check, before, *hops);
		ip->check = check;
		ip->saddr = ip->daddr;
		ip->daddr = saddr;
	}
	return 0;
}

#endif /* MIZAR_REPLY_H */
