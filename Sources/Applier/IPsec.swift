import CBPF
import Glibc
import Planner
import Topology

extension NetlinkSocket {
    /// XFRM_MSG_GETPOLICY: the policies of IPv4 for what comes in and what goes out, unmarked; none where the kernel has no IPsec.
    static func ipsecPolicies() throws(BPFError) -> [IPsecPolicy] {
        let what = "the IPsec policies"
        do throws(BPFError) {
            let socket = try NetlinkSocket(protocol: NETLINK_XFRM)
            return try socket.dump(Int(mzr_ipsec_get_policy), UInt32(0), what) { IPsecPolicy($0) }
        } catch {
            guard [EPROTONOSUPPORT, EAFNOSUPPORT, EOPNOTSUPP].contains(error.number) else { throw error }
            return []
        }
    }
}

extension IPsecPolicy {
    /// Nil: of IPv6, for what is forwarded, or for marked packets or an interface of xfrm, which ours are none of.
    fileprivate init?(_ message: UnsafeRawBufferPointer) {
        var policy = mzr_ipsec_policy()
        let attributes = mzr_read_ipsec_policy(message.baseAddress, message.count, &policy)
        guard attributes >= 0, [AF_INET, AF_UNSPEC].contains(Int32(policy.family)), policy.is_inward || policy.is_outward else {
            return nil
        }
        var isTransformed = false
        var mark: UInt32 = 0
        var interface: UInt32 = 0
        forEachAttribute(of: message, after: Int(attributes)) { type, value in
            switch Int32(type) {
            case mzr_ipsec_templates: isTransformed = !value.isEmpty
            // The mark of a packet that has none is 0.
            case mzr_ipsec_mark where value.count == 8: mark = value.loadUnaligned(as: UInt32.self)
            case mzr_ipsec_interface where value.count == 4: interface = value.loadUnaligned(as: UInt32.self)
            default: break
            }
        }
        guard mark == 0, interface == 0 else { return nil }
        self.init(
            direction: policy.is_inward ? .in : .out, action: policy.is_block ? .block : isTransformed ? .protect : .pass,
            source: CIDR(containing: IPAddress(v4: policy.source), length: min(32, Int(policy.source_length))),
            destination: CIDR(containing: IPAddress(v4: policy.destination), length: min(32, Int(policy.destination_length))),
            ipProtocol: policy.`protocol`, sourcePort: Port(number: policy.source_port, mask: policy.source_port_mask),
            destinationPort: Port(number: policy.destination_port, mask: policy.destination_port_mask),
            ifindex: policy.ifindex, priority: policy.priority)
    }
}
