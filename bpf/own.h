/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* What is a port's own: the addresses that it may send from, and its MAC. */
#ifndef MIZAR_OWN_H
#define MIZAR_OWN_H

#include "mac.h"
#include "memo.h"
#include "packet.h"

/* Is the address one that this port may send from? */
static __always_inline bool is_own(const struct mzr_endpoint_key *key, __u32 ifindex)
{
	struct mzr_endpoint *row = bpf_map_lookup_elem(&endpoints, key);

	return row && row->ifindex == ifindex;
}

/* Whether the packet's source address is one that this port may send from. */
static __always_inline bool owns_source(struct sender *sender, const struct inner *in)
{
	const struct mzr_address *known = in->ipv6 ? &sender->own6 : &sender->own4;

	if ((in->ipv6 ? sender->knows_own6 : sender->knows_own4) && same_address(known, &in->from.address))
		return true;
	if (sender->knows_alien && same_address(&sender->alien, &in->from.address))
		return false;
	if (!is_own(&in->from, sender->ifindex)) {
		sender->alien = in->from.address;
		sender->knows_alien = true;
		return false;
	}
	if (in->ipv6) {
		sender->own6 = in->from.address;
		sender->knows_own6 = true;
	} else {
		sender->own4 = in->from.address;
		sender->knows_own4 = true;
	}
	return true;
}

static __always_inline bool knows_mac(const struct sender *sender, const __u8 *mac)
{
	return sender->knows_mac && mac_equal(sender->mac, mac);
}

static __always_inline void keep_mac(struct sender *sender, const __u8 *mac)
{
	copy_mac(sender->mac, mac);
	sender->knows_mac = true;
}

static __always_inline void learn(__u32 ifindex, const struct mzr_port *port, const __u8 *mac)
{
	const struct mzr_port_mac *known;
	struct mzr_port_mac fresh = {};

	if (port->flags & MZR_PORT_MAC_FIXED)
		return;
	known = bpf_map_lookup_elem(&port_macs, &ifindex);
	if (known && mac_equal(known->mac, mac))
		return;
	copy_mac(fresh.mac, mac);
	bpf_map_update_elem(&port_macs, &ifindex, &fresh, BPF_ANY);
}

#endif /* MIZAR_OWN_H */
