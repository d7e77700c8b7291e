/* SPDX-License-Identifier: Apache-2.0 */
#include "CBPF.h"

#include <arpa/inet.h>
#include <linux/xfrm.h>
#include <string.h>

const int mzr_ipsec_get_policy = XFRM_MSG_GETPOLICY;
const int mzr_ipsec_templates = XFRMA_TMPL;
const int mzr_ipsec_mark = XFRMA_MARK;
const int mzr_ipsec_interface = XFRMA_IF_ID;

int mzr_read_ipsec_policy(const void *message, size_t size, struct mzr_ipsec_policy *policy)
{
	struct xfrm_userpolicy_info info;

	if (size < sizeof(info))
		return -1;
	memcpy(&info, message, sizeof(info));
	*policy = (struct mzr_ipsec_policy){
		.source = ntohl(info.sel.saddr.a4),
		.destination = ntohl(info.sel.daddr.a4),
		.source_length = info.sel.prefixlen_s,
		.destination_length = info.sel.prefixlen_d,
		.family = info.sel.family,
		.source_port = ntohs(info.sel.sport),
		.source_port_mask = ntohs(info.sel.sport_mask),
		.destination_port = ntohs(info.sel.dport),
		.destination_port_mask = ntohs(info.sel.dport_mask),
		.protocol = info.sel.proto,
		.is_inward = info.dir == XFRM_POLICY_IN,
		.is_outward = info.dir == XFRM_POLICY_OUT,
		.is_block = info.action == XFRM_POLICY_BLOCK,
		.ifindex = info.sel.ifindex,
		.priority = info.priority,
	};
	return sizeof(info);
}
