/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * The one forwarding rule (docs/architecture.md): where does a packet to (VNI, address) go from here?
 * Bouncers and dividers are rows that a host holds, so every host runs this, from tc and from XDP.
 */
#ifndef MIZAR_FORWARD_H
#define MIZAR_FORWARD_H

#include "direct.h"
#include "memo.h"
#include "parse.h"

static __always_inline void clear_way(struct way *way)
{
	__builtin_memset(way, 0, sizeof(*way));
}

/* Who asks: an endpoint of this host, which may be sent through every table. Beside enum mzr_stage. */
#define MZR_ASKED_BY_PORT 0xff

static __always_inline int go_drop(struct way *way, __u32 reason)
{
	way->reason = reason;
	return GO_DROP;
}

/* A walk over the members of a table, for the one that serves a flow. */
struct choice {
	const struct mzr_members *members;
	struct walk *walk;
	__u32 flow;
	__be32 self; /* this host: it is asked because it lacks the table */
	__be32 avoided[2];
};

static long try_member(__u32 index, struct choice *choice)
{
	__be32 member;
	__u32 score;

	if (index >= MZR_MEMBERS_MAX)
		return 1;
	member = choice->members->host[index];
	score = mix32(choice->flow ^ mix32(bpf_ntohl(member)));
	/* Members ascend, so the higher address takes a tie. */
	if (member == choice->self || member == choice->avoided[0] || member == choice->avoided[1] ||
	    (choice->walk->best && score < choice->walk->highest))
		return 0;
	choice->walk->best = member;
	choice->walk->highest = score;
	return 0;
}

/*
 * Rendezvous hashing: every member gets a score for the flow, and the highest serves it. If it is silent, the
 * next that is not, or else it after all; 0: there is nobody else. Two are passed over at most: each costs
 * the loop once more. Global, as all that loops by call here: the verifier takes it by itself, once.
 */
__noinline __be32 choose(struct packet *packet, const struct mzr_members *members, __u32 count)
{
	const __u32 zero = 0;
	struct mzr_config *row = bpf_map_lookup_elem(&config, &zero);
	struct choice choice = {.members = members};
	struct walk *walk;
	__be32 first = 0;
	int i;

	if (!row || !packet || !members)
		return 0;
	walk = &packet->walk;
	choice.walk = walk;
	choice.flow = packet->inner.flow;
	choice.self = row->address;
#pragma clang loop unroll(full)
	for (i = 0; i < 3; i++) {
		walk->best = 0;
		bpf_loop(count, try_member, &choice, 0);
		if (!walk->best)
			return first;
		if (peer_answers(row, walk->best, packet->moment))
			return walk->best;
		if (!i) {
			first = walk->best;
			packet->way.avoided = first;
		}
		if (i < 2)
			choice.avoided[i] = walk->best;
	}
	return first;
}

static __always_inline __be32 mask_word(__be32 word, int bits)
{
	if (bits <= 0)
		return 0;
	return bits >= 32 ? word : word & bpf_htonl(0xffffffffU << (32 - bits));
}

/* A walk over the prefix lengths of a VPC. */
struct search {
	const struct mzr_vpc *vpc;
	struct mzr_network *found;
	struct mzr_network_key key; /* loses bits from length to length, which come longest first */
	__u32 first;		    /* of the VPC's lengths, which are one list: IPv6's behind IPv4's */
};

_Static_assert(offsetof(struct mzr_vpc, lengths6) == offsetof(struct mzr_vpc, lengths4) + MZR_LENGTHS4_MAX,
	       "one list");

/* 1: the walk is over. */
static long try_length(__u32 index, struct search *search)
{
	__be32 *prefix = words(&search->key.prefix);
	__u32 place = search->first + index;
	__s32 length;

	if (place >= MZR_LENGTHS4_MAX + MZR_LENGTHS6_MAX)
		return 1;
	length = ((const __u8 *)search->vpc)[offsetof(struct mzr_vpc, lengths4) + place];
	search->key.length = length;
	prefix[0] = mask_word(prefix[0], length);
	prefix[1] = mask_word(prefix[1], length - 32);
	prefix[2] = mask_word(prefix[2], length - 64);
	prefix[3] = mask_word(prefix[3], length - 96);
	search->found = bpf_map_lookup_elem(&networks, &search->key);
	return search->found != NULL;
}

/*
 * The network that has the address: networks of a VPC never overlap, so any length that hits is the one. A
 * loop by call, so that the verifier takes one turn of it and not all.
 */
static __always_inline struct mzr_network *find_network(const struct mzr_vpc *vpc,
							const struct mzr_endpoint_key *to)
{
	struct search search = {.vpc = vpc, .key.vni = to->vni, .key.prefix = to->address};
	bool v4 = address_is_v4(&to->address);

	search.first = v4 ? 0 : MZR_LENGTHS4_MAX;
	bpf_loop(v4 ? vpc->lengths4_count : vpc->lengths6_count, try_length, &search, 0);
	return search.found;
}

/*
 * Steps 3 to 5 of the rule, for an address that `endpoints` has no row for. Global, so that the verifier
 * takes its loops once: what it is given may be NULL for all that it knows.
 */
__noinline int decide_by_tables(struct packet *packet, __u32 asked)
{
	struct mzr_network *network;
	struct way *way;
	struct mzr_vpc *vpc;
	__u32 vni;

	if (!packet)
		return GO_DROP;
	way = &packet->way;
	vni = packet->inner.to.vni;
	vpc = bpf_map_lookup_elem(&vpcs, &vni);
	if (!vpc)
		return go_drop(way, MZR_DROP_NO_VPC);
	if (asked == MZR_STAGE_NONE || (asked >= MZR_STAGE_HOST && asked <= MZR_STAGE_LAST))
		return go_drop(way, MZR_DROP_NOT_HERE);
	network = find_network(vpc, &packet->inner.to);
	if (network) {
		way->network = network->network;
		if (network->flags & MZR_HELD)
			return go_drop(way, MZR_DROP_NO_ENDPOINT);
		if (asked == MZR_STAGE_BOUNCER)
			return go_drop(way, MZR_DROP_NOT_HERE);
		way->host = choose(packet, &network->bouncers, network->count);
		way->stage = MZR_STAGE_BOUNCER;
	} else {
		if (vpc->flags & MZR_HELD)
			return go_drop(way, MZR_DROP_NO_ENDPOINT);
		if (asked != MZR_ASKED_BY_PORT)
			return go_drop(way, MZR_DROP_NOT_HERE);
		way->host = choose(packet, &vpc->dividers, vpc->count);
		way->stage = MZR_STAGE_DIVIDER;
	}
	return way->host ? GO_HOST : go_drop(way, MZR_DROP_NOT_HERE);
}

/* What `direct` says of a destination. */
enum direct {
	DIRECT_NONE = 0,
	DIRECT_WAY = 1,	   /* way->host has it */
	DIRECT_ASK = 2,	   /* it is time to ask who has it */
	DIRECT_NOBODY = 4, /* nobody has it, for way->reason */
	DIRECT_ASKED = 8,  /* `endpoints` has no row: `direct` was looked at */
	DIRECT_ROW = 16,   /* `endpoints` has a row, whose host is to be asked */
};

/* Step 2, for what a port sends to an address that `endpoints` has no row for. */
static __always_inline __u32 go_direct(const struct mzr_config *row, struct packet *packet)
{
	const struct mzr_endpoint_key *to = &packet->inner.to;
	struct mzr_direct *entry = find_direct(to);
	struct way *way = &packet->way;
	__u32 tick = packet->moment;
	const struct peer *peer;

	if (!entry)
		return row->direct_after > 1 && put_first(to) ? DIRECT_NONE : DIRECT_ASK;
	if (is_nobody(entry, tick)) {
		way->reason = entry->nobody;
		if (ticks_since(tick, entry->asked) < MZR_ASK_AGAIN)
			return DIRECT_NOBODY;
		entry->asked = tick;
		return DIRECT_NOBODY | DIRECT_ASK;
	}
	peer = is_fresh(entry, row, tick) ? find_peer(row, entry->host, packet->moment) : NULL;
	if (!peer)
		return ++entry->packets < row->direct_after ? DIRECT_NONE : DIRECT_ASK;
	if (!peer->answers) {
		way->avoided = entry->host;
		return DIRECT_ASK;
	}
	way->host = entry->host;
	way->network = entry->network;
	way->stage = MZR_STAGE_NONE;
	if (ticks_since(tick, entry->proven) <= row->direct_age / 4 ||
	    ticks_since(tick, entry->asked) < MZR_ASK_AGAIN)
		return DIRECT_WAY;
	entry->asked = tick;
	return DIRECT_WAY | DIRECT_ASK;
}

/*
 * A port's packet by a row of `endpoints`, which is no proof that its host knows the VNI as the same VPC's:
 * until it has proven that, the packet bears the VPC's tag.
 */
static __always_inline void go_by_row(const struct mzr_config *row, struct mzr_endpoint *endpoint,
				      struct packet *packet)
{
	struct way *way = &packet->way;
	__u32 tick = packet->moment, age = ticks_since(tick, endpoint->proven);

	if (endpoint->proven && age <= row->direct_age) {
		way->stage = MZR_STAGE_NONE;
		if (age <= row->direct_age / 4)
			return;
	}
	if ((__u16)(tick - endpoint->asked) < MZR_ASK_AGAIN && endpoint->asked)
		return;
	endpoint->asked = tick ? tick : 1;
	way->found = DIRECT_ROW | DIRECT_ASK;
}

/* A host says whether it has an endpoint that a row here says it has. False: there is no such row. */
static __always_inline bool prove_row(const struct mzr_endpoint_key *key, __be32 host, __u32 proven)
{
	struct mzr_endpoint *endpoint = bpf_map_lookup_elem(&endpoints, key);

	if (!endpoint || endpoint->kind != MZR_ENDPOINT_REMOTE || endpoint->host != host)
		return false;
	endpoint->proven = proven;
	return true;
}

/* The rule. `endpoint`: the row for the packet's destination, if there is one. `asked`: the stage that it
 * came with, or MZR_ASKED_BY_PORT. */
static __always_inline int decide(const struct mzr_config *row, const struct mzr_endpoint *endpoint,
				  struct packet *packet, __u32 asked)
{
	struct way *way = &packet->way;

	way->stage = MZR_STAGE_NONE;
	way->reason = MZR_DROP_NONE;
	if (!endpoint)
		return decide_by_tables(packet, asked);
	way->network = endpoint->network;
	way->ifindex = endpoint->ifindex;
	way->host = endpoint->host;
	switch (endpoint->kind) {
	case MZR_ENDPOINT_LOCAL:
		return way->ifindex ? GO_PORT : go_drop(way, MZR_DROP_PENDING);
	case MZR_ENDPOINT_REMOTE:
		/* A row that sends to this host itself would go round. */
		if (way->host == row->address)
			return go_drop(way, MZR_DROP_STAGE);
		/* With its tag, since this row is no proof that the host knows the VNI as the same VPC's. */
		if (asked == MZR_ASKED_BY_PORT || asked == MZR_STAGE_DIVIDER || asked == MZR_STAGE_BOUNCER) {
			way->stage = MZR_STAGE_HOST;
			return GO_HOST;
		}
		/* It has moved away from here: once more, but not for ever. */
		way->stage = (asked == MZR_STAGE_NONE ? MZR_STAGE_HOST : asked) + 1;
		return way->stage <= MZR_STAGE_LAST ? GO_HOST : go_drop(way, MZR_DROP_STAGE);
	case MZR_ENDPOINT_GATEWAY:
		return GO_GATEWAY;
	case MZR_ENDPOINT_BROADCAST:
		return go_drop(way, MZR_DROP_BROADCAST);
	case MZR_ENDPOINT_UNREACHABLE:
		return go_drop(way, MZR_DROP_HOST_DOWN);
	}
	return go_drop(way, MZR_DROP_ENDPOINT_KIND);
}

/* What the rule said to a packet of the flow in this tick; GO_UNKNOWN if to none. */
static __always_inline int recall(const struct heading *heading, struct packet *packet, __u32 asked)
{
	struct way *way = &packet->way;

	if (!is_heading(heading, packet, asked))
		return GO_UNKNOWN;
	way->network = heading->network;
	way->host = heading->host;
	way->ifindex = heading->ifindex;
	way->avoided = 0;
	way->stage = heading->stage;
	way->reason = heading->reason;
	way->found = DIRECT_NONE;
	return heading->go;
}

static __always_inline void remember(struct heading *heading, const struct packet *packet, __u32 asked,
				     int go)
{
	const struct way *way = &packet->way;

	heading->moment = packet->moment;
	heading->to = packet->inner.to;
	heading->flow = packet->inner.flow;
	heading->network = way->network;
	heading->host = way->host;
	heading->vpc = packet->vpc;
	heading->ifindex = way->ifindex;
	heading->asked = asked;
	heading->go = go;
	heading->stage = way->stage;
	heading->reason = way->reason;
	__builtin_memset(heading->mac, 0, sizeof(heading->mac));
}

#endif /* MIZAR_FORWARD_H */
