/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * Control packets between data planes: Geneve with flag O and one option, no inner frame.
 *
 * A program cannot make a packet, but it can copy one. So the packet to send is laid down in `control`, a
 * copy of the packet at hand goes to the uplink with our mark, and the guard there, which runs
 * before the copy's call returns, writes the one over the other.
 */
#ifndef MIZAR_CONTROL_H
#define MIZAR_CONTROL_H

#include "rate.h"
#include "send.h"

struct control_packet {
	struct iphdr ip;
	struct udphdr udp;
	struct geneve geneve;
	struct mzr_control_option option;
};

/* How far a control packet is on its way. */
enum control_state {
	CONTROL_NONE,
	CONTROL_LAID_DOWN, /* for the copy that comes next to the guard */
	CONTROL_SENT,	   /* the copy became it, whole, and went out */
};

struct control {
	struct control_packet packet;
	__u32 state; /* enum control_state */
};

MZR_ARRAY(control, BPF_MAP_TYPE_PERCPU_ARRAY, struct control, 1);

/* What was said a moment ago, so that a burst of packets leads to one question or answer. */
#define MZR_SAID_SLOTS 256
#define MZR_SAID_SHIFT 22 /* for 2^22 ns, 4 ms */

struct said {
	__u32 what;
	__u32 time;
};

MZR_ARRAY(said, BPF_MAP_TYPE_PERCPU_ARRAY, struct said, MZR_SAID_SLOTS);

/* Questions on behalf of a port: so many at once, then one in so many nanoseconds (1,000 a second). Packets
 * to addresses that nobody is asked about go by way of tables. */
#define MZR_QUESTION_BURST 128
#define MZR_QUESTION_INTERVAL 1000000ULL

MZR_RATES(questions);

static __always_inline struct said what_was_said(const struct mzr_endpoint_key *key, __be32 host,
						 __u32 message)
{
	const __be32 *word = const_words(&key->address);
	/* Keyed, so that nobody can compute addresses that keep others' words unsaid. */
	struct said said = {.what = absorb(absorb(absorb((__u32)mzr_key[0], message), host), key->vni),
			    .time = now() >> MZR_SAID_SHIFT};

	said.what = absorb(absorb(absorb(absorb(said.what, word[0]), word[1]), word[2]), word[3]);
	said.what = mix32(said.what ^ (__u32)mzr_key[1]);
	return said;
}

static __always_inline struct said *said_slot(const struct said *fresh)
{
	__u32 place = fresh->what & (MZR_SAID_SLOTS - 1);

	return bpf_map_lookup_elem(&said, &place);
}

static __always_inline bool was_said(const struct said *fresh)
{
	const struct said *slot = said_slot(fresh);

	return !slot || (slot->what == fresh->what && slot->time == fresh->time);
}

static __always_inline void keep_said(const struct said *fresh)
{
	struct said *slot = said_slot(fresh);

	if (slot)
		*slot = *fresh;
}

/* Sends a control packet to `host`. The packet at hand stays, and must be read anew. False: no copy of it
 * could become one, so nothing was said. */
static __always_inline bool say(struct __sk_buff *skb, const struct mzr_config *row, __be32 host,
				const struct mzr_control_option *option, __u32 vni)
{
	const __u32 zero = 0;
	const __u32 *own = bpf_map_lookup_elem(&mark, &zero);
	struct control *row_of_cpu = bpf_map_lookup_elem(&control, &zero);
	struct control_packet *packet;
	bool is_sent;

	if (!own || !row_of_cpu || !can_forget(skb))
		return false;
	packet = &row_of_cpu->packet;
	__builtin_memset(packet, 0, sizeof(*packet));
	packet->ip.version = 4;
	packet->ip.ihl = 5;
	packet->ip.frag_off = bpf_htons(0x4000);
	packet->ip.ttl = MZR_OUTER_TTL;
	packet->ip.protocol = IPPROTO_UDP;
	packet->ip.saddr = row->address;
	packet->ip.daddr = host;
	packet->udp.source = geneve_port(row);
	packet->udp.dest = geneve_port(row);
	packet->geneve.version_length = sizeof(packet->option) / 4;
	packet->geneve.flags = MZR_GENEVE_OAM | MZR_GENEVE_CRITICAL;
	packet->geneve.protocol = bpf_htons(MZR_GENEVE_PROTOCOL);
	packet->geneve.vni = bpf_htonl(vni << 8);
	packet->option = *option;
	packet->option.option_class = bpf_htons(MZR_OPTION_CLASS);
	packet->option.type = MZR_OPTION_CONTROL;
	packet->option.length = (sizeof(packet->option) - 4) / 4;
	row_of_cpu->state = CONTROL_LAID_DOWN;
	skb->mark = *own;
	is_sent = !bpf_clone_redirect(skb, row->uplink, 0) && row_of_cpu->state == CONTROL_SENT;
	skb->mark = 0;
	row_of_cpu->state = CONTROL_NONE;
	return is_sent;
}

/* Asks who has the destination of a port's packet, by the table that `way` goes to. */
static __noinline int ask(struct __sk_buff *skb, const struct mzr_config *row, const struct inner *in,
			  const struct way *way)
{
	struct mzr_control_option option = {.message = MZR_MESSAGE_ASK};
	struct said said = what_was_said(&in->to, 0, MZR_MESSAGE_ASK);
	__u64 nonce;

	if (was_said(&said) ||
	    !take_token(&questions, skb->ifindex, MZR_QUESTION_BURST, MZR_QUESTION_INTERVAL))
		return 0;
	nonce = nonce_of(&in->to, now() >> MZR_PERIOD_SHIFT);
	option.stage = way->stage;
	option.origin = row->address;
	__builtin_memcpy(option.address, in->to.address.bytes, sizeof(option.address));
	option.nonce[0] = nonce >> 32;
	option.nonce[1] = nonce;
	if (say(skb, row, way->host, &option, in->to.vni))
		keep_said(&said);
	return 0;
}

/* The same where the packet itself does not go by a table. */
static __always_inline void ask_tables(struct __sk_buff *skb, const struct mzr_config *row,
				       const struct inner *in, struct way *way)
{
	if (decide_by_tables(&in->to, way, in->flow, MZR_ASKED_BY_PORT, row->address) == GO_HOST)
		ask(skb, row, in, way);
}

/* An echo to a host that packets are sent to. One that could not be sent is not missed. False: it is still
 * due.
 */
static __noinline bool send_echo(struct __sk_buff *skb, const struct mzr_config *row, __be32 host)
{
	struct mzr_control_option option = {.message = MZR_MESSAGE_ECHO};
	struct mzr_host *peer = bpf_map_lookup_elem(&hosts, &host);
	struct mzr_endpoint_key key = {};
	__u64 nonce, time = now();

	if (!peer || !is_time_to_ask(peer, row, ticks(time)))
		return true;
	address_v4(&key.address, host);
	nonce = nonce_of(&key, time >> MZR_PERIOD_SHIFT);
	__builtin_memcpy(option.address, key.address.bytes, sizeof(option.address));
	option.nonce[0] = nonce >> 32;
	option.nonce[1] = nonce;
	if (!say(skb, row, host, &option, 0))
		return false;
	expect_answer(peer, row, ticks(time));
	return true;
}

/* The same, if it is time for one. */
static __always_inline void watch(struct __sk_buff *skb, const struct mzr_config *row, __be32 host)
{
	struct peer *peer = find_peer(row, host, moment(row));

	if (peer && peer->is_due && send_echo(skb, row, host))
		peer->is_due = false;
}

/*
 * What a port's packet to another host, found by what was learned or by a table, gives occasion to say. The
 * packet must be read anew after it.
 */
static __always_inline void tend(struct __sk_buff *skb, const struct mzr_config *row, const struct inner *in,
				 struct way *way)
{
	if (way->found & DIRECT_WAY && way->found & DIRECT_ASK) {
		const __u64 network = way->network;
		const __be32 host = way->host;

		/* Who goes straight asks by way of the tables all the same. */
		ask_tables(skb, row, in, way);
		way->network = network;
		way->host = host;
		way->stage = MZR_STAGE_NONE;
	} else if (way->found & DIRECT_ASK) {
		ask(skb, row, in, way);
	}
	watch(skb, row, way->host);
	if (way->avoided)
		watch(skb, row, way->avoided);
}

/* To who sent a packet straight to this host, for an endpoint that it does not have. */
static __noinline int tell_gone(struct __sk_buff *skb, const struct mzr_config *row, const struct outer *out,
				const struct inner *in)
{
	struct mzr_control_option option = {.message = MZR_MESSAGE_GONE};
	struct said said = what_was_said(&in->to, out->source, MZR_MESSAGE_GONE);

	if (!row->uplink || was_said(&said))
		return 0;
	__builtin_memcpy(option.address, in->to.address.bytes, sizeof(option.address));
	if (say(skb, row, out->source, &option, in->to.vni))
		keep_said(&said);
	return 0;
}

/* The packet at hand, a control packet, goes on to `host` with another option. */
static __always_inline int pass_on(struct __sk_buff *skb, const struct mzr_config *row,
				   const struct outer *out, __be32 host,
				   const struct mzr_control_option *option, int *verdict)
{
	struct cursor c = cursor_of_skb(skb);

	if (!readdress(&c, row, out, host) ||
	    bpf_skb_store_bytes(skb, out->option, option, sizeof(*option), 0))
		return MZR_DROP_INTERNAL;
	*verdict = send_to_underlay(skb, row, host, out->tos, out->moment);
	return 0;
}

/* A question: it goes on by the rule, as a packet for the address would, or is answered here. */
static __always_inline int take_question(struct __sk_buff *skb, const struct mzr_config *row,
					 const struct outer *out, const struct mzr_endpoint_key *key,
					 struct mzr_control_option *option, int *verdict)
{
	const __be32 *word = const_words(&key->address);
	__be32 origin = option->origin;
	struct way way = {};
	int go;

	if (!row->uplink || option->stage == MZR_STAGE_NONE || option->stage > MZR_STAGE_LAST ||
	    origin == row->address || !bpf_map_lookup_elem(&hosts, &origin))
		return MZR_DROP_GENEVE_CONTROL;
	go = decide(row, bpf_map_lookup_elem(&endpoints, key), key, mix32(word[3]), option->stage, &way);
	if (go == GO_HOST) {
		option->stage = way.stage;
		return pass_on(skb, row, out, way.host, option, verdict);
	}
	if (go == GO_PORT) {
		option->message = MZR_MESSAGE_HAVE;
		option->network[0] = bpf_htonl(way.network >> 32);
		option->network[1] = bpf_htonl(way.network);
		return pass_on(skb, row, out, origin, option, verdict);
	}
	/* A gateway is nobody's, to all but the endpoints of its network. */
	if (go == GO_GATEWAY)
		way.reason = MZR_DROP_NO_ENDPOINT;
	if (way.reason != MZR_DROP_NO_ENDPOINT && way.reason != MZR_DROP_HOST_DOWN)
		return 0;
	option->message = MZR_MESSAGE_NONE;
	option->reason = way.reason;
	return pass_on(skb, row, out, origin, option, verdict);
}

/* "Are you there?": the answer says what is applied here, for who waits for it. */
static __always_inline int take_echo(struct __sk_buff *skb, const struct mzr_config *row,
				     const struct outer *out, struct mzr_control_option *option, int *verdict)
{
	const __u32 zero = 0;
	struct mzr_applied *commit = bpf_map_lookup_elem(&applied, &zero);

	if (!row->uplink)
		return MZR_DROP_GENEVE_CONTROL;
	option->message = MZR_MESSAGE_ECHO_REPLY;
	if (commit)
		__builtin_memcpy(option->network, commit->commit, sizeof(option->network));
	return pass_on(skb, row, out, out->source, option, verdict);
}

static __always_inline int take_echo_reply(const struct mzr_config *row, const struct outer *out,
					   const struct mzr_control_option *option, __u64 nonce, __u64 time)
{
	struct mzr_host *peer = bpf_map_lookup_elem(&hosts, &out->source);
	struct mzr_endpoint_key key = {};

	address_v4(&key.address, out->source);
	if (!peer || !is_proven(&key, nonce, time))
		return MZR_DROP_GENEVE_CONTROL;
	answered(peer, row->health_count);
	__builtin_memcpy(peer->commit, option->network, sizeof(peer->commit));
	return 0;
}

/* "Nobody has it": what is known of who has it stands against that, for then its own host says when it goes.
 */
static __always_inline bool believe_none(const struct mzr_config *row, const struct mzr_endpoint_key *key,
					 const struct mzr_control_option *option, struct mzr_direct *entry)
{
	const struct mzr_direct *known = find_direct(key);

	if (known && is_fresh(known, row, entry->proven))
		return true;
	entry->host = 0;
	entry->packets = row->direct_after;
	entry->nobody = option->reason == MZR_DROP_HOST_DOWN ? MZR_DROP_HOST_DOWN : MZR_DROP_NO_ENDPOINT;
	return put_direct(key, entry);
}

/* A control packet from a host of the topology. Returns a drop reason, or 0 and the verdict. */
static __always_inline int take_control(struct __sk_buff *skb, const struct mzr_config *row,
					const struct outer *out, int *verdict)
{
	struct mzr_control_option option;
	struct mzr_endpoint_key key = {.vni = out->vni};
	__u64 nonce, time = now();
	struct mzr_direct entry = {.host = out->source, .proven = ticks(time), .asked = ticks(time)};

	if (bpf_skb_load_bytes(skb, out->option, &option, sizeof(option)))
		return MZR_DROP_GENEVE_CONTROL;
	__builtin_memcpy(key.address.bytes, option.address, sizeof(option.address));
	nonce = (__u64)option.nonce[0] << 32 | option.nonce[1];
	switch (option.message) {
	case MZR_MESSAGE_ASK:
		return take_question(skb, row, out, &key, &option, verdict);
	case MZR_MESSAGE_HAVE:
		entry.network = (__u64)bpf_ntohl(option.network[0]) << 32 | bpf_ntohl(option.network[1]);
		return is_proven(&key, nonce, time) && put_direct(&key, &entry) ? 0 : MZR_DROP_GENEVE_CONTROL;
	case MZR_MESSAGE_NONE:
		return is_proven(&key, nonce, time) && believe_none(row, &key, &option, &entry)
			       ? 0
			       : MZR_DROP_GENEVE_CONTROL;
	case MZR_MESSAGE_GONE:
		forget(&key, out->source);
		return 0;
	case MZR_MESSAGE_ECHO:
		return take_echo(skb, row, out, &option, verdict);
	case MZR_MESSAGE_ECHO_REPLY:
		return take_echo_reply(row, out, &option, nonce, time);
	}
	return MZR_DROP_GENEVE_CONTROL;
}

/* What `mizar_uplink` leaves to this program, which has a stack of its own. */
static __always_inline int control_program(struct __sk_buff *skb)
{
	const __u32 zero = 0;
	struct cursor c = cursor_of_skb(skb);
	struct mzr_config *row = bpf_map_lookup_elem(&config, &zero);
	/* What was taken in ends here, uncounted. TC_ACT_STOLEN would say so, but tcx does not know it, and
	 * goes on. */
	int verdict = TC_ACT_SHOT, reason = MZR_DROP_GENEVE_CONTROL;
	__u32 bytes = skb->len;
	struct outer out = {};

	if (row && read_outer(&c, row, &out) == MZR_CONTROL)
		reason = take_control(skb, row, &out, &verdict);
	if (!reason)
		return verdict;
	count_drop(reason, bytes);
	return TC_ACT_SHOT;
}

/* Whether the packet that the guard sees is a copy, made to become a control packet. */
static __always_inline bool is_laid_down(void)
{
	const __u32 zero = 0;
	struct control *row_of_cpu = bpf_map_lookup_elem(&control, &zero);

	return row_of_cpu && row_of_cpu->state == CONTROL_LAID_DOWN;
}

/*
 * The packet's length is that of the whole copy, with what could not be cut off behind it: who trims a packet
 * to its length, as bridges do, drops one that owes a checksum behind that.
 */
static __always_inline void take_in(struct control_packet *packet, __u32 size)
{
	packet->ip.tot_len = bpf_htons(size);
	packet->udp.len = bpf_htons(size - sizeof(packet->ip));
	packet->ip.check = 0;
	packet->ip.check = ipv4_checksum(&packet->ip);
}

/* The copy becomes the control packet that was laid down for it. Returns a drop reason, or 0. */
static __always_inline int become_control(struct __sk_buff *skb)
{
	const __u32 zero = 0, size = ETH_HLEN + sizeof(struct control_packet);
	const __u32 more = sizeof(struct ipv6hdr) - sizeof(struct iphdr);
	struct control *row_of_cpu = bpf_map_lookup_elem(&control, &zero);
	const __be16 type = bpf_htons(ETH_P_IP);
	bool ipv6 = skb->protocol == bpf_htons(ETH_P_IPV6);

	if (!row_of_cpu)
		return MZR_DROP_INTERNAL;
	row_of_cpu->state = CONTROL_NONE;
	/* An skb of IPv6 loses the difference of the headers in becoming one of IPv4. */
	if (!forget_past(skb, ipv6 ? size + more : size) || (ipv6 && bpf_skb_change_proto(skb, type, 0)))
		return MZR_DROP_INTERNAL;
	take_in(&row_of_cpu->packet, skb->len - ETH_HLEN);
	if (bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_proto), &type, sizeof(type), 0) ||
	    bpf_skb_store_bytes(skb, ETH_HLEN, &row_of_cpu->packet, sizeof(row_of_cpu->packet), 0))
		return MZR_DROP_INTERNAL;
	return 0;
}

/* Sends the copy as what it is to be. One that cannot become it is no packet of anybody's. */
static __always_inline int send_laid_down(struct __sk_buff *skb, const struct mzr_config *row)
{
	const __u32 zero = 0;
	struct control *row_of_cpu = bpf_map_lookup_elem(&control, &zero);

	if (!row_of_cpu || become_control(skb))
		return TC_ACT_SHOT;
	row_of_cpu->state = CONTROL_SENT;
	return by_neighbour(row, find_gateway(skb, row, row_of_cpu->packet.ip.daddr));
}

#endif /* MIZAR_CONTROL_H */
