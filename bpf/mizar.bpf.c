// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0)
/*
 * The data plane: four tc programs with the tails behind them, one for XDP in two forms, and the entry
 * programs that interfaces carry, all over the same maps. docs/datapath.md says what each does with which
 * packet.
 */
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "port.h"
#include "uplink.h"
#include "transit.h"
#include "guard.h"
#include "beside.h"

/* The layout of the maps above, for the loader. */
const volatile __u32 mzr_layout = MZR_LAYOUT;

/* For a test: every program with so many bytes more on its stack, which the verifier must find room for. */
#ifdef MZR_SPARE_STACK
#define RUN(program, context)                                                                                \
	({                                                                                                   \
		volatile __u8 spare[MZR_SPARE_STACK];                                                        \
		int verdict;                                                                                 \
                                                                                                             \
		spare[0] = 0;                                                                                \
		verdict = program(context);                                                                  \
		asm volatile("" : : "r"(spare) : "memory");                                                  \
		verdict;                                                                                     \
	})
#else
#define RUN(program, context) program(context)
#endif

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tc")
int mizar_port(struct __sk_buff *skb)
{
	return RUN(port_program, skb);
}

SEC("tc")
int mizar_answer(struct __sk_buff *skb)
{
	return RUN(answer_program, skb);
}

SEC("tc")
int mizar_tend(struct __sk_buff *skb)
{
	return RUN(tend_program, skb);
}

SEC("tc")
int mizar_send(struct __sk_buff *skb)
{
	return RUN(send_program, skb);
}

SEC("tc")
int mizar_fragment(struct __sk_buff *skb)
{
	return RUN(fragment_program, skb);
}

SEC("tc")
int mizar_icmp(struct __sk_buff *skb)
{
	return RUN(icmp_program, skb);
}

SEC("tc")
int mizar_uplink(struct __sk_buff *skb)
{
	return RUN(uplink_program, skb);
}

SEC("tc")
int mizar_forward(struct __sk_buff *skb)
{
	return RUN(forward_program, skb);
}

SEC("tc")
int mizar_control(struct __sk_buff *skb)
{
	return RUN(control_program, skb);
}

SEC("tc")
int mizar_guard(struct __sk_buff *skb)
{
	return RUN(guard_program, skb);
}

SEC("tc")
int mizar_loopback(struct __sk_buff *skb)
{
	return RUN(loopback_program, skb);
}

SEC("xdp")
int mizar_xdp(struct xdp_md *xdp)
{
	return RUN(xdp_program, xdp);
}

/* Loaded for one interface, whose driver keeps a frame's VLAN tag beside it. */
SEC("xdp")
int mizar_xdp_bound(struct xdp_md *xdp)
{
	return is_untagged(xdp) ? RUN(xdp_program, xdp) : XDP_PASS;
}

SEC("tc")
int mizar_beside(struct __sk_buff *skb)
{
	return RUN(beside_program, skb);
}

SEC("tc")
int mizar_beside_guard(struct __sk_buff *skb)
{
	return RUN(beside_guard_program, skb);
}

/* What interfaces carry: one write to `programs` replaces a program on all of them. */

SEC("tc")
int mizar_port_entry(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &programs, MZR_PROGRAM_PORT);
	count_drop(MZR_DROP_NO_PROGRAM, skb->len);
	return TC_ACT_SHOT;
}

SEC("tc")
int mizar_uplink_entry(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &programs, MZR_PROGRAM_UPLINK);
	return without_program(skb, false);
}

SEC("tc")
int mizar_guard_entry(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &programs, MZR_PROGRAM_GUARD);
	return without_program(skb, true);
}
