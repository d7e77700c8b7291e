import CBPF
import Glibc
import Planner
import Topology

/// A network interface as route netlink describes it.
struct Link: Hashable, Sendable {
    var ifindex: UInt32
    var name = ""
    var altnames: [String] = []
    /// ARPHRD_*.
    var type: UInt16 = 0
    /// Neither IFF_NOARP nor a point-to-point interface.
    var resolvesNeighbours = false
    var mtu = 0
    /// The XDP program that is attached, in whatever mode; 0: none.
    var xdp: UInt32 = 0
    /// Whether it is attached in native mode.
    var isNativeXDP = false
    /// Whether its other end is in another network namespace.
    var isPeerElsewhere = false
    /// `veth`, or what else makes such interfaces; empty: a driver.
    var kind = ""
    var mac = MACAddress(bits: 0)
    /// Whether somebody has set it up, carrier or not.
    var isUp = false
    var hasCarrier = false
    var alias = ""
    var group: UInt32 = 0
    /// A veth's other end; 0: it is in another network namespace.
    var peer: UInt32 = 0
    /// Of VXLAN.
    var udpPort: UInt16 = 0
    /// Values by their places in IFLA_INET_CONF and IFLA_INET6_CONF; empty: it has no settings of the family.
    var settings4: [Int32] = []
    var settings6: [Int32] = []

    /// What an interface is called in a message; by its index, if it has gone.
    static func text(_ ifindex: UInt32) -> String {
        var name = [CChar](repeating: 0, count: Int(IF_NAMESIZE))
        guard if_indextoname(ifindex, &name) != nil else { return "interface \(ifindex), which has gone" }
        return "interface \(String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))"
    }
}

extension Link {
    var medium: Interface.Medium {
        switch Int32(type) {
        case ARPHRD_ETHER: .ethernet
        case ARPHRD_LOOPBACK: .loopback
        default: .other
        }
    }
}

extension Link {
    /// Whether the host's stack takes nothing that comes by it, should no program of ours be there: `Setting.ofPort`.
    var isClosed: Bool {
        func value(_ settings: [Int32], _ place: Int32) -> Int32? {
            settings.indices.contains(Int(place)) ? settings[Int(place)] : nil
        }
        let wanted4: [(Int32, Int32)] = [(mzr_conf_forwarding, 0), (mzr_conf_rp_filter, 1), (mzr_conf_arp_ignore, 8)]
        let holds4 = wanted4.allSatisfy { place, wanted in value(settings4, place).map { $0 == wanted } ?? true }
        return holds4 && value(settings6, mzr_conf_disable_ipv6) ?? 1 == 1
    }

    /// IFLA_AF_SPEC: the settings by family.
    fileprivate mutating func readSettings(_ families: UnsafeRawBufferPointer) {
        func values(_ bytes: UnsafeRawBufferPointer) -> [Int32] {
            (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self) }
        }
        var (four, six): ([Int32], [Int32]) = ([], [])
        forEachAttribute(of: families, after: 0) { family, value in
            forEachAttribute(of: value, after: 0) { type, value in
                switch (Int32(family), type) {
                case (AF_INET, Int(IFLA_INET_CONF)): four = values(value)
                case (AF_INET6, Int(IFLA_INET6_CONF)): six = values(value)
                default: break
                }
            }
        }
        (settings4, settings6) = (four, six)
    }
}

extension NetlinkSocket {
    /// RTM_GETLINK: the interfaces of the namespace.
    ///
    /// - Parameter kind: of a socket that asks strictly; the kernel leaves out all others, if it has any of that kind.
    func links(kind: String? = nil) throws(BPFError) -> [Link] {
        let more = { (message: inout NetlinkMessage) in
            guard let kind else { return }
            message.nest(Int(IFLA_LINKINFO)) { $0.add(Int(IFLA_INFO_KIND), kind) }
        }
        return try dump(Int(RTM_GETLINK), ifinfomsg(), "the interfaces", more: more) { message -> Link? in
            guard message.count >= MemoryLayout<ifinfomsg>.size else { return nil }
            let header = message.loadUnaligned(as: ifinfomsg.self)
            var link = Link(ifindex: UInt32(bitPattern: header.ifi_index), isUp: header.ifi_flags & 1 != 0)  // IFF_UP
            link.type = header.ifi_type
            link.hasCarrier = header.ifi_flags & 0x10000 != 0  // IFF_LOWER_UP
            link.resolvesNeighbours = header.ifi_flags & 0x90 == 0  // IFF_POINTOPOINT, IFF_NOARP
            forEachAttribute(of: message, after: MemoryLayout<ifinfomsg>.size) { type, value in
                switch type {
                case Int(IFLA_IFNAME): link.name = cString(value)
                case Int(IFLA_PROP_LIST):
                    forEachAttribute(of: value, after: 0) { type, value in
                        if type == Int(IFLA_ALT_IFNAME) { link.altnames.append(cString(value)) }
                    }
                case Int(IFLA_MTU) where value.count == 4: link.mtu = Int(value.loadUnaligned(as: UInt32.self))
                case Int(IFLA_ADDRESS) where value.count == 6: link.mac = MACAddress(bytes: value)
                case Int(IFLA_IFALIAS): link.alias = cString(value)
                case Int(IFLA_GROUP) where value.count == 4: link.group = value.loadUnaligned(as: UInt32.self)
                case Int(IFLA_LINK) where value.count == 4: link.peer = value.loadUnaligned(as: UInt32.self)
                case Int(IFLA_LINK_NETNSID): link.isPeerElsewhere = true
                case Int(IFLA_AF_SPEC): link.readSettings(value)
                case Int(IFLA_LINKINFO):
                    forEachAttribute(of: value, after: 0) { type, value in
                        switch type {
                        case Int(IFLA_INFO_KIND): link.kind = cString(value)
                        case Int(IFLA_INFO_DATA) where link.kind == "vxlan":
                            forEachAttribute(of: value, after: 0) { type, value in
                                guard type == Int(IFLA_VXLAN_PORT), value.count == 2 else { return }
                                link.udpPort = UInt16(bigEndian: value.loadUnaligned(as: UInt16.self))
                            }
                        default: break
                        }
                    }
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
            if link.isPeerElsewhere { link.peer = 0 }
            return link
        }
    }

    /// RTM_SETLINK.
    func set(
        link ifindex: UInt32, _ subject: String, isUp: Bool? = nil, _ attributes: (inout NetlinkMessage) -> Void = { _ in }
    ) throws(BPFError) {
        var header = Self.header(ifindex)
        if let isUp { (header.ifi_flags, header.ifi_change) = (isUp ? 1 : 0, 1) }  // IFF_UP
        var message = NetlinkMessage(change: Int(RTM_SETLINK), header)
        attributes(&message)
        try request(message, isUp.map { $0 ? "set up" : "set down" } ?? "set", subject)
    }

    /// RTM_DELLINK; an interface that has gone is removed already.
    func remove(link ifindex: UInt32, _ subject: String) throws(BPFError) {
        do throws(BPFError) {
            try request(NetlinkMessage(change: Int(RTM_DELLINK), Self.header(ifindex)), "remove", subject)
        } catch {
            guard error.number == ENODEV else { throw error }
        }
    }

    static func header(_ ifindex: UInt32) -> ifinfomsg {
        var header = ifinfomsg()
        header.ifi_index = Int32(bitPattern: ifindex)
        return header
    }

    /// An address of an interface, with the length of the prefix that it was given with.
    struct InterfaceAddress: Hashable {
        var ifindex: UInt32
        var address: IPAddress
        var length: Int

        /// Of IPv4; nil: its prefix has nobody else.
        var neighbourhood: CIDR? {
            guard address.isIPv4, length < 32, length > 0 else { return nil }
            return CIDR(containing: address, length: length)
        }
    }

    /// RTM_GETADDR: every address of the namespace.
    func interfaceAddresses() throws(BPFError) -> [InterfaceAddress] {
        try dump(Int(RTM_GETADDR), ifaddrmsg(), "the addresses") { message -> InterfaceAddress? in
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
            return address.map { InterfaceAddress(ifindex: header.ifa_index, address: $0, length: Int(header.ifa_prefixlen)) }
        }
    }

    /// The addresses by interface index.
    func addresses() throws(BPFError) -> [UInt32: [IPAddress]] {
        Dictionary(grouping: try interfaceAddresses(), by: \.ifindex).mapValues { $0.map(\.address).sorted() }
    }
}
