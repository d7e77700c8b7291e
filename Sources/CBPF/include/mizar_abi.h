/* SPDX-License-Identifier: (Apache-2.0 OR BSD-2-Clause OR GPL-2.0) */
/*
 * The one definition of every map key and value, every limit and every number on the wire.
 *
 * bpf/ includes it, and Swift imports it through CBPF: there is no second copy. Integers are in host byte
 * order unless their type says otherwise (__be16, __be32); addresses are bytes in network order. Layouts
 * are natural, padding is named and zero, and sizes are asserted below.
 */
#ifndef MIZAR_ABI_H
#define MIZAR_ABI_H

#include <linux/types.h>

/*
 * Which layout these tables have. It goes up with any change of a pinned map's keys, values or type, and is
 * in the name of the folder that the maps are pinned in. What an upgrade does with a map of another layout is
 * by its class. A row grows at its end, and zeros there mean what the shorter row meant: then a longer row is
 * read by who knows the shorter one, as long as its end is zero, and needs no migration. A field never
 * changes its meaning. These never change: waits, applied, datapath, mark, secret, told,
 * mtus, programs.
 */
#define MZR_LAYOUT 1

enum mzr_class {
	MZR_CLASS_SCRATCH =
		0, /* the programs' own, made anew with them; the class of every map that is not below */
	MZR_CLASS_DESIRED,  /* rows that the reconciler writes: translated, or written anew from the commit */
	MZR_CLASS_LEARNED,  /* rows that the programs write: translated, or learned again */
	MZR_CLASS_COUNTERS, /* never go back: the total of a map that is given up goes on in its map
			       `…_before` */
	MZR_CLASS_BEFORE,   /* those totals */
	MZR_CLASS_WIRING,   /* what every attached program holds: kept */
	MZR_CLASS_DERIVED,  /* follow from rows of other tables: made and filled anew */
	MZR_CLASS_NOTES,    /* what the reconciler tells whoever asks: kept, or begun empty */
};

#define MZR_MAPS(X)                                                                                          \
	X(config, DESIRED)                                                                                   \
	X(hosts, DESIRED)                                                                                    \
	X(vpcs, DESIRED)                                                                                     \
	X(networks, DESIRED)                                                                                 \
	X(endpoints, DESIRED)                                                                                \
	X(ports, DESIRED)                                                                                    \
	X(names, DESIRED)                                                                                    \
	X(waits, DESIRED)                                                                                    \
	X(datapath, DESIRED)                                                                                 \
	X(applied, DESIRED)                                                                                  \
	X(direct, LEARNED)                                                                                   \
	X(port_macs, LEARNED)                                                                                \
	X(traffic, COUNTERS)                                                                                 \
	X(drops, COUNTERS)                                                                                   \
	X(traffic_before, BEFORE)                                                                            \
	X(drops_before, BEFORE)                                                                              \
	X(programs, WIRING)                                                                                  \
	X(mark, WIRING)                                                                                      \
	X(secret, WIRING)                                                                                    \
	X(told, WIRING)                                                                                      \
	X(mtus, WIRING)                                                                                      \
	X(port_devices, DERIVED)                                                                             \
	X(last_round, NOTES)

/* Limits. */
#define MZR_MEMBERS_MAX 64   /* bouncers of a network, dividers of a VPC: what a row has room for */
#define MZR_LENGTHS4_MAX 33  /* distinct IPv4 prefix lengths: 0..32 */
#define MZR_LENGTHS6_MAX 129 /* distinct IPv6 prefix lengths: 0..128 */

/* Geneve, RFC 8926. */
#define MZR_GENEVE_PORT 6081	   /* IANA's UDP port, the default of Cluster.port */
#define MZR_GENEVE_PROTOCOL 0x6558 /* Trans Ether Bridging: an Ethernet frame is inside */
#define MZR_OPTION_CLASS 0xff6d	   /* of the range for experimental use */
#define MZR_OPTION_STAGE 0x81	   /* critical: who does not know it must drop the packet */
#define MZR_OPTION_CONTROL 0x82	   /* critical; what a control packet (flag O) says */

/* Bytes that encapsulation puts in front of an inner Ethernet frame's network header. */
#define MZR_OVERHEAD_DIRECT 50 /* IPv4 20 + UDP 8 + Geneve 8 + inner Ethernet 14 */
#define MZR_OVERHEAD_STAGED 62 /* and struct mzr_stage_option */

/* The MAC of every gateway: locally administered, the same on every host, so that a moved endpoint's
 * neighbour entry stays right. */
#define MZR_GATEWAY_MAC                                                                                      \
	{                                                                                                    \
		0x0a, 0x58, 0xa9, 0xfe, 0x00, 0x01                                                           \
	}

/* Times in rows are in ticks of 2^24 ns (16.8 ms) since boot: 32 bits of them last for 2.3 years. */
#define MZR_TICK_SHIFT 24
/* What proves an answer holds for one period of 2^31 ns and the next. */
#define MZR_PERIOD_SHIFT 31

/*
 * What a packet on its way through tables is asked of. It only ever grows from hop to hop, so that stale
 * tables cannot make a loop.
 */
enum mzr_stage {
	MZR_STAGE_NONE = 0,    /* no option: straight from the origin to the endpoint's host */
	MZR_STAGE_DIVIDER = 1, /* receiver finds the network */
	MZR_STAGE_BOUNCER = 2, /* receiver finds the endpoint's host */
	MZR_STAGE_HOST = 3,    /* receiver has the endpoint, or had it a moment ago */
	MZR_STAGE_LAST = 7,    /* HOST + 1 .. LAST: forwarded after a move, once more at each step */
};

/* The option of packets that go through tables. 12 bytes, network order. */
struct mzr_stage_option {
	__be16 option_class; /* MZR_OPTION_CLASS */
	__u8 type;	     /* MZR_OPTION_STAGE */
	__u8 length;	     /* of the data after this byte, in 4-byte words: 2 */
	__u8 stage;	     /* enum mzr_stage */
	/* The lowest 24 bits of the VPC's id, high byte first; 1 in place of 0. Hosts may know a VNI as
	 * different VPCs': a packet goes no further than to those that know it as this one's. */
	__u8 vpc[3];
	__be32 origin; /* underlay address of the host whose endpoint sent it */
};

/* What one data plane tells another. */
enum mzr_message {
	MZR_MESSAGE_ASK = 1,  /* "who has (VNI, address)?": goes by way of tables, as a packet for it would */
	MZR_MESSAGE_HAVE = 2, /* "I have it": to the origin of a question */
	MZR_MESSAGE_GONE = 3, /* "I do not have it": to who sent a packet for it straight to this host */
	MZR_MESSAGE_ECHO = 4, /* "are you there?"; VNI 0 */
	MZR_MESSAGE_ECHO_REPLY = 5, /* "I am"; VNI 0 */
	MZR_MESSAGE_NONE = 6,	    /* "nobody has it": to the origin of a question, by who holds the table */
};

/* The one option of a control packet, which has no inner frame. 44 bytes, network order. */
struct mzr_control_option {
	__be16 option_class; /* MZR_OPTION_CLASS */
	__u8 type;	     /* MZR_OPTION_CONTROL */
	__u8 length;	     /* 10 */
	__u8 message;	     /* enum mzr_message */
	__u8 stage;	     /* ASK: enum mzr_stage */
	__u8 reason;	     /* NONE: enum mzr_drop_reason, NO_ENDPOINT or HOST_DOWN */
	__u8 reserved;
	__be32 origin; /* ASK: underlay address of who asks; HAVE, ECHO_REPLY: the MTU of the underlay where
			* it is answered; 0 or beyond 16 bits: not said */
	__u8 address[16];  /* what it is about; ECHO, ECHO_REPLY: ::ffff: and the underlay address of who is
			      asked */
	__be32 network[2]; /* high word first; ASK: stable id of the asker's VPC, which only who knows the VNI
			    * as its answers; HAVE: of the endpoint's network; ECHO_REPLY: the first 8 bytes
			    * of the commit that was applied there */
	__u32 nonce[2];	   /* ASK, HAVE, NONE, ECHO, ECHO_REPLY: the asker's; means nothing to anybody else */
};

/* An inner address: IPv6, or IPv4 as ::ffff:a.b.c.d. Bytes in network order. */
struct mzr_address {
	__u8 bytes[16];
};

/* endpoints: (VNI, address) -> where it is. */
enum mzr_endpoint_kind {
	MZR_ENDPOINT_LOCAL = 1,	      /* behind a port of this host; ifindex 0: its interface is awaited */
	MZR_ENDPOINT_REMOTE = 2,      /* on the host `host` */
	MZR_ENDPOINT_UNREACHABLE = 3, /* on a host that is down: dropped, counted */
	MZR_ENDPOINT_GATEWAY = 4,     /* the gateway of `network`: answered here */
	MZR_ENDPOINT_BROADCAST = 5,   /* the network's or the broadcast address: dropped, counted */
};

struct mzr_endpoint_key {
	__u32 vni;
	struct mzr_address address;
};

struct mzr_endpoint {
	__be32 host;   /* underlay address; LOCAL: this host's own */
	__u32 ifindex; /* the port that may send from this address (also after a move away); 0: none */
	__u64 network; /* stable id of its network */
	__u8 kind;     /* enum mzr_endpoint_kind */
	__u8 reserved;
	/* REMOTE: the programs' own, for packets of this host's endpoints: the low bits of the tick at which
	 * its host was last asked whether it has the endpoint, in the VPC that is meant here; and the tick at
	 * which it last proved that, 0: it has not. */
	__u16 asked;
	__u32 proven;
};

/* networks: (VNI, prefix length, masked address) -> the network's bouncers. */
#define MZR_HELD 0x01 /* this host holds the whole table behind this row: a miss there is final */

struct mzr_network_key {
	__u32 vni;
	struct mzr_address prefix;
	__u8 length; /* of 128: an IPv4 /24 is 120 */
	__u8 reserved[3];
};

/* Underlay addresses, ascending; unused ones zero. */
struct mzr_members {
	__be32 host[MZR_MEMBERS_MAX];
};

struct mzr_network {
	__u64 network;
	__u8 flags; /* MZR_HELD */
	__u8 count; /* of bouncers */
	__u8 reserved[6];
	struct mzr_members bouncers;
	struct mzr_address gateway; /* of the prefix; all zero: it has none */
};

/* vpcs: VNI -> its dividers, and which prefix lengths are in `networks` here. */
/* The VNI was another VPC's before: what does not say whose it is (of versions before the option did) is
 * refused. */
#define MZR_HANDED_OVER 0x02

struct mzr_vpc {
	__u64 vpc;	     /* stable id of its path */
	__u8 flags;	     /* MZR_HELD, MZR_HANDED_OVER */
	__u8 count;	     /* of dividers */
	__u8 lengths4_count; /* of lengths4 */
	__u8 lengths6_count; /* of lengths6 */
	__u8 reserved[4];
	struct mzr_members dividers;
	__u8 lengths4[MZR_LENGTHS4_MAX]; /* longest first, of 128 (so 96..128) */
	__u8 lengths6[MZR_LENGTHS6_MAX]; /* longest first */
	__u8 reserved2[6];
};

/*
 * direct: VNI -> a table of the VPC's own: address -> where it is, as its host has proven. The least recently
 * used entry gives way when the table is full.
 */
struct mzr_direct {
	__be32 host;   /* 0: not proven */
	__u32 packets; /* sent by way of tables so far, up to config.direct_after */
	__u64 network; /* stable id of the endpoint's network */
	__u32 proven;  /* tick of the last proof */
	__u32 asked;   /* tick of the last question */
	__u32 nobody;  /* host 0: that nobody has the address was proven, and why (enum mzr_drop_reason); or 0
			*/
	__u32 reserved;
};

#define MZR_HOST_DOWN 0x01 /* nothing is sent to it, whatever was learned */

/* hosts: underlay address -> a host of the topology. Geneve from anyone else is dropped. */
struct mzr_host {
	__u64 host; /* stable id of its name */
	/* The rest is the programs' own: whether the host answers, as far as packets are sent to it. */
	__u32 asked;	/* tick of the last echo; 0: none yet */
	__u8 is_silent; /* 1: that echo has no answer yet */
	__u8 missed; /* echoes in a row without an answer; from config.health_count on the host is avoided */
	__u8 answered;	/* answers in a row of a host that is avoided */
	__u8 flags;	/* MZR_HOST_DOWN; the plan's, like `host` */
	__u8 commit[8]; /* the first bytes of the commit that it has applied, by its last answer */
};

/* ports: interface index -> what is behind it. */
#define MZR_PORT_MAC_FIXED 0x01 /* frames from any other MAC than port_macs' are dropped */
/* ARP and neighbour discovery are answered for every address, not the network's alone: in a block without a
 * gateway the whole VPC is on the link. */
#define MZR_PORT_ANSWERS_ALL 0x02
/* One end of a veth whose other end is in another network namespace: what is for it goes straight to that
 * end. */
#define MZR_PORT_STRAIGHT 0x04

struct mzr_port {
	__u32 vni;
	__u32 flags;
	__u64 network;
	__u64 endpoint; /* stable id of the endpoint's path */
	__u32 slot;	/* in `traffic`, the port's alone while it has this row; the reconciler's, planned by
			   nobody */
	__u32 reserved;
};

/* port_devices: slot of a port in `traffic` -> the interface, a struct bpf_devmap_val. An interface's index
 * is given to another one some day, and its row does not know. The kernel empties this row as the interface
 * goes, or goes into another network namespace: what is for a port is delivered only while this row names the
 * same index as the port's. */

/* port_macs: interface index -> the MAC that frames to it are sent to. Programs write it for a port
 * without MZR_PORT_MAC_FIXED, from the port's own frames. */
struct mzr_port_mac {
	__u8 mac[6];
	__u8 reserved[2];
};

/* traffic: slot of a port -> what went through it. Per CPU. An array, since each packet is counted. Slot 0 is
 * nobody's: rows of ports that have none count there. */
struct mzr_traffic {
	__u64 sent_packets; /* by the endpoint */
	__u64 sent_bytes;
	__u64 received_packets; /* delivered to the endpoint */
	__u64 received_bytes;
	/* Of the packets sent, those that went to another host: */
	__u64 direct_packets;  /* straight to the endpoint's */
	__u64 bouncer_packets; /* to a bouncer */
	__u64 divider_packets; /* to a divider */
};

/* drops: reason -> how many. Per CPU. With room for reasons to come. */
#define MZR_DROP_SLOTS 256

struct mzr_drop {
	__u64 packets;
	__u64 bytes;
};

/* config: one row. */
#define MZR_DSCP_COPY 64 /* the inner packet's */

struct mzr_config {
	__be32 address;	       /* this host's underlay address */
	__u32 uplink;	       /* interface index; 0: not there */
	__be16 port;	       /* Geneve's UDP port */
	__u16 mtu;	       /* of the underlay */
	__be16 other_ports[2]; /* taken for Geneve's, too, while the cluster goes to another; 0: none */
	__u32 direct_after;    /* packets of a pair that go by way of tables before its host is asked for */
	__u32 direct_age;      /* ticks that an entry of `direct` lasts without another proof */
	__u16 health_interval; /* ticks between two echoes to a host that packets are sent to */
	__u8 health_count;     /* echoes without an answer after which a host is avoided */
	__u8 dscp;	       /* of the outer header: 0 to 63, or MZR_DSCP_COPY */
	__u32 generation; /* of all tables: counted up after each write to one of them; nobody plans it */
};

/* told: a host and a VNI that is handed over -> stable id of the VPC, as that host was last told with an
 * answer (HAVE). Plain packets in it are taken from nobody else: an answer of an earlier day may be a host's
 * that has slept since. Programs write it. */
struct mzr_told_key {
	__be32 host;
	__u32 vni;
};

/* mtus: underlay address of a host -> MTU of the underlay there, a __u32, as it answered last. Programs write
 * it. */

/* applied: one row, written last. length 0: nothing was applied yet. */
struct mzr_applied {
	__u8 commit[32]; /* object id, SHA-1 or SHA-256 */
	__u8 length;	 /* of the id in bytes: 20 or 32; 0 with digest set: a plain folder */
	__u8 reserved[7];
	__u64 digest; /* stable hash of the topology's image for this host */
	__u64 host;   /* stable id of the host's name */
};

/* datapath: one row. What runs here, and how the uplink was attached. */
enum mzr_uplink_mode {
	MZR_UPLINK_NONE = 0,
	MZR_UPLINK_TC = 1,
	MZR_UPLINK_XDP = 2,
};

enum mzr_uplink_reason {
	MZR_REASON_CHOSEN = 0,	 /* the topology says so */
	MZR_REASON_NATIVE = 1,	 /* auto: the driver runs XDP natively */
	MZR_REASON_VETH = 2,	 /* auto: on a veth, XDP would cost the peer its offloads */
	MZR_REASON_REFUSED = 3,	 /* auto: the driver refused native XDP */
	MZR_REASON_OCCUPIED = 4, /* auto: another XDP program is attached */
};

struct mzr_datapath {
	__u64 programs; /* digest of the object whose programs are in `programs` */
	__u32 uplink;	/* interface index that mode is about */
	__u8 mode;	/* enum mzr_uplink_mode */
	__u8 reason;	/* enum mzr_uplink_reason */
	__u8 reserved[2];
};

/* names: stable id -> the path behind it, for whoever reads the maps without the topology. For this host's
 * own endpoints, and the networks and VPCs that it has rows of. */
#define MZR_NAME_SIZE 256

struct mzr_name {
	char text[MZR_NAME_SIZE]; /* UTF-8, ended by a zero byte */
};

/* waits: digest of what must wait for its phase -> when it was first wanted, CLOCK_BOOTTIME ns. */

/* last_round: one row. How the last round of the reconciler went, for `status`. */
#define MZR_ROUND_TEXT_SIZE 456

enum mzr_round_outcome {
	MZR_ROUND_NONE = 0,
	MZR_ROUND_DONE = 1,
	MZR_ROUND_PARTLY = 2,	   /* steps failed */
	MZR_ROUND_REFUSED = 3,	   /* guards keep the host from the newest commit */
	MZR_ROUND_INVALID = 4,	   /* the newest commit has errors, or names no such host */
	MZR_ROUND_UNREACHABLE = 5, /* the repository cannot be asked, or the commit not be read */
	MZR_ROUND_FAILED = 6,	   /* anything else */
};

struct mzr_round {
	__u64 at;	 /* nanoseconds of CLOCK_REALTIME */
	__u64 since;	 /* when it first went so */
	__u8 commit[32]; /* the newest that was seen */
	__u8 length;	 /* of its id in bytes; 0: none, or a plain folder */
	__u8 outcome;	 /* enum mzr_round_outcome */
	__u8 reserved[6];
	char text[MZR_ROUND_TEXT_SIZE]; /* what is wrong; UTF-8, ended by a zero byte */
};

/* mark: one row, a __u32. The skb mark on a Geneve packet that the tc programs send; with the interface that
 * it came in by, the guard on the uplink knows it from anybody else's. The loader draws it once: who has a
 * network namespace of their own chooses marks and indices of interfaces there, and must not know it. 0: none
 * yet. */

/* secret: one row, 16 bytes. The key that answers to questions are proven with. The loader draws it once, and
 * gives it to each version's programs as a constant: what one of them asked, the next one understands. */
struct mzr_secret {
	__u64 key[2];
};

/* programs: slots of the program array that the entry programs jump through: one write replaces a program
 * on every port at once. Its length never changes, since every port's entry program holds this very array. */
#define MZR_PROGRAM_SLOTS 64

enum mzr_program {
	MZR_PROGRAM_PORT = 0,	/* tc ingress of an endpoint's interface */
	MZR_PROGRAM_UPLINK = 1, /* tc ingress of the uplink */
	MZR_PROGRAM_GUARD = 2,	/* tc egress of the uplink */
	/* 3 and 4 were programs behind PORT and UPLINK, before each load had an array of its own for these.
	 */
	MZR_PROGRAM_COUNT = 5,
};

/* tails: programs behind those, by tail call. Each load fills an array of its own, before it is reached. */
enum mzr_tail {
	MZR_TAIL_ANSWER = 0,  /* behind PORT: ARP, neighbour solicitations, pings of the gateway */
	MZR_TAIL_TEND = 1,    /* behind PORT: what a packet gives occasion to ask; then SEND, or it ends */
	MZR_TAIL_SEND = 2,    /* behind TEND: to another host */
	MZR_TAIL_ICMP = 3,    /* behind PORT, TEND: tells the sender of a packet why it was dropped */
	MZR_TAIL_FORWARD = 4, /* behind UPLINK: on to another host, or its sender must be told */
	MZR_TAIL_CONTROL = 5, /* behind UPLINK: control packets */
	MZR_TAIL_FRAGMENT =
		6, /* behind PORT, SEND: makes a packet that is too big fit; then PORT anew, or it ends */
	MZR_TAIL_COUNT = 7,
};

/* Why a packet was dropped. The text is what `status` prints. Numbers are stable: append only. */
#define MZR_DROP_REASONS(X)                                                                                  \
	X(NONE, 0, "none", "")                                                                               \
	X(MALFORMED, 1, "malformed", "a header is truncated, contradicts the length, or is one too many")    \
	X(VLAN, 2, "vlan", "a VLAN-tagged frame from an endpoint")                                           \
	X(ETHERTYPE, 3, "ethertype", "neither IPv4, IPv6 nor ARP")                                           \
	X(UNKNOWN_PORT, 4, "unknown-port", "an interface that no endpoint has")                              \
	X(SPOOFED_MAC, 5, "spoofed-mac", "the source MAC is not the endpoint's")                             \
	X(SPOOFED_IP, 6, "spoofed-ip", "the source address is not the endpoint's")                           \
	X(BROADCAST, 7, "broadcast", "broadcast ends at the port")                                           \
	X(MULTICAST, 8, "multicast", "multicast ends at the port")                                           \
	X(NEIGHBOR, 9, "neighbor", "an ARP or neighbour message that gets no answer")                        \
	X(NO_ENDPOINT, 10, "no-endpoint", "no endpoint of the VPC has the destination address")              \
	X(NO_VPC, 11, "no-vpc", "this host has no row for the VNI")                                          \
	X(PENDING, 12, "pending", "the endpoint's interface does not exist")                                 \
	X(HOST_DOWN, 13, "host-down", "the endpoint's host is down")                                         \
	X(NOT_HERE, 14, "not-here", "sent to this host for an endpoint that it does not have")               \
	X(STAGE, 15, "stage", "a packet on its way through tables went round in them")                       \
	X(TOO_BIG, 16, "too-big", "larger than the underlay's MTU once encapsulated")                        \
	X(FOREIGN_HOST, 17, "foreign-host", "Geneve from an address that is no host of the topology")        \
	X(FOREIGN_SENDER, 18, "foreign-sender", "Geneve sent on this host by somebody else")                 \
	X(GENEVE_VERSION, 19, "geneve-version", "a Geneve version other than 0")                             \
	X(GENEVE_OPTION, 20, "geneve-option", "a critical Geneve option that is not ours, or a broken one")  \
	X(GENEVE_PROTOCOL, 21, "geneve-protocol", "Geneve with something else than an Ethernet frame")       \
	X(GENEVE_CONTROL, 22, "geneve-control", "a Geneve control packet that nobody asked for")             \
	X(OUTER_FRAGMENT, 23, "outer-fragment", "a fragment of a Geneve packet")                             \
	X(OUTER_CHECKSUM, 24, "outer-checksum", "the outer UDP checksum is wrong")                           \
	X(GATEWAY, 25, "gateway", "sent to a gateway, and no echo request of its network")                   \
	X(NO_PROGRAM, 26, "no-program", "the program is being taken off this host")                          \
	X(INTERNAL, 27, "internal", "the kernel refused to change or send the packet")                       \
	X(CONGESTED, 28, "congested", "marked by a congested underlay, and its sender knows no such mark")   \
	X(TIME_EXCEEDED, 29, "time-exceeded", "its hops were used up between two networks")                  \
	X(ENDPOINT_KIND, 30, "endpoint-kind", "a row of a kind that this version does not know")             \
	X(OTHER_VPC, 31, "other-vpc", "of another VPC than the one that has the VNI here")

enum mzr_drop_reason {
#define MZR_X(name, number, word, text) MZR_DROP_##name = number,
	MZR_DROP_REASONS(MZR_X)
#undef MZR_X
	MZR_DROP_COUNT = 32
};

_Static_assert(MZR_PROGRAM_COUNT <= MZR_PROGRAM_SLOTS, "every program has a slot");
_Static_assert(MZR_DROP_COUNT <= MZR_DROP_SLOTS, "every reason has a counter");

#define MZR_ASSERT_SIZE(type, size) _Static_assert(sizeof(struct type) == (size), #type " is " #size " bytes")
MZR_ASSERT_SIZE(mzr_stage_option, 12);
MZR_ASSERT_SIZE(mzr_control_option, 44);
MZR_ASSERT_SIZE(mzr_address, 16);
MZR_ASSERT_SIZE(mzr_endpoint_key, 20);
MZR_ASSERT_SIZE(mzr_endpoint, 24);
MZR_ASSERT_SIZE(mzr_network_key, 24);
MZR_ASSERT_SIZE(mzr_network, 288);
MZR_ASSERT_SIZE(mzr_vpc, 440);
MZR_ASSERT_SIZE(mzr_direct, 32);
MZR_ASSERT_SIZE(mzr_host, 24);
MZR_ASSERT_SIZE(mzr_port, 32);
MZR_ASSERT_SIZE(mzr_port_mac, 8);
MZR_ASSERT_SIZE(mzr_traffic, 56);
MZR_ASSERT_SIZE(mzr_drop, 16);
MZR_ASSERT_SIZE(mzr_config, 32);
MZR_ASSERT_SIZE(mzr_told_key, 8);
MZR_ASSERT_SIZE(mzr_applied, 56);
MZR_ASSERT_SIZE(mzr_datapath, 16);
MZR_ASSERT_SIZE(mzr_name, 256);
MZR_ASSERT_SIZE(mzr_secret, 16);
MZR_ASSERT_SIZE(mzr_round, 512);

#endif /* MIZAR_ABI_H */
