/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Geneve, RFC 8926, in UDP in IPv4: reading what comes in, writing what goes out. */
#ifndef MIZAR_GENEVE_H
#define MIZAR_GENEVE_H

#include "checksum.h"
#include "memo.h"
#include "parse.h"

#define MZR_OUTER_TTL 64
#define MZR_CRITICAL 0x80 /* bit of an option's type */
#define MZR_GENEVE_OAM 0x80
#define MZR_GENEVE_CRITICAL 0x40
#define MZR_SOURCE_PORT_FIRST 49152 /* of the dynamic ports, RFC 6335 */
#define MZR_SOURCE_PORT_MASK 0x3fff

/* Not Geneve for this host: leave it to the stack. */
#define MZR_PASS (-100)
/* A control packet, whose option is at outer.option. */
#define MZR_CONTROL (-101)

struct geneve {
	__u8 version_length; /* version 2 bits, length of the options in words 6 bits */
	__u8 flags;
	__be16 protocol;
	__be32 vni; /* in the upper 24 bits */
};

static __always_inline __be16 geneve_port(const struct mzr_config *row)
{
	return row->port ? row->port : bpf_htons(MZR_GENEVE_PORT);
}

/* More than one, while the cluster goes from one to another. */
static __always_inline bool is_geneve_port(const struct mzr_config *row, __be16 port)
{
	return port == geneve_port(row) ||
	       (port && (port == row->other_ports[0] || port == row->other_ports[1]));
}

/* UDP datagrams to Geneve's port, of any state of health: the offset of the UDP header; 0: it is none. */
static __always_inline __u32 find_geneve(struct cursor *c, const struct mzr_config *row, __u16 *fragment)
{
	struct ethhdr *eth = at(c, 0, sizeof(*eth) + sizeof(struct iphdr));
	struct iphdr *ip;
	struct udphdr *udp;
	__u32 header;

	if (!eth || eth->h_proto != bpf_htons(ETH_P_IP))
		return 0;
	ip = (void *)(eth + 1);
	header = ip->ihl * 4;
	*fragment = bpf_ntohs(ip->frag_off) & (MZR_FRAGMENT_MASK | MZR_FRAGMENT_MORE);
	if (ip->version != 4 || header < sizeof(*ip) || ip->protocol != IPPROTO_UDP ||
	    (*fragment & MZR_FRAGMENT_MASK))
		return 0;
	udp = at(c, ETH_HLEN + header, sizeof(*udp));
	return udp && is_geneve_port(row, udp->dest) ? ETH_HLEN + header : 0;
}

static __always_inline bool is_stage_option(const struct mzr_stage_option *option)
{
	return option->option_class == bpf_htons(MZR_OPTION_CLASS) && option->type == MZR_OPTION_STAGE;
}

static __always_inline __u32 tag_in(const struct mzr_stage_option *option)
{
	return option->vpc[0] << 16 | option->vpc[1] << 8 | option->vpc[2];
}

/* Of a stage option: is the rest of it as it must be? */
static __always_inline bool stage_is_sound(const struct mzr_stage_option *option)
{
	return (option->length & 0x1f) == (sizeof(*option) - 4) / 4 && option->stage != MZR_STAGE_NONE &&
	       option->stage <= MZR_STAGE_LAST;
}

/* A walk over options, which fill [offset, end). */
struct options {
	void *context;
	struct walk *walk; /* MZR_WALK_MALFORMED: they are broken */
	__u32 offset;
	__u32 end;
	bool critical; /* the header's flag */
};

static __always_inline long read_option(struct options *options, bool xdp)
{
	struct mzr_stage_option option = {};
	__u64 found = options->walk->option;
	__u32 size;

	if (options->offset >= options->end)
		return 1;
	options->walk->option = MZR_WALK_MALFORMED;
	if (load(options->context, xdp, options->offset, &option, 4))
		return 1;
	size = 4 + (option.length & 0x1f) * 4;
	if (options->offset + size > options->end)
		return 1;
	/* A critical option without the header's flag is a contradiction. */
	if ((option.type & MZR_CRITICAL) && (!is_stage_option(&option) || !options->critical))
		return 1;
	if (is_stage_option(&option)) {
		if (found || size != sizeof(option) ||
		    load(options->context, xdp, options->offset, &option, sizeof(option)) ||
		    !stage_is_sound(&option))
			return 1;
		found = (__u64)options->offset << 8 | option.stage;
	}
	options->walk->option = found;
	options->offset += size;
	return 0;
}

/* An option is 4 bytes at least, and there are 63 words of them at most. */
#define MZR_OPTIONS_MAX 63

static long read_option_skb(__u32 index __attribute__((unused)), struct options *options)
{
	return read_option(options, false);
}

static long read_option_xdp(__u32 index __attribute__((unused)), struct options *options)
{
	return read_option(options, true);
}

/* Gives the stage option's offset and stage, 0 without one. */
__noinline __u64 options_skb(struct __sk_buff *skb, struct packet *packet, __u32 offset, __u32 end,
			     __u32 critical)
{
	struct options options = {.context = skb, .offset = offset, .end = end, .critical = critical};

	if (!packet)
		return MZR_WALK_MALFORMED;
	packet->walk.option = 0;
	options.walk = &packet->walk;
	bpf_loop(MZR_OPTIONS_MAX, read_option_skb, &options, 0);
	return packet->walk.option;
}

__noinline __u64 options_xdp(struct xdp_md *xdp, struct packet *packet, __u32 offset, __u32 end,
			     __u32 critical)
{
	struct options options = {.context = xdp, .offset = offset, .end = end, .critical = critical};

	if (!packet)
		return MZR_WALK_MALFORMED;
	packet->walk.option = 0;
	options.walk = &packet->walk;
	bpf_loop(MZR_OPTIONS_MAX, read_option_xdp, &options, 0);
	return packet->walk.option;
}

static __always_inline int read_options(struct cursor *c, __u32 offset, bool critical, struct packet *packet)
{
	struct outer *out = &packet->outer;
	struct mzr_stage_option *option;
	__u64 result;

	/* Nearly always: our option alone. */
	if (offset + sizeof(*option) == out->inner) {
		option = at(c, offset, sizeof(*option));
		if (option && is_stage_option(option) && critical) {
			if (!stage_is_sound(option))
				return MZR_DROP_GENEVE_OPTION;
			out->option = offset;
			out->stage = option->stage;
			out->vpc = tag_in(option);
			return 0;
		}
	}
	if (c->skb)
		result = options_skb(c->skb, packet, offset, out->inner, critical);
	else
		result = options_xdp(c->xdp, packet, offset, out->inner, critical);
	if (result == MZR_WALK_MALFORMED)
		return MZR_DROP_GENEVE_OPTION;
	out->option = result >> 8 & 0x1ff;
	out->stage = result & 7;
	if (!out->option)
		return 0;
	option = at(c, out->option, sizeof(*option));
	if (!option)
		return MZR_DROP_MALFORMED;
	out->vpc = tag_in(option);
	return 0;
}

/* The sum over an IPv4 header of `size` bytes, for one with options. */
static __always_inline __u32 sum_header(void *context, bool xdp, __u32 size)
{
	__u64 sum = 0;
	__u32 i;

	for (i = 0; i < 15; i++) {
		__u32 word;

		if (i * 4 >= size)
			break;
		if (load(context, xdp, ETH_HLEN + i * 4, &word, sizeof(word)))
			return 0;
		sum += word;
	}
	return fold(sum);
}

__noinline __u32 sum_header_skb(struct __sk_buff *skb, __u32 size)
{
	return sum_header(skb, false, size);
}

__noinline __u32 sum_header_xdp(struct xdp_md *xdp, __u32 size)
{
	return sum_header(xdp, true, size);
}

static __always_inline __u16 ipv4_checksum(const struct iphdr *ip)
{
	const __u32 *word = (const void *)ip;
	__u64 sum = 0;

	sum += word[0];
	sum += word[1];
	sum += word[2];
	sum += word[3];
	sum += word[4];
	return ~fold(sum);
}

static __always_inline int read_control(struct cursor *c, __u32 place, __u32 options, struct outer *out)
{
	struct mzr_control_option *option;

	if (options != sizeof(*option))
		return MZR_DROP_GENEVE_CONTROL;
	option = at(c, place, sizeof(*option));
	if (!option || option->option_class != bpf_htons(MZR_OPTION_CLASS) ||
	    option->type != MZR_OPTION_CONTROL || option->length != (sizeof(*option) - 4) / 4)
		return MZR_DROP_GENEVE_CONTROL;
	out->option = place;
	return MZR_CONTROL;
}

/*
 * Geneve from a host of the topology to this one: everything up to the inner Ethernet header is checked
 * (but for UDP's checksum). MZR_PASS: none of ours; MZR_CONTROL: it has no inner frame.
 */
static __always_inline int read_outer(struct cursor *c, const struct mzr_config *row, struct packet *packet)
{
	struct outer *out = &packet->outer;
	struct geneve *geneve;
	struct peer *peer;
	struct ethhdr *eth;
	struct udphdr *udp;
	struct iphdr *ip;
	__u32 total, size, options, place;
	__be32 source;
	__be16 protocol;
	__u16 fragment;
	__u32 sum;
	__u8 flags;

	out->udp = find_geneve(c, row, &fragment);
	if (!out->udp)
		return MZR_PASS;
	out->option = 0;
	out->vpc = 0;
	out->stage = MZR_STAGE_NONE;
	ip = peek(c, ETH_HLEN, sizeof(*ip));
	if (!ip || !row->address || ip->daddr != row->address)
		return MZR_PASS;
	if (fragment)
		return MZR_DROP_OUTER_FRAGMENT;
	source = ip->saddr;
	packet->moment = moment(packet, row);
	out->source = source;
	out->tos = ip->tos;
	total = bpf_ntohs(ip->tot_len);
	if (!total && packet->gso)
		total = c->length - ETH_HLEN;
	peer = find_peer(row, source, packet->moment);
	if (source == row->address || !peer)
		return MZR_DROP_FOREIGN_HOST;
	if (ip->ihl == 5)
		sum = (__u16)~ipv4_checksum(ip);
	else if (c->skb)
		sum = sum_header_skb(c->skb, out->udp - ETH_HLEN);
	else
		sum = sum_header_xdp(c->xdp, out->udp - ETH_HLEN);
	if (sum != 0xffff)
		return MZR_DROP_OUTER_CHECKSUM;
	udp = peek(c, out->udp, sizeof(*udp));
	if (!udp)
		return MZR_DROP_MALFORMED;
	size = bpf_ntohs(udp->len);
	out->checksum = udp->check;
	if (!size && packet->gso)
		size = c->length - out->udp;
	out->end = out->udp + size;
	place = out->udp + sizeof(*udp);
	if (ETH_HLEN + total > c->length || out->end > ETH_HLEN + total || place + sizeof(*geneve) > out->end)
		return MZR_DROP_MALFORMED;
	geneve = at(c, place, sizeof(*geneve));
	if (!geneve)
		return MZR_DROP_MALFORMED;
	if (geneve->version_length >> 6)
		return MZR_DROP_GENEVE_VERSION;
	options = (geneve->version_length & 0x3f) * 4;
	flags = geneve->flags;
	out->vni = bpf_ntohl(geneve->vni) >> 8;
	place += sizeof(*geneve);
	out->inner = place + options;
	if (out->inner > out->end)
		return MZR_DROP_MALFORMED;
	protocol = geneve->protocol;
	if (flags & MZR_GENEVE_OAM)
		return read_control(c, place, options, out);
	if (options) {
		int reason = read_options(c, place, flags & MZR_GENEVE_CRITICAL, packet);

		if (reason)
			return reason;
	}
	if (protocol != bpf_htons(MZR_GENEVE_PROTOCOL))
		return MZR_DROP_GENEVE_PROTOCOL;
	if (out->inner + ETH_HLEN > out->end)
		return MZR_DROP_MALFORMED;
	eth = at(c, out->inner, sizeof(*eth));
	if (!eth)
		return MZR_DROP_MALFORMED;
	out->ethertype = eth->h_proto;
	return peer->alien == out->vni ? MZR_DROP_NO_VPC : 0;
}

#endif /* MIZAR_GENEVE_H */
