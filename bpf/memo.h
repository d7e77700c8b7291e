/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * What was read out of the tables a moment ago, per CPU, so that a stream of packets does not ask again: who
 * a host is, who sends at a port, and which way packets go.
 *
 * A memo holds for one tick (17 ms) of one generation of the tables: the reconciler counts it up after each
 * write, so what it wrote is what the next packet meets. Only what the programs learn themselves (`direct`,
 * the health of hosts, MACs) is seen a tick late by others. A slot is its last user's, whoever shares it.
 */
#ifndef MIZAR_MEMO_H
#define MIZAR_MEMO_H

#include <linux/if_ether.h>

#include "address.h"
#include "health.h"
#include "mtu.h"
#include "packet.h"
#include "vpc.h"

/* What memos of now bear: generation and tick. */
static __always_inline __u64 moment(struct packet *packet, const struct mzr_config *row)
{
	return (__u64)row->generation << 32 | tick_of(&packet->clock);
}

/* Of `hosts`. */
struct peer {
	__u64 moment;
	__be32 host;
	__u8 answers;
	__u8 is_due;		 /* another echo */
	__u8 hop;		 /* enum hop */
	__u8 tos;		 /* HOP_KNOWN, HOP_NONE: the packet's that it was looked up for */
	__u8 macs[2 * ETH_ALEN]; /* HOP_KNOWN: the Ethernet header's towards it, destination first */
	__u32 turn;		 /* of XDP's packets, counted on and on */
	__u32 alien;		 /* the last VNI that it sent and no row is for; MZR_NO_VNI: none */
	__be32 gateway;		 /* HOP_KNOWN, HOP_NONE: the next hop's; 0: none on the uplink */
	__u32 mtu;		 /* of the underlay: the host's or this one's, whichever is less */
};

/* The next hop towards a host, on the uplink. */
enum hop {
	HOP_UNKNOWN,
	HOP_KNOWN,
	HOP_NONE, /* for the stack to find out */
};

#define MZR_PEERS 256
#define MZR_NO_VNI 0xffffffff /* a VNI has 24 bits */

MZR_ARRAY(peers, BPF_MAP_TYPE_PERCPU_ARRAY, struct peer, MZR_PEERS);

static __noinline bool fill_peer(struct peer *peer, const struct mzr_config *row, __be32 address, __u64 time)
{
	const struct mzr_host *host = bpf_map_lookup_elem(&hosts, &address);

	if (!host)
		return false;
	peer->moment = time;
	peer->host = address;
	peer->answers = answers(host, row->health_count);
	peer->is_due = is_time_to_ask(host, row, (__u32)time);
	peer->hop = HOP_UNKNOWN;
	peer->alien = MZR_NO_VNI;
	peer->mtu = mtu_towards(row, address);
	return true;
}

/* NULL: it is no host of the topology. */
static __always_inline struct peer *find_peer(const struct mzr_config *row, __be32 address, __u64 time)
{
	__u32 place = bpf_ntohl(address);
	struct peer *peer;

	place = (place ^ place >> 8) & (MZR_PEERS - 1);
	peer = bpf_map_lookup_elem(&peers, &place);
	if (!peer)
		return NULL;
	if (peer->host == address && peer->moment == time)
		return peer;
	return fill_peer(peer, row, address, time) ? peer : NULL;
}

static __always_inline bool peer_answers(const struct mzr_config *row, __be32 address, __u64 time)
{
	const struct peer *peer = find_peer(row, address, time);

	return peer && peer->answers;
}

static __always_inline bool is_echo_due(const struct mzr_config *row, __be32 host, __u64 time)
{
	const struct peer *peer = host ? find_peer(row, host, time) : NULL;

	return peer && peer->is_due;
}

/* Whether a packet that goes on from a divider gives occasion for an echo to a bouncer. */
static __always_inline bool is_watch_due(const struct mzr_config *row, const struct packet *packet)
{
	const struct way *way = &packet->way;

	return way->stage == MZR_STAGE_BOUNCER && (is_echo_due(row, way->host, packet->moment) ||
						   is_echo_due(row, way->avoided, packet->moment));
}

/* Of `ports`, and of who sent there last. */
struct sender {
	__u64 moment;
	__u32 ifindex;
	__u8 knows_mac;
	__u8 knows_own4;
	__u8 knows_own6;
	__u8 knows_alien;
	__u8 mac[ETH_ALEN];
	__u8 reserved[2];
	__u32 vpc; /* tag of its VPC; 0: its row has gone */
	struct mzr_address own4;
	struct mzr_address own6;
	struct mzr_address alien; /* the last source that was not the port's */
	struct mzr_port port;
};

#define MZR_SENDERS 128

MZR_ARRAY(senders, BPF_MAP_TYPE_PERCPU_ARRAY, struct sender, MZR_SENDERS);

static __noinline bool fill_sender(struct sender *sender, __u32 ifindex, __u64 time)
{
	const struct mzr_port *port = bpf_map_lookup_elem(&ports, &ifindex);

	if (!port)
		return false;
	sender->moment = time;
	sender->ifindex = ifindex;
	sender->knows_mac = false;
	sender->knows_own4 = false;
	sender->knows_own6 = false;
	sender->knows_alien = false;
	sender->port = *port;
	sender->vpc = find_tag(port->vni);
	return true;
}

/* NULL: it is no port. */
static __always_inline struct sender *find_sender(__u32 ifindex, __u64 time)
{
	__u32 place = ifindex & (MZR_SENDERS - 1);
	struct sender *sender = bpf_map_lookup_elem(&senders, &place);

	if (!sender)
		return NULL;
	if (sender->ifindex == ifindex && sender->moment == time)
		return sender;
	return fill_sender(sender, ifindex, time) ? sender : NULL;
}

/* Of what the rule said to packets of a flow that came with the same stage. */
struct heading {
	__u64 moment;
	struct mzr_endpoint_key to;
	__u32 flow;
	__u64 network;
	__be32 host;
	__u32 vpc; /* packet.vpc */
	/* Of the port: */
	__u32 ifindex;
	__u32 slot; /* in `traffic`; this and the next two are known once the MAC is not all zero */
	__u8 mac[ETH_ALEN];
	__u8 is_straight; /* MZR_PORT_STRAIGHT */
	__u8 asked;	  /* the stage that they came with, or MZR_ASKED_BY_PORT */
	__u8 go;	  /* enum go */
	__u8 stage;	  /* to go on with */
	__u8 reason;	  /* enum mzr_drop_reason */
	__u8 reserved;
};

#define MZR_HEADINGS 512

MZR_ARRAY(headings, BPF_MAP_TYPE_PERCPU_ARRAY, struct heading, MZR_HEADINGS);

/* The slot that is, or may become, the flow's. */
static __always_inline struct heading *heading_of(const struct packet *packet)
{
	__u32 place = (packet->inner.flow ^ packet->inner.to.vni) & (MZR_HEADINGS - 1);

	return bpf_map_lookup_elem(&headings, &place);
}

static __always_inline bool is_heading(const struct heading *heading, const struct packet *packet,
				       __u32 asked)
{
	const struct mzr_endpoint_key *to = &packet->inner.to;

	return heading->moment == packet->moment && heading->flow == packet->inner.flow &&
	       heading->to.vni == to->vni && heading->asked == asked && heading->vpc == packet->vpc &&
	       same_address(&heading->to.address, &to->address);
}

#endif /* MIZAR_MEMO_H */
