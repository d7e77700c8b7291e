/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Ones' complement sums, RFC 1071 and RFC 1624. */
#ifndef MIZAR_CHECKSUM_H
#define MIZAR_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static __always_inline void checksum_replace16(__u16 *checksum, __u16 from, __u16 to)
{
	*checksum = ~fold((__u64)(__u16) ~*checksum + (__u16)~from + to);
}

static __always_inline void checksum_replace32(__u16 *checksum, __u32 from, __u32 to)
{
	*checksum = ~fold((__u64)(__u16) ~*checksum + (__u32)~from + to);
}

/* The sum of ICMPv6's pseudo header, RFC 8200 8.1. */
static __always_inline __u32 pseudo_sum6(const __be32 *from, const __be32 *to, __u32 size)
{
	__u64 sum = 0;
	int i;

	for (i = 0; i < 4; i++) {
		sum += from[i];
		sum += to[i];
	}
	sum += bpf_htonl(size);
	sum += bpf_htonl(IPPROTO_ICMPV6);
	return fold(sum);
}

#define MZR_SUM_CHUNK 128

struct summing {
	struct __sk_buff *skb;
	__u32 offset;
	__u32 size;
	__u32 sum;
	bool failed;
};

static long sum_chunk(__u32 index, struct summing *summing)
{
	__u8 chunk[MZR_SUM_CHUNK] __attribute__((aligned(8))) = {};
	__u32 done = index * MZR_SUM_CHUNK;
	__u32 left = summing->size - done;
	__s64 sum;

	if (done >= summing->size)
		return 1;
	if (left > MZR_SUM_CHUNK)
		left = MZR_SUM_CHUNK;
	/* The verifier must see that it is not 0. */
	asm volatile("" : "+r"(left));
	left = ((left - 1) & (MZR_SUM_CHUNK - 1)) + 1;
	summing->failed = true;
	if (bpf_skb_load_bytes(summing->skb, summing->offset + done, chunk, left))
		return 1;
	sum = bpf_csum_diff(NULL, 0, (__be32 *)chunk, sizeof(chunk), summing->sum);
	if (sum < 0)
		return 1;
	summing->sum = sum;
	summing->failed = false;
	return 0;
}

/* The sum over `size` bytes at `offset`, and `sum`; negative where they are not there. Global: verified by
 * itself. */
__noinline __s64 sum_of(struct __sk_buff *skb, __u32 offset, __u32 size, __u32 sum)
{
	struct summing summing = {.skb = skb, .offset = offset, .size = size, .sum = sum};

	bpf_loop(65536 / MZR_SUM_CHUNK, sum_chunk, &summing, 0);
	return summing.failed ? -1 : (__s64)summing.sum;
}

#endif /* MIZAR_CHECKSUM_H */
