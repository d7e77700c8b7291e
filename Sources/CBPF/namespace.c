/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "mizar_namespace.h"

#include <errno.h>
#include <linux/ethtool.h>
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

static int ethtool(const char *interface, void *command)
{
	struct ifreq request = {.ifr_data = command};
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

int mzr_set_offload(const char *interface, unsigned int command, int on)
{
	struct ethtool_value value = {.cmd = command, .data = on != 0};

	return ethtool(interface, &value);
}

int mzr_leave_network(void)
{
	return unshare(CLONE_NEWNET);
}
