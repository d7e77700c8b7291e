// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0)
/*
 * The data plane as a later version may have it, for tests of upgrades: another layout, the same verdicts,
 * other instructions. Its outer headers begin with another TTL, so that a capture shows whose programs are at
 * work.
 */
#include <linux/types.h>

/* Longer rows in every table, and a longer key. */
#define mzr_endpoint mzr_shorter_endpoint
#define mzr_network_key mzr_shorter_network_key
#define mzr_network mzr_shorter_network
#define mzr_vpc mzr_shorter_vpc
#define mzr_direct mzr_shorter_direct
#define mzr_host mzr_shorter_host
#define mzr_port mzr_shorter_port
#define mzr_port_mac mzr_shorter_port_mac
#define mzr_traffic mzr_shorter_traffic
#define mzr_drop mzr_shorter_drop
#define mzr_config mzr_shorter_config
#define mzr_name mzr_shorter_name
#include "mizar_abi.h"
#undef mzr_endpoint
#undef mzr_network_key
#undef mzr_network
#undef mzr_vpc
#undef mzr_direct
#undef mzr_host
#undef mzr_port
#undef mzr_port_mac
#undef mzr_traffic
#undef mzr_drop
#undef mzr_config
#undef mzr_name

#define LONGER(name, more)                                                                                   \
	struct name {                                                                                        \
		struct mzr_shorter_##name;                                                                   \
		more;                                                                                        \
	}
#define mzr_shorter_mzr_endpoint mzr_shorter_endpoint
#define mzr_shorter_mzr_network_key mzr_shorter_network_key
#define mzr_shorter_mzr_network mzr_shorter_network
#define mzr_shorter_mzr_vpc mzr_shorter_vpc
#define mzr_shorter_mzr_direct mzr_shorter_direct
#define mzr_shorter_mzr_host mzr_shorter_host
#define mzr_shorter_mzr_port mzr_shorter_port
#define mzr_shorter_mzr_port_mac mzr_shorter_port_mac
#define mzr_shorter_mzr_traffic mzr_shorter_traffic
#define mzr_shorter_mzr_drop mzr_shorter_drop
#define mzr_shorter_mzr_config mzr_shorter_config
#define mzr_shorter_mzr_name mzr_shorter_name
LONGER(mzr_endpoint, __u64 more);
LONGER(mzr_network_key, __u32 more);
LONGER(mzr_network, __u64 more[2]);
LONGER(mzr_vpc, __u64 more);
LONGER(mzr_direct, __u64 more);
LONGER(mzr_host, __u64 more);
LONGER(mzr_port, __u64 more[3]);
LONGER(mzr_port_mac, __u64 more);
LONGER(mzr_traffic, __u64 more[2]);
LONGER(mzr_drop, __u64 more);
LONGER(mzr_config, __u64 more);
LONGER(mzr_name, __u64 more);

#undef MZR_LAYOUT
#define MZR_LAYOUT 2
/* One more reason. */
#define MZR_DROP_MULTICAST 100

#include "geneve.h"

#undef MZR_OUTER_TTL
#define MZR_OUTER_TTL 63

/* One more map. */
MZR_ARRAY(tail_calls, BPF_MAP_TYPE_PERCPU_ARRAY, __u64, 1);

static __always_inline long count_call(void)
{
	const __u32 zero = 0;
	__u64 *calls = bpf_map_lookup_elem(&tail_calls, &zero);

	if (calls)
		(*calls)++;
	return 0;
}

/* One more look-up in each entry program, and in what redirects. */
#define bpf_tail_call(...) (count_call(), bpf_tail_call(__VA_ARGS__))
#define bpf_redirect(...) (bpf_get_smp_processor_id(), bpf_redirect(__VA_ARGS__))

#include "mizar.bpf.c"
