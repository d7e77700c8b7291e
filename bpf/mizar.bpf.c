// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0)
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "mizar_abi.h"
#include "maps.h"
#include "count.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/*
 * Flags that bpf_skb_adjust_room gets when it takes an IPv4 outer header off an IPv6 packet. Set by the loader:
 * BPF_F_ADJ_ROOM_DECAP_L3_IPV6 on kernels that know it (6.3), 0 on older ones.
 */
const volatile __u64 mzr_decap_flags = 0;

SEC("tc") int mizar_port(struct __sk_buff *skb)
{
	count_drop(MZR_DROP_UNKNOWN_PORT, skb->len);
	return TC_ACT_SHOT;
}

SEC("tc") int mizar_uplink(struct __sk_buff *skb)
{
	bpf_skb_adjust_room(skb, 0, BPF_ADJ_ROOM_MAC, mzr_decap_flags);
	return TC_ACT_UNSPEC;
}

SEC("tc") int mizar_guard(struct __sk_buff *skb)
{
	(void)skb;
	return TC_ACT_UNSPEC;
}

SEC("tc") int mizar_port_entry(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &programs, MZR_PROGRAM_PORT);
	count_drop(MZR_DROP_NO_PROGRAM, skb->len);
	return TC_ACT_SHOT;
}

SEC("tc") int mizar_uplink_entry(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &programs, MZR_PROGRAM_UPLINK);
	return TC_ACT_UNSPEC;
}

SEC("tc") int mizar_guard_entry(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &programs, MZR_PROGRAM_GUARD);
	return TC_ACT_UNSPEC;
}

SEC("xdp") int mizar_xdp(struct xdp_md *xdp)
{
	(void)xdp;
	return XDP_PASS;
}
