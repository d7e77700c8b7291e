/* SPDX-License-Identifier: Apache-2.0 */
/* Signal sets are not ISO C. */
#define _DEFAULT_SOURCE

#include "mzr_wait.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

int mzr_signals_open(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	int error = pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (error)
		return -error;
	int descriptor = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return descriptor < 0 ? -errno : descriptor;
}

int mzr_signals_read(int descriptor)
{
	struct signalfd_siginfo info;

	return read(descriptor, &info, sizeof(info)) == sizeof(info) ? (int)info.ssi_signo : 0;
}

int mzr_links_open(void)
{
	int descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (descriptor < 0)
		return -errno;
	struct sockaddr_nl address = {.nl_family = AF_NETLINK};
	static const int groups[] = {RTNLGRP_LINK,	  RTNLGRP_TC,	      RTNLGRP_IPV4_IFADDR,
				     RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
				     RTNLGRP_IPV4_RULE,	  RTNLGRP_IPV6_RULE,  RTNLGRP_IPV4_NETCONF,
				     RTNLGRP_IPV6_NETCONF};
	int result = bind(descriptor, (struct sockaddr *)&address, sizeof(address));

	for (size_t i = 0; !result && i < sizeof(groups) / sizeof(groups[0]); i++)
		result = setsockopt(descriptor, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i],
				    sizeof(groups[i]));
	if (result < 0) {
		int error = errno;
		close(descriptor);
		return -error;
	}
	return descriptor;
}

/* Interfaces and addresses that come and go, and settings; of the rest what somebody takes away or replaces.
 * A host may have a million routes that come and go: ours are of protocol 109. */
static bool concerns_us(const struct nlmsghdr *message)
{
	const struct rtmsg *route = NLMSG_DATA(message);

	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
	case RTM_NEWADDR:
	case RTM_DELADDR:
	case RTM_DELQDISC:
	case RTM_DELTFILTER:
	case RTM_DELRULE:
	case RTM_NEWNETCONF:
		return true;
	case RTM_NEWROUTE:
		/* In the place of one of ours, perhaps: nobody tells of that one. */
		return message->nlmsg_flags & NLM_F_REPLACE;
	case RTM_DELROUTE:
		return message->nlmsg_len >= NLMSG_LENGTH(sizeof(*route)) &&
		       route->rtm_protocol == MZR_ROUTE_PROTOCOL;
	default:
		return false;
	}
}

bool mzr_links_drain(int descriptor)
{
	char buffer[32768] __attribute__((aligned(NLMSG_ALIGNTO)));
	bool found = false;

	for (;;) {
		ssize_t size = recv(descriptor, buffer, sizeof(buffer), 0);
		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0) {
			/* ENOBUFS: messages were lost, and any of them may have been ours. */
			if (errno == ENOBUFS) {
				found = true;
				continue;
			}
			return found;
		}
		struct nlmsghdr *message = (struct nlmsghdr *)buffer;
		for (unsigned int left = (unsigned int)size; NLMSG_OK(message, left);
		     message = NLMSG_NEXT(message, left))
			found |= concerns_us(message);
	}
}
