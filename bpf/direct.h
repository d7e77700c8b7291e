/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * The direct path (docs/direct-path.md): where endpoints of other hosts are, learned from their hosts'
 * answers.
 *
 * A question goes by way of tables, as a packet for the address would, with a nonce: a keyed hash over what
 * it asks for and the time, so nothing is kept for it. Who answers with that nonce has seen the question.
 */
#ifndef MIZAR_DIRECT_H
#define MIZAR_DIRECT_H

#include "maps.h"
#include "parse.h"

/* SipHash's key: the loader's, random for each load. */
const volatile __u64 mzr_key[2] = {0, 0};

/* How often a pair asks again whether its entry still holds: a quarter of an entry's age, and if nobody
 * answers, so many ticks later (268 ms). */
#define MZR_ASK_AGAIN 16
/* How long it holds that nobody has an address, in ticks (3.2 s): a ping a second finds the last answer. */
#define MZR_NOBODY_AGE 192

static __always_inline __u64 now(void)
{
	return bpf_ktime_get_coarse_ns();
}

static __always_inline __u32 ticks(__u64 time)
{
	return time >> MZR_TICK_SHIFT;
}

/* Ticks from `then` to `tick`. Another CPU's clock may be one ahead of this one's. */
static __always_inline __u32 ticks_since(__u32 tick, __u32 then)
{
	return then == tick + 1 ? 0 : tick - then;
}

static __always_inline __u64 rotate(__u64 x, int bits)
{
	return x << bits | x >> (64 - bits);
}

#define MZR_SIP_ROUND                                                                                        \
	do {                                                                                                 \
		v0 += v1;                                                                                    \
		v1 = rotate(v1, 13) ^ v0;                                                                    \
		v0 = rotate(v0, 32);                                                                         \
		v2 += v3;                                                                                    \
		v3 = rotate(v3, 16) ^ v2;                                                                    \
		v0 += v3;                                                                                    \
		v3 = rotate(v3, 21) ^ v0;                                                                    \
		v2 += v1;                                                                                    \
		v1 = rotate(v1, 17) ^ v2;                                                                    \
		v2 = rotate(v2, 32);                                                                         \
	} while (0)

/* SipHash-1-3 of four words: VNI, address, period. */
static __noinline __u64 nonce_of(const struct mzr_endpoint_key *key, __u64 period)
{
	const __be32 *word = const_words(&key->address);
	__u64 v0 = mzr_key[0] ^ 0x736f6d6570736575ULL, v1 = mzr_key[1] ^ 0x646f72616e646f6dULL;
	__u64 v2 = mzr_key[0] ^ 0x6c7967656e657261ULL, v3 = mzr_key[1] ^ 0x7465646279746573ULL;
	__u64 message[4] = {
		key->vni,
		(__u64)bpf_ntohl(word[0]) << 32 | bpf_ntohl(word[1]),
		(__u64)bpf_ntohl(word[2]) << 32 | bpf_ntohl(word[3]),
		period,
	};
	int i;

#pragma clang loop unroll(full)
	for (i = 0; i < 4; i++) {
		v3 ^= message[i];
		MZR_SIP_ROUND;
		v0 ^= message[i];
	}
	/* The last word of the definition: the length in its highest byte. */
	v3 ^= 32ULL << 56;
	MZR_SIP_ROUND;
	v0 ^= 32ULL << 56;
	v2 ^= 0xff;
	MZR_SIP_ROUND;
	MZR_SIP_ROUND;
	MZR_SIP_ROUND;
	return v0 ^ v1 ^ v2 ^ v3;
}

/* Whether an answer's nonce is one that this host sent a moment ago. */
static __always_inline bool is_proven(const struct mzr_endpoint_key *key, __u64 nonce, __u64 time)
{
	__u64 period = time >> MZR_PERIOD_SHIFT;

	return nonce == nonce_of(key, period) || nonce == nonce_of(key, period - 1);
}

/* The VPC's entry for the address; NULL: none. */
static __always_inline struct mzr_direct *find_direct(const struct mzr_endpoint_key *key)
{
	__u32 vni = key->vni;
	void *table = bpf_map_lookup_elem(&direct, &vni);

	return table ? bpf_map_lookup_elem(table, &key->address) : NULL;
}

static __always_inline bool is_fresh(const struct mzr_direct *entry, const struct mzr_config *row, __u32 tick)
{
	return entry->host && ticks_since(tick, entry->proven) <= row->direct_age;
}

static __always_inline bool is_nobody(const struct mzr_direct *entry, __u32 tick)
{
	return !entry->host && entry->nobody && ticks_since(tick, entry->proven) <= MZR_NOBODY_AGE;
}

/*
 * Makes or replaces an entry. False: nobody here has anything to do with the VPC. Global, which also puts
 * struct mzr_direct into the object's BTF as a whole.
 */
__noinline int put_direct(const struct mzr_endpoint_key *to, const struct mzr_direct *value)
{
	struct mzr_endpoint_key key;
	struct mzr_direct entry;
	__u32 vni;
	void *table;

	if (!to || !value)
		return false;
	/* Linux 6.1 takes neither from a global function's argument: they must be on the stack. */
	key = *to;
	entry = *value;
	vni = key.vni;
	table = bpf_map_lookup_elem(&direct, &vni);
	return table && !bpf_map_update_elem(table, &key.address, &entry, BPF_ANY);
}

/* The entry of a pair's first packet. */
static __noinline int put_first(const struct mzr_endpoint_key *to)
{
	const struct mzr_direct first = {.packets = 1};

	return put_direct(to, &first);
}

/* A host says that the endpoint is not there: what it is believed to have, it may take back. */
static __always_inline void forget(const struct mzr_endpoint_key *key, __be32 host)
{
	__u32 vni = key->vni;
	void *table = bpf_map_lookup_elem(&direct, &vni);
	struct mzr_direct *entry = table ? bpf_map_lookup_elem(table, &key->address) : NULL;

	if (entry && entry->host == host)
		bpf_map_delete_elem(table, &key->address);
}

/* Whether packets may be sent to a host: it answers, as far as it was asked. */
static __always_inline bool answers(const struct mzr_host *host, __u32 patience)
{
	return !(host->flags & MZR_HOST_DOWN) && (!patience || host->missed < patience);
}

static __always_inline bool is_time_to_ask(const struct mzr_host *host, const struct mzr_config *row,
					   __u32 tick)
{
	return row->health_count && (!host->asked || ticks_since(tick, host->asked) >= row->health_interval);
}

/*
 * Another echo went to the host, unless another CPU's was first: it counts as missed until its answer comes.
 * Once it was given up, it must answer several in a row before it is used again.
 */
static __always_inline void expect_answer(struct mzr_host *host, const struct mzr_config *row, __u32 tick)
{
	if (!is_time_to_ask(host, row, tick))
		return;
	host->asked = tick;
	if (host->is_silent) {
		if (host->missed < 255)
			host->missed++;
		host->answered = 0;
	}
	host->is_silent = 1;
}

/* Answers in a row after which a host that was given up is used again. */
#define MZR_ANSWERS_IN_A_ROW 3

static __always_inline void answered(struct mzr_host *host, __u32 patience)
{
	host->is_silent = 0;
	if (host->missed >= patience && ++host->answered < MZR_ANSWERS_IN_A_ROW)
		return;
	host->missed = 0;
	host->answered = 0;
}

#endif /* MIZAR_DIRECT_H */
