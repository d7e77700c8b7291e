/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * What is known of the packet at hand: one row for each program that receives packets, per CPU, which it and
 * the tails behind it (tails.h) fill from step to step.
 *
 * It is no more than a packet's own: whoever reads a field has it written for this packet, or came behind who
 * did. Kept in a map and not on the stack, it leaves room there, and what was read out of a packet by one way
 * is to the verifier what was read by any other, so that it follows what comes next once.
 */
#ifndef MIZAR_PACKET_H
#define MIZAR_PACKET_H

#include <linux/if_ether.h>

#include "clock.h"
#include "maps.h"

enum fragment {
	FRAGMENT_NONE,
	FRAGMENT_FIRST,
	FRAGMENT_LATER, /* has no upper-layer header */
};

/* An endpoint's packet. Offsets are from the frame's first byte. */
struct inner {
	struct mzr_endpoint_key from; /* VNI and source address */
	struct mzr_endpoint_key to;   /* VNI and destination address */
	__u32 flow;		      /* hash over addresses and protocol; and ports, unless a fragment */
	__u32 size;		      /* bytes: Ethernet header and IP packet, no padding */
	__u16 upper;		      /* offset of the upper-layer header */
	__u16 headers;		      /* bytes from the IP header to the payload; of GSO packets only */
	__u16 packets;		      /* packets that this frame stands for */
	__u8 ipv6;
	__u8 protocol; /* of the upper layer */
	__u8 fragment; /* enum fragment */
	__u8 tos;      /* DSCP and ECN */
	__u8 hops;     /* TTL or hop limit */
};

/* The headers around it, of one that came by the underlay. Offsets are from the frame's first byte. */
struct outer {
	__be32 source;
	__u32 vni;
	__u32 udp;    /* offset of the UDP header */
	__u32 inner;  /* offset of the inner Ethernet header */
	__u32 end;    /* offset of the datagram's end */
	__u32 option; /* offset of the stage option; 0: none */
	__u32 vpc;    /* its VPC's tag, vpc.h; 0: none */
	__u8 stage;   /* enum mzr_stage */
	__u8 tos;
	__be16 checksum;  /* UDP's */
	__be16 ethertype; /* the inner frame's */
};

enum go {
	GO_DROP,
	GO_PORT,    /* deliver to `ifindex` */
	GO_HOST,    /* send to `host` with `stage` */
	GO_GATEWAY, /* the gateway of `network` is meant */
	GO_UNKNOWN, /* nothing is remembered */
};

/* Where it goes from here. */
struct way {
	__u64 network; /* the endpoint's, 0 where it is not known; GO_GATEWAY: the gateway's */
	__be32 host;
	__u32 ifindex;
	__be32 avoided; /* a host that is silent, in whose place `host` is; 0: none */
	__u8 reason;	/* GO_DROP: enum mzr_drop_reason */
	__u8 stage;	/* enum mzr_stage */
	__u8 found;	/* a port's packet: what `direct` says, enum direct */
	__u8 go;	/* enum go */
};

/*
 * What a walk by bpf_loop takes from turn to turn. Not on the stack: verifiers before Linux 6.7 look at one
 * turn, and take what lies there before the first for what every turn finds, so that they leave out what only
 * later ones need.
 */
struct walk {
	__u64 option; /* offset and stage of the stage option; 0: none yet */
	__be32 best;  /* member of the highest score; 0: none yet */
	__u32 highest;
};

struct packet {
	struct clock clock;
	__u64 moment; /* that it came in: what memos of now bear, memo.h */
	struct inner inner;
	struct outer outer;
	struct way way;
	struct walk walk;
	struct mzr_control_option control; /* of a control packet that came in */
	__u8 source[ETH_ALEN];		   /* a port's: the frame's source MAC */
	__u8 cast;			   /* a port's: what cast_of says of the frame's destination */
	__u8 crosses;			   /* a port's: from one network to another */
	__u8 reason;			   /* for who ends it: enum mzr_drop_reason */
	__u8 reserved[3];
	__u32 mtu;  /* a port's, for another host: of the underlay towards it */
	__u32 slot; /* a port's: in `traffic` */
	__u32 vpc; /* what it says of its VPC: the tag, vpc.h; of a plain one, who sent it, where that matters
		    */
	__u32 gso; /* payload bytes of each packet that the frame stands for; 0: it is one packet */
};

/* Who has a packet at hand. One may run while another waits, but none while it runs itself. */
enum holder {
	HOLDER_PORT,
	HOLDER_UPLINK,
	HOLDER_GUARD, /* runs within the others' bpf_clone_redirect */
	HOLDER_XDP,
	HOLDER_COUNT,
};

MZR_ARRAY(packets, BPF_MAP_TYPE_PERCPU_ARRAY, struct packet, HOLDER_COUNT);

static __always_inline struct packet *packet_of(__u32 holder)
{
	return bpf_map_lookup_elem(&packets, &holder);
}

/*
 * Everything is read from memory anew from here on. The compiler would take a struct apart into values, which
 * each check that fails on the way gives a value to: up to sixteen instructions a check, most of what a drop
 * costs.
 */
static __always_inline void keep_whole(const void *place)
{
	asm volatile("" : : "r"(place) : "memory");
}

#endif /* MIZAR_PACKET_H */
