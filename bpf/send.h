/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* The tails of a port whose packets go to another host. */
#ifndef MIZAR_SEND_H
#define MIZAR_SEND_H

#include <linux/pkt_cls.h>

#include "ask.h"
#include "count.h"
#include "fragment.h"
#include "icmp.h"
#include "tails.h"
#include "tunnel.h"
#include "underlay.h"

/* The end of a port's packet: its sender is told, where it can do something about it. */
static __always_inline int drop_and_tell(struct __sk_buff *skb, struct packet *packet, __u32 reason,
					 __u32 bytes)
{
	if (packet && is_told(reason)) {
		packet->reason = reason;
		bpf_tail_call(skb, &tails, MZR_TAIL_ICMP);
	}
	count_drop(reason, bytes);
	return TC_ACT_SHOT;
}

/* The same, unless it is only too big: what can be made to fit comes in by its port anew. */
static __always_inline int end(struct __sk_buff *skb, struct packet *packet, __u32 reason, __u32 bytes)
{
	if (packet && reason == MZR_DROP_TOO_BIG)
		bpf_tail_call(skb, &tails, MZR_TAIL_FRAGMENT);
	return drop_and_tell(skb, packet, reason, bytes);
}

static __always_inline int fragment_program(struct __sk_buff *skb)
{
	struct packet *packet = packet_of(HOLDER_PORT);
	__u32 bytes = skb->len;
	int verdict = 0, reason = packet ? make_fit(skb, packet, &verdict) : MZR_DROP_INTERNAL;

	if (verdict)
		return verdict;
	if (!reason) {
		bpf_tail_call(skb, &programs, MZR_PROGRAM_PORT);
		reason = MZR_DROP_NO_PROGRAM;
	}
	return drop_and_tell(skb, packet, reason, bytes);
}

/* What the packet gives occasion to ask; then it is sent, or ends for packet->reason. */
static __always_inline int tend_program(struct __sk_buff *skb)
{
	const __u32 zero = 0;
	struct packet *packet = packet_of(HOLDER_PORT);
	const struct mzr_config *row = bpf_map_lookup_elem(&config, &zero);
	__u32 bytes = skb->len;

	if (!packet || !row) {
		count_drop(MZR_DROP_INTERNAL, bytes);
		return TC_ACT_SHOT;
	}
	if (packet->reason) {
		ask_tables(skb, row, packet);
		return drop_and_tell(skb, packet, packet->reason, bytes);
	}
	tend(skb, row, packet);
	bpf_tail_call(skb, &tails, MZR_TAIL_SEND);
	count_drop(MZR_DROP_NO_PROGRAM, bytes);
	return TC_ACT_SHOT;
}

static __always_inline int send_packet(struct __sk_buff *skb, const struct mzr_config *row,
				       struct packet *packet, int *verdict)
{
	const struct inner *in = &packet->inner;
	struct cursor c = cursor_of_skb(skb);
	struct peer *peer;
	int reason;

	peer = find_peer(row, packet->way.host, packet->moment);
	if (peer && peer->mtu != packet->mtu) {
		packet->mtu = peer->mtu;
		if (too_big(skb, peer->mtu, in))
			return MZR_DROP_TOO_BIG;
	}
	if ((packet->crosses && !spend_hop(&c, in)))
		return MZR_DROP_INTERNAL;
	reason = encapsulate(skb, row, packet);
	if (reason)
		return reason;
	*verdict = send_to_peer(skb, row, peer, outer_tos(row, in->tos));
	count_sent_by(packet->slot, in->packets, bytes_of(in), packet->way.stage);
	return 0;
}

static __always_inline int send_program(struct __sk_buff *skb)
{
	const __u32 zero = 0;
	const struct mzr_config *row = bpf_map_lookup_elem(&config, &zero);
	struct packet *packet = packet_of(HOLDER_PORT);
	int verdict = TC_ACT_SHOT, reason = MZR_DROP_INTERNAL;
	__u32 bytes = skb->len;

	if (row && packet)
		reason = send_packet(skb, row, packet, &verdict);
	if (!reason)
		return verdict;
	return end(skb, packet, reason, bytes);
}

#endif /* MIZAR_SEND_H */
