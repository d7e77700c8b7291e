/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* ARP, RFC 826. */
#ifndef MIZAR_ARP_H
#define MIZAR_ARP_H

#include "cursor.h"
#include "own.h"
#include "question.h"

#define MZR_ARP_ETHERNET 1
#define MZR_ARP_REQUEST 1
#define MZR_ARP_REPLY 2

struct arp {
	__be16 hardware;
	__be16 protocol;
	__u8 hardware_size;
	__u8 protocol_size;
	__be16 operation;
	__u8 sender_mac[ETH_ALEN];
	__u8 sender[4];
	__u8 target_mac[ETH_ALEN];
	__u8 target[4];
};

static __always_inline int answer_arp(struct __sk_buff *skb, struct cursor *c, const struct mzr_port *port,
				      const __u8 *source_mac)
{
	struct ethhdr *eth = at(c, 0, sizeof(*eth) + sizeof(struct arp));
	struct mzr_endpoint_key key = {.vni = port->vni};
	__be32 asker, asked;
	struct arp *arp;

	if (!eth)
		return MZR_DROP_MALFORMED;
	arp = (void *)(eth + 1);
	if (arp->hardware != bpf_htons(MZR_ARP_ETHERNET) || arp->protocol != bpf_htons(ETH_P_IP) ||
	    arp->hardware_size != ETH_ALEN || arp->protocol_size != 4)
		return MZR_DROP_MALFORMED;
	if (!mac_equal(arp->sender_mac, source_mac))
		return MZR_DROP_SPOOFED_MAC;
	asker = *(__be32 *)arp->sender;
	asked = *(__be32 *)arp->target;
	/* A probe asks whether anybody else has the address (RFC 5227): nobody has. */
	if (!asker)
		return MZR_DROP_NEIGHBOR;
	address_v4(&key.address, asker);
	if (!is_own(&key, skb->ifindex))
		return MZR_DROP_SPOOFED_IP;
	learn(skb->ifindex, port, source_mac);
	if (arp->operation != bpf_htons(MZR_ARP_REQUEST))
		return MZR_DROP_NEIGHBOR;
	address_v4(&key.address, asked);
	if (judge_question(&key, port->network, skb->ifindex, port->flags) == QUESTION_IGNORED)
		return MZR_DROP_NEIGHBOR;
	copy_mac(eth->h_dest, source_mac);
	set_gateway_mac(eth->h_source);
	arp->operation = bpf_htons(MZR_ARP_REPLY);
	copy_mac(arp->target_mac, source_mac);
	*(__be32 *)arp->target = asker;
	set_gateway_mac(arp->sender_mac);
	*(__be32 *)arp->sender = asked;
	return 0;
}

#endif /* MIZAR_ARP_H */
