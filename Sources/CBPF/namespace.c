/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "mizar_namespace.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <net/if.h>
#include <linux/sockios.h>
#include <sched.h>
#include <stdlib.h>
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

/* Features that ethtool's interface has room for. */
#define FEATURES_MAX 256

int mzr_disable_feature(const char *interface, const char *name)
{
	struct {
		struct ethtool_gstrings head;
		char names[FEATURES_MAX][ETH_GSTRING_LEN];
	} * strings;
	struct {
		struct ethtool_sfeatures head;
		struct ethtool_set_features_block blocks[FEATURES_MAX / 32];
	} features = {.head.cmd = ETHTOOL_SFEATURES};
	struct {
		struct ethtool_sset_info head;
		unsigned int count;
	} set = {.head.cmd = ETHTOOL_GSSET_INFO, .head.sset_mask = 1ULL << ETH_SS_FEATURES};
	unsigned int i;
	int result = -1, error;

	if (ethtool(interface, &set) < 0)
		return -1;
	if (set.count > FEATURES_MAX) {
		errno = E2BIG;
		return -1;
	}
	strings = calloc(1, sizeof(*strings));
	if (!strings)
		return -1;
	strings->head.cmd = ETHTOOL_GSTRINGS;
	strings->head.string_set = ETH_SS_FEATURES;
	strings->head.len = set.count;
	features.head.size = (set.count + 31) / 32;
	if (ethtool(interface, strings) == 0) {
		errno = ENOENT;
		for (i = 0; i < set.count; i++) {
			if (strncmp(strings->names[i], name, ETH_GSTRING_LEN) != 0)
				continue;
			features.blocks[i / 32].valid = 1U << i % 32;
			result = ethtool(interface, &features) < 0 ? -1 : 0;
			break;
		}
	}
	error = errno;
	free(strings);
	errno = error;
	return result;
}

int mzr_leave_network(void)
{
	return unshare(CLONE_NEWNET);
}
