/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* What is said to other hosts on occasion of a packet, and how often. */
#ifndef MIZAR_ASK_H
#define MIZAR_ASK_H

#include "control.h"
#include "forward.h"
#include "nonce.h"
#include "rate.h"
#include "vpc.h"

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

/* Asks who has the destination of a port's packet, by the table that its way goes to. */
static __noinline int ask(struct __sk_buff *skb, const struct mzr_config *row, const struct packet *packet)
{
	const struct mzr_endpoint_key *to = &packet->inner.to;
	struct mzr_control_option option = {.message = MZR_MESSAGE_ASK};
	struct said said = what_was_said(to, 0, MZR_MESSAGE_ASK);
	__u64 vpc, nonce;

	vpc = find_vpc(to->vni);
	if (!vpc || was_said(&said) ||
	    !take_token(&questions, skb->ifindex, MZR_QUESTION_BURST, MZR_QUESTION_INTERVAL))
		return 0;
	nonce = nonce_of(to, vpc, now() >> MZR_PERIOD_SHIFT);
	option.stage = packet->way.stage;
	option.network[0] = bpf_htonl(vpc >> 32);
	option.network[1] = bpf_htonl(vpc);
	option.origin = row->address;
	__builtin_memcpy(option.address, to->address.bytes, sizeof(option.address));
	option.nonce[0] = nonce >> 32;
	option.nonce[1] = nonce;
	if (say(skb, row, packet->way.host, &option, to->vni))
		keep_said(&said);
	return 0;
}

/* The same where the packet itself does not go by a table. Its way is lost. */
static __always_inline void ask_tables(struct __sk_buff *skb, const struct mzr_config *row,
				       struct packet *packet)
{
	if (decide_by_tables(packet, MZR_ASKED_BY_PORT) == GO_HOST)
		ask(skb, row, packet);
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
	nonce = nonce_of(&key, 0, time >> MZR_PERIOD_SHIFT);
	__builtin_memcpy(option.address, key.address.bytes, sizeof(option.address));
	option.nonce[0] = nonce >> 32;
	option.nonce[1] = nonce;
	if (!say(skb, row, host, &option, 0))
		return false;
	expect_answer(peer, row, ticks(time));
	return true;
}

/* The same, if it is time for one. */
static __always_inline void watch(struct __sk_buff *skb, const struct mzr_config *row, __be32 host,
				  __u64 time)
{
	struct peer *peer = find_peer(row, host, time);

	if (peer && peer->is_due && send_echo(skb, row, host))
		peer->is_due = false;
}

/* What a port's packet to another host, found by what was learned or by a table, gives occasion to say. */
static __always_inline void tend(struct __sk_buff *skb, const struct mzr_config *row, struct packet *packet)
{
	struct way *way = &packet->way;

	if (way->found & DIRECT_ROW) {
		const __u8 stage = way->stage;

		way->stage = MZR_STAGE_HOST;
		ask(skb, row, packet);
		way->stage = stage;
		return;
	}
	if (way->found & DIRECT_WAY && way->found & DIRECT_ASK) {
		const __u64 network = way->network;
		const __be32 host = way->host;

		/* Who goes straight asks by way of the tables all the same. */
		ask_tables(skb, row, packet);
		way->network = network;
		way->host = host;
		way->stage = MZR_STAGE_NONE;
	} else if (way->found & DIRECT_ASK) {
		ask(skb, row, packet);
	}
	watch(skb, row, way->host, packet->moment);
	if (way->avoided)
		watch(skb, row, way->avoided, packet->moment);
}

/* To who sent a packet straight to this host, for an endpoint that it does not have. */
static __noinline int tell_gone(struct __sk_buff *skb, const struct mzr_config *row,
				const struct packet *packet)
{
	const struct mzr_endpoint_key *to = &packet->inner.to;
	const __be32 source = packet->outer.source;
	struct mzr_control_option option = {.message = MZR_MESSAGE_GONE};
	struct said said = what_was_said(to, source, MZR_MESSAGE_GONE);

	if (!row->uplink || was_said(&said))
		return 0;
	__builtin_memcpy(option.address, to->address.bytes, sizeof(option.address));
	if (say(skb, row, source, &option, to->vni))
		keep_said(&said);
	return 0;
}

#endif /* MIZAR_ASK_H */
