/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "mizar_namespace.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <linux/sockios.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <unistd.h>

int mzr_enter_network_namespace(int descriptor)
{
	return setns(descriptor, CLONE_NEWNET);
}

long mzr_file_system_type(const char *path)
{
	struct statfs status;

	return statfs(path, &status) ? -1 : (long)status.f_type;
}

int mzr_set_offload(const char *interface, unsigned int command, int on)
{
	struct ethtool_value value = {.cmd = command, .data = on != 0};
	struct ifreq request = {.ifr_data = (void *)&value};
	int descriptor, result, error;

	strncpy(request.ifr_name, interface, sizeof(request.ifr_name) - 1);
	descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (descriptor < 0)
		return -1;
	result = ioctl(descriptor, SIOCETHTOOL, &request);
	error = errno;
	close(descriptor);
	errno = error;
	return result;
}

int mzr_leave_network(void)
{
	return unshare(CLONE_NEWNET);
}

int mzr_set_xdp_pass(const char *interface, int on)
{
	const struct bpf_insn pass[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .prog_flags = BPF_F_XDP_HAS_FRAGS);
	unsigned int index = if_nametoindex(interface);
	__u32 attached = 0;
	int program, result;

	if (!index)
		return -1;
	result = bpf_xdp_query_id(index, XDP_FLAGS_DRV_MODE, &attached);
	if (result || !attached == !on) {
		errno = -result;
		return result ? -1 : 0;
	}
	if (on) {
		program = bpf_prog_load(BPF_PROG_TYPE_XDP, "mizar_lab_pass", "GPL", pass, 2, &options);
		if (program < 0) {
			errno = -program;
			return -1;
		}
		result = bpf_xdp_attach(index, program, XDP_FLAGS_DRV_MODE | XDP_FLAGS_UPDATE_IF_NOEXIST,
					NULL);
		close(program);
	} else {
		result = bpf_xdp_detach(index, XDP_FLAGS_DRV_MODE, NULL);
	}
	errno = -result;
	return result ? -1 : 0;
}
