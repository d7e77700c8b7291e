/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * What proves an answer. A question goes by way of tables, as a packet for the address would, with a nonce: a
 * keyed hash over what it asks for and the time, so nothing is kept for it. Who answers with that nonce has
 * seen the question.
 */
#ifndef MIZAR_NONCE_H
#define MIZAR_NONCE_H

#include "address.h"
#include "clock.h"

/* SipHash's key: the loader's, random for each load. */
const volatile __u64 mzr_key[2] = {0, 0};

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

/* SipHash-1-3 of five words: VNI, address, the VPC that is meant, period. */
static __noinline __u64 nonce_of(const struct mzr_endpoint_key *key, __u64 vpc, __u64 period)
{
	const __be32 *word = const_words(&key->address);
	__u64 v0 = mzr_key[0] ^ 0x736f6d6570736575ULL, v1 = mzr_key[1] ^ 0x646f72616e646f6dULL;
	__u64 v2 = mzr_key[0] ^ 0x6c7967656e657261ULL, v3 = mzr_key[1] ^ 0x7465646279746573ULL;
	__u64 message[5] = {
		key->vni,
		(__u64)bpf_ntohl(word[0]) << 32 | bpf_ntohl(word[1]),
		(__u64)bpf_ntohl(word[2]) << 32 | bpf_ntohl(word[3]),
		vpc,
		period,
	};
	int i;

#pragma clang loop unroll(full)
	for (i = 0; i < 5; i++) {
		v3 ^= message[i];
		MZR_SIP_ROUND;
		v0 ^= message[i];
	}
	/* The last word of the definition: the length in its highest byte. */
	v3 ^= 40ULL << 56;
	MZR_SIP_ROUND;
	v0 ^= 40ULL << 56;
	v2 ^= 0xff;
	MZR_SIP_ROUND;
	MZR_SIP_ROUND;
	MZR_SIP_ROUND;
	return v0 ^ v1 ^ v2 ^ v3;
}

/* Whether an answer's nonce is one that this host sent a moment ago. */
static __always_inline bool is_proven(const struct mzr_endpoint_key *key, __u64 vpc, __u64 nonce, __u64 time)
{
	__u64 period = time >> MZR_PERIOD_SHIFT;

	return nonce == nonce_of(key, vpc, period) || nonce == nonce_of(key, vpc, period - 1);
}

#endif /* MIZAR_NONCE_H */
