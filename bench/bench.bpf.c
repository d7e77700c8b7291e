// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0)
/* What `make bench` compares with and injects by: no part of the data plane. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "mizar_abi.h"

/* The data plane's own table, by its descriptor. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 64);
	__type(key, struct mzr_endpoint_key);
	__type(value, struct mzr_endpoint);
} endpoints SEC(".maps");

/* Slot 0: the program that injected frames go to; empty: they pass to the stack, as from a driver. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} target SEC(".maps");

/* The first bytes of an injected frame: the kernel sends the same frames again and again, as they came out.
 */
#define HEAD_SIZE 64

struct head {
	__u64 words[HEAD_SIZE / 8];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct head);
} head SEC(".maps");

/* Addresses of injected frames that are random: base + (n << shift), n below count. */
struct vary {
	__u32 places[2]; /* offsets in the frame; 0: none */
	__u32 base;
	__u32 count; /* 0: nothing varies */
	__u32 shift;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vary);
} vary SEC(".maps");

/* Slot 0: the program behind `dispatch`. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} dispatched SEC(".maps");

/* Frames that arrived at the far end. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} arrived SEC(".maps");

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tc")
int empty_tc(struct __sk_buff *skb)
{
	(void)skb;
	return TC_ACT_SHOT;
}

SEC("xdp")
int empty_xdp(struct xdp_md *xdp)
{
	(void)xdp;
	return XDP_DROP;
}

/* What an interface carries so that it runs XDP at all. */
SEC("xdp")
int pass_xdp(struct xdp_md *xdp)
{
	(void)xdp;
	return XDP_PASS;
}

/* The packet's two addresses, looked up and nothing else. */
SEC("tc")
int two_lookups(struct __sk_buff *skb)
{
	struct iphdr *ip = (void *)(long)skb->data + ETH_HLEN;
	struct mzr_endpoint_key key = {.vni = 100};
	__be32 *word = (void *)key.address.bytes;
	struct mzr_endpoint *first, *second;
	__be32 to;

	if ((void *)(ip + 1) > (void *)(long)skb->data_end)
		return TC_ACT_OK;
	to = ip->daddr;
	word[2] = bpf_htonl(0xffff);
	word[3] = ip->saddr;
	first = bpf_map_lookup_elem(&endpoints, &key);
	word[3] = to;
	second = bpf_map_lookup_elem(&endpoints, &key);
	return first && second && first->kind == second->kind ? TC_ACT_SHOT : TC_ACT_OK;
}

/* What interfaces carry: as the product's entry programs, so that an empty program has the same way to it. */
SEC("tc")
int dispatch(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &dispatched, 0);
	return TC_ACT_SHOT;
}

static __always_inline bool put_address(struct xdp_md *xdp, int index)
{
	const __u32 zero = 0;
	const struct vary *row = bpf_map_lookup_elem(&vary, &zero);
	__u32 place, number;
	__be32 *to;

	if (!row)
		return false;
	place = row->places[index];
	if (!row->count || !place)
		return true;
	number = bpf_get_prandom_u32() % row->count;
	to = (void *)(long)xdp->data + (place & 0xff);
	if ((void *)(to + 1) > (void *)(long)xdp->data_end)
		return false;
	*to = bpf_htonl(row->base + (number << row->shift));
	return true;
}

SEC("xdp")
int inject(struct xdp_md *xdp)
{
	const __u32 zero = 0;
	struct head *from = bpf_map_lookup_elem(&head, &zero);
	struct head *to = (void *)(long)xdp->data;

	if (!from || (void *)(to + 1) > (void *)(long)xdp->data_end)
		return XDP_ABORTED;
	__builtin_memcpy(to, from, sizeof(*to));
	if (!put_address(xdp, 0) || !put_address(xdp, 1))
		return XDP_ABORTED;
	bpf_tail_call(xdp, &target, 0);
	return XDP_PASS;
}

SEC("xdp")
int sink_xdp(struct xdp_md *xdp)
{
	const __u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&arrived, &zero);

	(void)xdp;
	if (count)
		*count += 1;
	return XDP_DROP;
}

SEC("tc")
int sink_tc(struct __sk_buff *skb)
{
	const __u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&arrived, &zero);

	(void)skb;
	if (count)
		*count += 1;
	return TC_ACT_SHOT;
}
