/* SPDX-License-Identifier: Apache-2.0 */
/* libbpf, the ABI of the maps, and what Swift cannot import from either by itself. */
#ifndef CBPF_H
#define CBPF_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if_arp.h>
#include <stdbool.h>
#include <stddef.h>

#include "mizar_abi.h"
#include "mizar_namespace.h"
#include "mzr_wait.h"

/* The compiled data plane (bpf/mizar.bpf.c), embedded at build time. */
const void *mzr_object_bytes(void);
size_t mzr_object_size(void);

/* The short word and the sentence for a drop reason; NULL beyond MZR_DROP_COUNT. */
const char *mzr_drop_word(unsigned int reason);
const char *mzr_drop_text(unsigned int reason);

/* Keeps libbpf from printing. A shim because libbpf's callback takes a va_list, which Swift cannot write. */
void mzr_silence(void);

/*
 * The driver of an interface of a socket's network namespace, by SIOCETHTOOL: 0, or a negative errno. A shim
 * because ioctl is variadic, and because sysfs may belong to another network namespace.
 */
int mzr_interface_driver(int socket, const char *interface, char *driver, size_t size);

/*
 * Whether the interface's driver takes VLAN tags off what it receives (1 or 0), and the end of that (0); or a
 * negative errno, -EOPNOTSUPP where the driver has no such setting or keeps it. Shims for the same reasons.
 */
int mzr_receive_vlan_offload(int socket, const char *interface);
int mzr_receive_vlan_offload_off(int socket, const char *interface);

/*
 * Sets a constant of a program's .rodata before it is loaded: 0, -ENOENT if the object has none of that name,
 * or -EINVAL if it is of another size. A shim because BTF is read through inline functions over unions and
 * bitfields.
 */
int mzr_set_constant(struct bpf_object *object, const char *name, const void *value, size_t size);
int mzr_get_constant(struct bpf_object *object, const char *name, void *value, size_t size);

/* The class of the map of that name. */
enum mzr_class mzr_map_class(const char *name);

/*
 * Returns 0 once no CPU runs a program that was taken out of its place before the call: membarrier(2), which
 * waits for an RCU grace period. -EINVAL where the kernel cannot say so (nohz_full).
 */
int mzr_await_programs(void);

/*
 * tcx (Linux 6.6): the programs of one direction of an interface that tc runs before its filters. Shims
 * because the headers of Debian 12 are older. Each returns 0 or more, or a negative errno: -EINVAL where the
 * kernel has no tcx, -ENODEV where there is no such interface in the calling thread's network namespace.
 */
#define MZR_TCX_MAX 64 /* what the kernel lets one direction of an interface have */

/* First of all; or in the place of `replaced`, a program's descriptor; -1: of none. */
int mzr_tcx_attach(__u32 ifindex, bool egress, int program, int replaced);
int mzr_tcx_detach(__u32 ifindex, bool egress, int program);

/* The ids of the programs, in the order that they run in, and how many they are. */
int mzr_tcx_query(__u32 ifindex, bool egress, __u32 ids[MZR_TCX_MAX]);

/*
 * A policy of the host's IPsec, by XFRM_MSG_GETPOLICY. Shims because <linux/xfrm.h> has in6_addr, which glibc
 * defines otherwise.
 */
struct mzr_ipsec_policy {
	__u32 source; /* addresses in the machine's byte order, as are the ports */
	__u32 destination;
	__u8 source_length;
	__u8 destination_length;
	__u16 family; /* AF_UNSPEC: all */
	__u16 source_port;
	__u16 source_port_mask;
	__u16 destination_port;
	__u16 destination_port_mask;
	__u8 protocol;
	bool is_inward;
	bool is_outward;
	bool is_block;
	__u32 ifindex;
	__u32 priority;
};

/* The bytes of the message before its attributes; -1 if it is too short. */
int mzr_read_ipsec_policy(const void *message, size_t size, struct mzr_ipsec_policy *policy);

extern const int mzr_ipsec_get_policy; /* XFRM_MSG_GETPOLICY */
extern const int mzr_ipsec_templates;  /* XFRMA_TMPL */
extern const int mzr_ipsec_mark;       /* XFRMA_MARK: a value and a mask */
extern const int mzr_ipsec_interface;  /* XFRMA_IF_ID */

/*
 * Places of an interface's settings in IFLA_INET_CONF and IFLA_INET6_CONF. Here because <linux/ip.h> has
 * structs that glibc defines otherwise.
 */
extern const int mzr_conf_forwarding;
extern const int mzr_conf_rp_filter;
extern const int mzr_conf_arp_ignore;
extern const int mzr_conf_disable_ipv6;

/* TC_H_MAKE and its parts are macros with casts, which Swift does not import. */
extern const __u32 mzr_tc_ingress_parent;
extern const __u32 mzr_tc_egress_parent;

#endif /* CBPF_H */
