/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Neighbour discovery, RFC 4861. */
#ifndef MIZAR_NEIGHBOR_H
#define MIZAR_NEIGHBOR_H

#include "checksum.h"
#include "own.h"
#include "parse.h"
#include "question.h"

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

#endif /* MIZAR_NEIGHBOR_H */
