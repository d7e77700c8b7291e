/* SPDX-License-Identifier: Apache-2.0 */
/* struct ifreq is not ISO C. */
#define _DEFAULT_SOURCE

#include "CBPF.h"

#include <bpf/btf.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/membarrier.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char object[] __attribute__((aligned(8))) = {
#embed "../../build/mizar.bpf.o"
};

const void *mzr_object_bytes(void)
{
	return object;
}

size_t mzr_object_size(void)
{
	return sizeof(object);
}

static const char *const drop_words[] = {
#define MZR_X(name, number, word, text) [number] = word,
	MZR_DROP_REASONS(MZR_X)
#undef MZR_X
};

static const char *const drop_texts[] = {
#define MZR_X(name, number, word, text) [number] = text,
	MZR_DROP_REASONS(MZR_X)
#undef MZR_X
};

const char *mzr_drop_word(unsigned int reason)
{
	return reason < MZR_DROP_COUNT ? drop_words[reason] : NULL;
}

const char *mzr_drop_text(unsigned int reason)
{
	return reason < MZR_DROP_COUNT ? drop_texts[reason] : NULL;
}

static int print_nothing(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

void mzr_silence(void)
{
	libbpf_set_print(print_nothing);
}

int mzr_interface_driver(int socket, const char *interface, char *driver, size_t size)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq request = {0};

	if (size == 0 || strlen(interface) >= sizeof(request.ifr_name))
		return -EINVAL;
	strcpy(request.ifr_name, interface);
	request.ifr_data = (char *)&info;

	if (ioctl(socket, SIOCETHTOOL, &request) < 0)
		return -errno;
	info.driver[sizeof(info.driver) - 1] = 0;
	strncpy(driver, info.driver, size - 1);
	driver[size - 1] = 0;
	return 0;
}

static int ethtool_value(int socket, const char *interface, struct ethtool_value *value)
{
	struct ifreq request = {0};

	if (strlen(interface) >= sizeof(request.ifr_name))
		return -EINVAL;
	strcpy(request.ifr_name, interface);
	request.ifr_data = (char *)value;
	return ioctl(socket, SIOCETHTOOL, &request) < 0 ? -errno : 0;
}

int mzr_receive_vlan_offload(int socket, const char *interface)
{
	struct ethtool_value flags = {.cmd = ETHTOOL_GFLAGS};
	int result = ethtool_value(socket, interface, &flags);

	return result < 0 ? result : !!(flags.data & ETH_FLAG_RXVLAN);
}

int mzr_receive_vlan_offload_off(int socket, const char *interface)
{
	struct ethtool_value flags = {.cmd = ETHTOOL_GFLAGS};
	int result = ethtool_value(socket, interface, &flags);

	if (result < 0)
		return result;
	flags.cmd = ETHTOOL_SFLAGS;
	flags.data &= ~(__u32)ETH_FLAG_RXVLAN;
	result = ethtool_value(socket, interface, &flags);
	if (result < 0)
		return result;
	/* A driver may take the call and leave the offload on. */
	result = mzr_receive_vlan_offload(socket, interface);
	return result > 0 ? -EOPNOTSUPP : result;
}

/* Where a constant of the object's .rodata is: 0, or a negative errno as below. */
static int find_constant(struct bpf_object *object, const char *name, size_t size, char **found)
{
	const struct btf *btf = bpf_object__btf(object);
	struct bpf_map *map;

	if (!btf)
		return -ENOENT;
	bpf_object__for_each_map(map, object)
	{
		const char *map_name = bpf_map__name(map);
		size_t length = 0;
		char *bytes;

		/* libbpf names it after the object: OBJECT.rodata. */
		if (!bpf_map__is_internal(map) || !strstr(map_name, ".rodata"))
			continue;
		bytes = (char *)bpf_map__initial_value(map, &length);
		__s32 id = btf__find_by_name_kind(btf, strstr(map_name, ".rodata"), BTF_KIND_DATASEC);
		if (!bytes || id < 0)
			continue;

		const struct btf_type *section = btf__type_by_id(btf, id);
		const struct btf_var_secinfo *variable = btf_var_secinfos(section);
		for (int i = 0; i < btf_vlen(section); i++, variable++) {
			const struct btf_type *type = btf__type_by_id(btf, variable->type);
			if (strcmp(btf__name_by_offset(btf, type->name_off), name) != 0)
				continue;
			if (variable->size != size || variable->offset + size > length)
				return -EINVAL;
			*found = bytes + variable->offset;
			return 0;
		}
	}
	return -ENOENT;
}

int mzr_set_constant(struct bpf_object *object, const char *name, const void *value, size_t size)
{
	char *place = NULL;
	int result = find_constant(object, name, size, &place);

	if (!result)
		memcpy(place, value, size);
	return result;
}

int mzr_get_constant(struct bpf_object *object, const char *name, void *value, size_t size)
{
	char *place = NULL;
	int result = find_constant(object, name, size, &place);

	if (!result)
		memcpy(value, place, size);
	return result;
}

enum mzr_class mzr_map_class(const char *name)
{
#define MZR_X(map, class)                                                                                    \
	if (!strcmp(name, #map))                                                                             \
		return MZR_CLASS_##class;
	MZR_MAPS(MZR_X)
#undef MZR_X
	return MZR_CLASS_SCRATCH;
}

int mzr_await_programs(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0 ? -errno : 0;
}

/* The kernel counts IPv4's from 1, and sends them from 0 on. */
const int mzr_conf_forwarding = IPV4_DEVCONF_FORWARDING - 1;
const int mzr_conf_rp_filter = IPV4_DEVCONF_RP_FILTER - 1;
const int mzr_conf_arp_ignore = IPV4_DEVCONF_ARP_IGNORE - 1;
const int mzr_conf_disable_ipv6 = DEVCONF_DISABLE_IPV6;

const __u32 mzr_tc_ingress_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
const __u32 mzr_tc_egress_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS);

/* As <linux/bpf.h> has it since 6.6. */
#define TCX_INGRESS 46
#define TCX_EGRESS 47
#define TCX_BEFORE (1U << 3) /* BPF_F_BEFORE; no program is named: before all */

/* union bpf_attr, BPF_PROG_ATTACH and BPF_PROG_DETACH. */
struct tcx_attach {
	__u32 ifindex;
	__s32 program;
	__u32 type;
	__u32 flags;
	__s32 replaced;
	__u32 relative;
	__u64 revision;
};

/* union bpf_attr, BPF_PROG_QUERY; the kernel writes the revision unasked. */
struct tcx_query {
	__u32 ifindex;
	__u32 type;
	__u32 query_flags;
	__u32 attach_flags;
	__u64 ids;
	__u32 count;
	__u32 reserved;
	__u64 program_flags;
	__u64 link_ids;
	__u64 link_flags;
	__u64 revision;
};

static int tcx_call(int command, void *attributes, size_t size)
{
	return syscall(SYS_bpf, command, attributes, size) < 0 ? -errno : 0;
}

int mzr_tcx_attach(__u32 ifindex, bool egress, int program, int replaced)
{
	struct tcx_attach attributes = {
		.ifindex = ifindex,
		.program = program,
		.type = egress ? TCX_EGRESS : TCX_INGRESS,
		.flags = replaced < 0 ? TCX_BEFORE : BPF_F_REPLACE,
		.replaced = replaced < 0 ? 0 : replaced,
	};

	return tcx_call(BPF_PROG_ATTACH, &attributes, sizeof(attributes));
}

int mzr_tcx_detach(__u32 ifindex, bool egress, int program)
{
	struct tcx_attach attributes = {
		.ifindex = ifindex, .program = program, .type = egress ? TCX_EGRESS : TCX_INGRESS};

	return tcx_call(BPF_PROG_DETACH, &attributes, sizeof(attributes));
}

int mzr_tcx_query(__u32 ifindex, bool egress, __u32 ids[MZR_TCX_MAX])
{
	struct tcx_query attributes = {
		.ifindex = ifindex,
		.type = egress ? TCX_EGRESS : TCX_INGRESS,
		.ids = (__u64)(unsigned long)ids,
		.count = MZR_TCX_MAX,
	};
	int result = tcx_call(BPF_PROG_QUERY, &attributes, sizeof(attributes));

	return result < 0 ? result : (int)attributes.count;
}
