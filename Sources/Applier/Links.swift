import CBPF
import Glibc
import Topology

/// A network interface as route netlink describes it.
struct Link: Hashable, Sendable {
    var ifindex: UInt32
    var name = ""
    var mtu = 0
    /// The XDP program that is attached, in whatever mode; 0: none.
    var xdp: UInt32 = 0
    /// Whether it is attached in native mode.
    var isNativeXDP = false
    /// Whether its other end is in another network namespace.
    var isPeerElsewhere = false
}

extension NetlinkSocket {
    /// RTM_GETLINK: every interface of the namespace.
    func links() throws(BPFError) -> [Link] {
        try dump(Int(RTM_GETLINK), ifinfomsg(), "the interfaces") { message -> Link? in
            guard message.count >= MemoryLayout<ifinfomsg>.size else { return nil }
            var link = Link(ifindex: UInt32(bitPattern: message.loadUnaligned(as: ifinfomsg.self).ifi_index))
            forEachAttribute(of: message, after: MemoryLayout<ifinfomsg>.size) { type, value in
                switch type {
                case Int(IFLA_IFNAME): link.name = cString(value)
                case Int(IFLA_MTU) where value.count == 4: link.mtu = Int(value.loadUnaligned(as: UInt32.self))
                case Int(IFLA_LINK_NETNSID): link.isPeerElsewhere = true
                case Int(IFLA_XDP):
                    forEachAttribute(of: value, after: 0) { type, value in
                        switch type {
                        case Int(IFLA_XDP_PROG_ID) where value.count == 4:
                            link.xdp = value.loadUnaligned(as: UInt32.self)
                        case Int(IFLA_XDP_ATTACHED) where value.count == 1:
                            link.isNativeXDP = value[0] == UInt8(XDP_ATTACHED_DRV)
                        default: break
                        }
                    }
                default: break
                }
            }
            return link
        }
    }

    /// RTM_GETADDR: every address, by interface index.
    func addresses() throws(BPFError) -> [UInt32: [IPAddress]] {
        let found = try dump(Int(RTM_GETADDR), ifaddrmsg(), "the addresses") { message -> (UInt32, IPAddress)? in
            guard message.count >= MemoryLayout<ifaddrmsg>.size else { return nil }
            let header = message.loadUnaligned(as: ifaddrmsg.self)
            var address: IPAddress?
            // IFA_LOCAL is this end's; on a point-to-point interface IFA_ADDRESS is the peer's.
            var isLocal = false
            forEachAttribute(of: message, after: MemoryLayout<ifaddrmsg>.size) { type, value in
                guard type == Int(IFA_LOCAL) || type == Int(IFA_ADDRESS) && !isLocal else { return }
                isLocal = type == Int(IFA_LOCAL)
                if Int32(header.ifa_family) == AF_INET, value.count == 4 {
                    address = IPAddress(v4: UInt32(bigEndian: value.loadUnaligned(as: UInt32.self)))
                } else if Int32(header.ifa_family) == AF_INET6, value.count == 16 {
                    address = IPAddress(bytes: value)
                }
            }
            return address.map { (header.ifa_index, $0) }
        }
        var addresses: [UInt32: [IPAddress]] = [:]
        for (ifindex, address) in found { addresses[ifindex, default: []].append(address) }
        return addresses.mapValues { $0.sorted() }
    }
}
