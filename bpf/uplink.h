/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * tc ingress of the uplink: Geneve from hosts of the topology is delivered to a port here or sent on by the
 * rule. Everything else goes on to the next filter and the stack, untouched.
 */
#ifndef MIZAR_UPLINK_H
#define MIZAR_UPLINK_H

#include "control.h"
#include "cut.h"

/* Where an inner packet that came in by the underlay goes; shared with XDP. */
static __always_inline int decide_inner(struct cursor *c, const struct mzr_config *row,
					const struct outer *out, struct inner *in, struct way *way,
					struct heading **heading)
{
	__u32 reason;
	int go;

	in->from.vni = out->vni;
	in->to.vni = out->vni;
	reason = read_inner(c, out->ethertype, out->inner + ETH_HLEN, out->end, in);
	if (!reason)
		reason = classify(in);
	if (reason)
		return go_drop(way, reason);
	*heading = heading_of(&in->to, in->flow);
	if (!*heading)
		return go_drop(way, MZR_DROP_INTERNAL);
	go = recall(*heading, out->moment, &in->to, in->flow, out->stage, way);
	if (go != GO_UNKNOWN)
		return go;
	go = decide(row, bpf_map_lookup_elem(&endpoints, &in->to), &in->to, in->flow, out->stage, way);
	/* What came straight must reach tc first, which tells its sender. */
	if (go == GO_DROP && way->reason == MZR_DROP_NO_VPC && (out->option || c->skb)) {
		struct peer *peer = find_peer(row, out->source, out->moment);

		if (peer)
			peer->alien = out->vni;
	}
	/* Gateways are answered where the question is asked. */
	if (go == GO_GATEWAY)
		go = go_drop(way, MZR_DROP_NO_ENDPOINT);
	if (go == GO_HOST && !row->uplink)
		go = go_drop(way, MZR_DROP_PENDING);
	remember(*heading, out->moment, &in->to, in->flow, out->stage, go, way);
	return go;
}

/* Whether a packet came straight to this host for an endpoint that it does not have: its sender must be told.
 */
static __always_inline bool is_gone(const struct outer *out, int go, const struct way *way)
{
	if (out->option)
		return false;
	return go == GO_HOST ||
	       (go == GO_DROP && (way->reason == MZR_DROP_NOT_HERE || way->reason == MZR_DROP_NO_VPC ||
				  way->reason == MZR_DROP_NO_ENDPOINT || way->reason == MZR_DROP_HOST_DOWN));
}

/* A packet goes on with a new stage, in the option that it came with. */
static __always_inline bool restage(const struct cursor *c, const struct mzr_config *row,
				    const struct outer *out, const struct way *way)
{
	struct mzr_stage_option *option = peek(c, out->option, sizeof(*option));

	if (!option)
		return false;
	option->stage = way->stage;
	return readdress(c, row, out, way->host);
}

/* The headers of a packet that gets a stage option; what follows in the packet stays. */
struct staged_headers {
	struct iphdr ip;
	struct udphdr udp;
	struct geneve geneve;
	struct mzr_stage_option option;
};

/* A plain packet goes on with a stage option behind its Geneve header. Options of its outer IP header go. */
static __noinline int add_stage(struct __sk_buff *skb, const struct mzr_config *row, const struct outer *out,
				const struct way *way)
{
	const __u32 added = sizeof(struct mzr_stage_option);
	__s32 room = (__s32)(ETH_HLEN + sizeof(struct iphdr) + added) - (__s32)out->udp;
	struct staged_headers headers;
	__u32 total, words;

	if (!skb->gso_size && skb->len - ETH_HLEN + room > row->mtu)
		return MZR_DROP_TOO_BIG;
	if (bpf_skb_load_bytes(skb, ETH_HLEN, &headers.ip, sizeof(headers.ip)) ||
	    bpf_skb_load_bytes(skb, out->udp, &headers.udp, sizeof(headers.udp) + sizeof(headers.geneve)))
		return MZR_DROP_INTERNAL;
	words = headers.geneve.version_length + added / 4;
	if (words > 0x3f)
		return MZR_DROP_TOO_BIG;
	if (room && bpf_skb_adjust_room(skb, room, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO))
		return MZR_DROP_INTERNAL;
	total = skb->len - ETH_HLEN;
	headers.ip.ihl = sizeof(headers.ip) / 4;
	headers.ip.tot_len = total <= 0xffff ? bpf_htons(total) : 0;
	headers.ip.ttl = MZR_OUTER_TTL;
	headers.ip.saddr = row->address;
	headers.ip.daddr = way->host;
	headers.ip.check = 0;
	headers.ip.check = ipv4_checksum(&headers.ip);
	total -= sizeof(headers.ip);
	headers.udp.len = headers.ip.tot_len ? bpf_htons(total) : 0;
	headers.udp.dest = geneve_port(row);
	headers.udp.check = 0;
	headers.geneve.version_length = words;
	headers.geneve.flags |= MZR_GENEVE_CRITICAL;
	write_stage(&headers.option, way->stage, out->source);
	return bpf_skb_store_bytes(skb, ETH_HLEN, &headers, sizeof(headers), 0) ? MZR_DROP_INTERNAL : 0;
}

static __always_inline bool outer_checksum_is_right(struct __sk_buff *skb, const struct outer *out,
						    const struct mzr_config *row)
{
	__u32 size = out->end - out->udp;
	__s64 sum;

	/* Each packet of a GSO packet would have its own: there is none to look at. */
	if (skb->gso_size)
		return false;
	sum = sum_of(skb, out->udp, size,
		     fold((__u64)out->source + row->address + bpf_htonl(IPPROTO_UDP) + bpf_htonl(size)));
	return sum >= 0 && fold(sum) == 0xffff;
}

/* Returns a drop reason, MZR_PASS, or 0 and the verdict. */
static __always_inline int uplink_frame(struct __sk_buff *skb, int *verdict)
{
	const __u32 zero = 0;
	struct cursor c = cursor_of_skb(skb);
	struct mzr_config *row = bpf_map_lookup_elem(&config, &zero);
	struct outer out = {};
	struct heading *heading;
	struct inner in;
	struct way way = {};
	int reason, go;

	if (!row || skb->vlan_present)
		return MZR_PASS;
	reason = read_outer(&c, row, &out);
	if (reason && reason != MZR_CONTROL)
		return reason;
	if (out.checksum && !outer_checksum_is_right(skb, &out, row))
		return MZR_DROP_OUTER_CHECKSUM;
	if (reason == MZR_CONTROL)
		return reason;
	go = decide_inner(&c, row, &out, &in, &way, &heading);
	if (go != GO_DROP && judge_checksum(skb, &in, out.inner))
		return MZR_DROP_MALFORMED;
	if (is_gone(&out, go, &way)) {
		tell_gone(skb, row, &out, &in);
		cursor_load(&c);
	}
	if (go == GO_DROP)
		return way.reason;
	if (go == GO_PORT) {
		/* Only TCP's are of use as one to whoever gets them. */
		if (skb->gso_size && in.protocol != IPPROTO_TCP)
			return send_by_loopback(skb, verdict);
		reason = decapsulate(skb, &out, &in);
		if (reason)
			return reason;
		return deliver(skb, way.ifindex, &in, heading, verdict);
	}
	/* A divider chose a bouncer. */
	if (way.stage == MZR_STAGE_BOUNCER) {
		watch(skb, row, way.host);
		if (way.avoided)
			watch(skb, row, way.avoided);
		cursor_load(&c);
	}
	if (!out.option)
		reason = add_stage(skb, row, &out, &way);
	else if (!restage(&c, row, &out, &way))
		reason = MZR_DROP_INTERNAL;
	if (reason)
		return reason;
	*verdict = send_to_underlay(skb, row, way.host, out.tos, out.moment);
	return 0;
}

static __always_inline int uplink_program(struct __sk_buff *skb)
{
	__u32 bytes = skb->len;
	int verdict = TC_ACT_SHOT;
	int reason = uplink_frame(skb, &verdict);

	if (reason == MZR_PASS)
		return TC_ACT_UNSPEC;
	if (!reason)
		return verdict;
	if (reason == MZR_CONTROL) {
		bpf_tail_call(skb, &programs, MZR_PROGRAM_CONTROL);
		reason = MZR_DROP_NO_PROGRAM;
	}
	count_drop(reason, bytes);
	return TC_ACT_SHOT;
}

#endif /* MIZAR_UPLINK_H */
