/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * The tables. mizar_abi.h says what their rows mean; docs/architecture.md who has them.
 *
 * The capacities here are what an empty host needs: the loader gives each map the capacity that the plan
 * names. Hashes do not preallocate, so that memory follows what is stored.
 */
#ifndef MIZAR_MAPS_H
#define MIZAR_MAPS_H

#include <stddef.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "mizar_abi.h"

#define MZR_HASH(name, map_type, key_type, value_type, capacity)                                             \
	struct {                                                                                             \
		__uint(type, map_type);                                                                      \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                                        \
		__uint(max_entries, capacity);                                                               \
		__type(key, key_type);                                                                       \
		__type(value, value_type);                                                                   \
	} name SEC(".maps")

#define MZR_ARRAY(name, map_type, value_type, capacity)                                                      \
	struct {                                                                                             \
		__uint(type, map_type);                                                                      \
		__uint(max_entries, capacity);                                                               \
		__type(key, __u32);                                                                          \
		__type(value, value_type);                                                                   \
	} name SEC(".maps")

MZR_ARRAY(config, BPF_MAP_TYPE_ARRAY, struct mzr_config, 1);
MZR_HASH(hosts, BPF_MAP_TYPE_HASH, __be32, struct mzr_host, 64);
MZR_HASH(vpcs, BPF_MAP_TYPE_HASH, __u32, struct mzr_vpc, 64);
MZR_HASH(networks, BPF_MAP_TYPE_HASH, struct mzr_network_key, struct mzr_network, 64);
MZR_HASH(endpoints, BPF_MAP_TYPE_HASH, struct mzr_endpoint_key, struct mzr_endpoint, 64);
MZR_HASH(ports, BPF_MAP_TYPE_HASH, __u32, struct mzr_port, 64);
MZR_HASH(port_macs, BPF_MAP_TYPE_HASH, __u32, struct mzr_port_mac, 64);
/* Of each VPC with an endpoint here; the capacity of its table is the plan's. */
struct direct_table {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct mzr_address);
	__type(value, struct mzr_direct);
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 64);
	__type(key, __u32);
	__array(values, struct direct_table);
} direct SEC(".maps");

MZR_ARRAY(traffic, BPF_MAP_TYPE_PERCPU_ARRAY, struct mzr_traffic, 64);
MZR_ARRAY(drops, BPF_MAP_TYPE_PERCPU_ARRAY, struct mzr_drop, MZR_DROP_SLOTS);
/* Of as many rows as `traffic`. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 64);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} port_devices SEC(".maps");

/* What was counted in maps that others took the place of; the capacity of the first is that of `traffic`. No
 * program reads them: whoever asks for a counter adds them up. */
MZR_ARRAY(traffic_before, BPF_MAP_TYPE_ARRAY, struct mzr_traffic, 64);
MZR_ARRAY(drops_before, BPF_MAP_TYPE_ARRAY, struct mzr_drop, MZR_DROP_SLOTS);
MZR_ARRAY(mark, BPF_MAP_TYPE_ARRAY, __u32, 1);
/* For the loader alone. */
MZR_ARRAY(secret, BPF_MAP_TYPE_ARRAY, struct mzr_secret, 1);
/* The rows of these five are the reconciler's own: no program reads them. */
MZR_HASH(names, BPF_MAP_TYPE_HASH, __u64, struct mzr_name, 64);
MZR_HASH(waits, BPF_MAP_TYPE_HASH, __u64, __u64, 64);
MZR_ARRAY(applied, BPF_MAP_TYPE_ARRAY, struct mzr_applied, 1);
MZR_ARRAY(datapath, BPF_MAP_TYPE_ARRAY, struct mzr_datapath, 1);
MZR_ARRAY(last_round, BPF_MAP_TYPE_ARRAY, struct mzr_round, 1);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, MZR_PROGRAM_SLOTS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} programs SEC(".maps");

#endif /* MIZAR_MAPS_H */
