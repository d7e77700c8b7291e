/* SPDX-License-Identifier: Apache-2.0 */
/* What Swift cannot call by itself: variadic ioctl(2), and what glibc hides behind _GNU_SOURCE or its module
 * map. */
#ifndef MIZAR_NAMESPACE_H
#define MIZAR_NAMESPACE_H

/* setns(2): the calling thread enters the network namespace behind `descriptor`; -1 and errno on failure. */
int mzr_enter_network_namespace(int descriptor);

/* statfs(2): f_type of the file system that `path` is on; -1 and errno on failure. */
long mzr_file_system_type(const char *path);

/* SIOCETHTOOL with a struct ethtool_value, such as ETHTOOL_STXCSUM, on an interface of the calling thread's
 * network namespace; -1 and errno on failure. */
int mzr_set_offload(const char *interface, unsigned int command, int on);

/* unshare(2): the calling thread gets a fresh network namespace of its own; -1 and errno on failure. A shim
 * because glibc declares it to _GNU_SOURCE alone. */
int mzr_leave_network(void);

#endif /* MIZAR_NAMESPACE_H */
