/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * The one forwarding rule (docs/architecture.md): where does a packet to (VNI, address) go from here?
 * Bouncers and dividers are rows that a host holds, so every host runs this, from tc and from XDP.
 */
#ifndef MIZAR_FORWARD_H
#define MIZAR_FORWARD_H

#include "memo.h"

/* Who asks: an endpoint of this host, which may be sent through every table. Beside enum mzr_stage. */
#define MZR_ASKED_BY_PORT 0xff

enum go {
	GO_DROP,
	GO_PORT,    /* deliver to `ifindex` */
	GO_HOST,    /* send to `host` with `stage` */
	GO_GATEWAY, /* the gateway of `network` is meant */
	GO_UNKNOWN, /* nothing is remembered */
};

struct way {
	__u64 network; /* the endpoint's, 0 where it is not known; GO_GATEWAY: the gateway's */
	__be32 host;
	__u32 ifindex;
	__be32 avoided; /* a host that is silent, in whose place `host` is; 0: none */
	__u8 reason;	/* GO_DROP: enum mzr_drop_reason */
	__u8 stage;	/* enum mzr_stage */
	__u8 found;	/* a port's packet: what `direct` says, enum direct */
};

static __always_inline int go_drop(struct way *way, __u32 reason)
{
	way->reason = reason;
	return GO_DROP;
}

/* Whom a flow's member is chosen for, and who is passed over. */
struct choice {
	__u32 flow;
	__be32 self; /* this host: it is asked because it lacks the table */
	__be32 avoided[2];
};

/*
 * Rendezvous hashing: every member gets a score for the flow, and the highest serves it. 0: there is nobody
 * else. Global, so that the verifier takes its loop once.
 */
__noinline __be32 choose(const struct mzr_members *members, __u32 count, const struct choice *choice)
{
	__be32 best = 0;
	__u32 highest = 0;
	__u32 i;

	if (!members || !choice)
		return 0;
	for (i = 0; i < MZR_MEMBERS_MAX; i++) {
		__be32 member;
		__u32 score;

		if (i >= count)
			break;
		member = members->host[i];
		score = mix32(choice->flow ^ mix32(bpf_ntohl(member)));
		/* Members ascend, so the higher address takes a tie. */
		if (member == choice->self || member == choice->avoided[0] || member == choice->avoided[1] ||
		    (best && score < highest))
			continue;
		best = member;
		highest = score;
	}
	return best;
}

/*
 * The member that serves the flow; if it is silent, the next that is not, or else it after all. Two are
 * passed over at most: each costs the loop once more.
 */
static __always_inline __be32 choose_answering(const struct mzr_members *members, __u32 count, __u32 flow,
					       __be32 self, struct way *way)
{
	const __u32 zero = 0;
	struct mzr_config *row = bpf_map_lookup_elem(&config, &zero);
	struct choice choice = {.flow = flow, .self = self};
	__be32 first = choose(members, count, &choice), next;
	__u64 time;

	if (!row || !first)
		return first;
	time = moment(row);
	if (peer_answers(row, first, time))
		return first;
	way->avoided = first;
	choice.avoided[0] = first;
	next = choose(members, count, &choice);
	if (!next || peer_answers(row, next, time))
		return next ? next : first;
	choice.avoided[1] = next;
	next = choose(members, count, &choice);
	if (next && peer_answers(row, next, time))
		return next;
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
__noinline int decide_by_tables(const struct mzr_endpoint_key *to, struct way *way, __u32 flow, __u32 asked,
				__be32 self)
{
	struct mzr_network *network;
	struct mzr_vpc *vpc;
	__u32 vni;

	if (!to || !way)
		return GO_DROP;
	vni = to->vni;
	vpc = bpf_map_lookup_elem(&vpcs, &vni);
	if (!vpc)
		return go_drop(way, MZR_DROP_NO_VPC);
	if (asked == MZR_STAGE_NONE || (asked >= MZR_STAGE_HOST && asked <= MZR_STAGE_LAST))
		return go_drop(way, MZR_DROP_NOT_HERE);
	network = find_network(vpc, to);
	if (network) {
		way->network = network->network;
		if (network->flags & MZR_HELD)
			return go_drop(way, MZR_DROP_NO_ENDPOINT);
		if (asked == MZR_STAGE_BOUNCER)
			return go_drop(way, MZR_DROP_NOT_HERE);
		way->host = choose_answering(&network->bouncers, network->count, flow, self, way);
		way->stage = MZR_STAGE_BOUNCER;
	} else {
		if (vpc->flags & MZR_HELD)
			return go_drop(way, MZR_DROP_NO_ENDPOINT);
		if (asked != MZR_ASKED_BY_PORT)
			return go_drop(way, MZR_DROP_NOT_HERE);
		way->host = choose_answering(&vpc->dividers, vpc->count, flow, self, way);
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
};

/* Step 2, for what a port sends to an address that `endpoints` has no row for. */
static __always_inline __u32 go_direct(const struct mzr_config *row, const struct mzr_endpoint_key *to,
				       struct way *way)
{
	struct mzr_direct *entry = find_direct(to);
	__u64 time = moment(row);
	__u32 tick = time;
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
	peer = is_fresh(entry, row, tick) ? find_peer(row, entry->host, time) : NULL;
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

/* The rule. `endpoint`: the row for `to`, if there is one. `asked`: the stage that the packet came with, or
 * MZR_ASKED_BY_PORT. */
static __always_inline int decide(const struct mzr_config *row, const struct mzr_endpoint *endpoint,
				  const struct mzr_endpoint_key *to, __u32 flow, __u32 asked, struct way *way)
{
	way->stage = MZR_STAGE_NONE;
	way->reason = MZR_DROP_NONE;
	if (!endpoint)
		return decide_by_tables(to, way, flow, asked, row->address);
	way->network = endpoint->network;
	way->ifindex = endpoint->ifindex;
	way->host = endpoint->host;
	if (endpoint->kind == MZR_ENDPOINT_LOCAL)
		return way->ifindex ? GO_PORT : go_drop(way, MZR_DROP_PENDING);
	if (endpoint->kind == MZR_ENDPOINT_REMOTE) {
		/* A row that sends to this host itself would go round. */
		if (way->host == row->address)
			return go_drop(way, MZR_DROP_STAGE);
		if (asked == MZR_ASKED_BY_PORT)
			return GO_HOST;
		if (asked == MZR_STAGE_DIVIDER || asked == MZR_STAGE_BOUNCER) {
			way->stage = MZR_STAGE_HOST;
			return GO_HOST;
		}
		/* It has moved away from here: once more, but not for ever. */
		way->stage = (asked == MZR_STAGE_NONE ? MZR_STAGE_HOST : asked) + 1;
		return way->stage <= MZR_STAGE_LAST ? GO_HOST : go_drop(way, MZR_DROP_STAGE);
	}
	if (endpoint->kind == MZR_ENDPOINT_GATEWAY)
		return GO_GATEWAY;
	if (endpoint->kind == MZR_ENDPOINT_BROADCAST)
		return go_drop(way, MZR_DROP_BROADCAST);
	return go_drop(way, MZR_DROP_HOST_DOWN);
}

/* What the rule said to a packet of the flow in this tick; GO_UNKNOWN if to none. */
static __always_inline int recall(const struct heading *heading, __u64 time,
				  const struct mzr_endpoint_key *to, __u32 flow, __u32 asked, struct way *way)
{
	if (!is_heading(heading, time, to, flow, asked))
		return GO_UNKNOWN;
	way->network = heading->network;
	way->host = heading->host;
	way->ifindex = heading->ifindex;
	way->stage = heading->stage;
	way->reason = heading->reason;
	return heading->go;
}

static __always_inline void remember(struct heading *heading, __u64 time, const struct mzr_endpoint_key *to,
				     __u32 flow, __u32 asked, int go, const struct way *way)
{
	heading->moment = time;
	heading->to = *to;
	heading->flow = flow;
	heading->network = way->network;
	heading->host = way->host;
	heading->ifindex = way->ifindex;
	heading->asked = asked;
	heading->go = go;
	heading->stage = way->stage;
	heading->reason = way->reason;
	__builtin_memset(heading->mac, 0, sizeof(heading->mac));
}

#endif /* MIZAR_FORWARD_H */
