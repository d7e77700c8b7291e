/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Pings of a gateway. */
#ifndef MIZAR_ECHO_H
#define MIZAR_ECHO_H

#include "checksum.h"
#include "mac.h"
#include "parse.h"

#define MZR_ECHO4_REQUEST 8
#define MZR_ECHO4_REPLY 0
#define MZR_ECHO6_REQUEST 128
#define MZR_ECHO6_REPLY 129

#define MZR_GATEWAY_TTL 64

/* ICMP and ICMPv6 alike. */
struct echo {
	__u8 type;
	__u8 code;
	__u16 checksum;
	__be16 identifier;
	__be16 sequence;
};

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

#endif /* MIZAR_ECHO_H */
