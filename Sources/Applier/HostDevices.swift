import CBPF
import Glibc
import Planner
import Topology

/// The devices of host endpoints, in the network namespace of the calling thread.
///
/// The kernel's own state says which interfaces are ours: their group, which they have from their first moment, and their
/// alias, which names the endpoint once they are a pair.
struct HostDevices: ~Copyable {
    let netlink: NetlinkSocket

    init() throws(BPFError) { netlink = try NetlinkSocket() }

    /// IFLA_GROUP of both ends: "mizr".
    static let group: UInt32 = 0x6d69_7a72

    /// The indices of both ends of all host endpoints' devices.
    static func indices() throws(BPFError) -> Set<UInt32> {
        Set(try NetlinkSocket().links().filter { $0.group == group }.map(\.ifindex))
    }
    /// The protocol number (rtm_protocol) by which we know our routes and routing rules.
    static let routeProtocol = UInt8(MZR_ROUTE_PROTOCOL)

    static func alias(device endpoint: String) -> String { "mizar:device:" + endpoint }
    static func alias(port endpoint: String) -> String { "mizar:port:" + endpoint }

    /// What there is of them, whole or not, by index.
    func found() throws(BPFError) -> [Device] { try found(netlink.links()) }

    func found(_ links: [Link]) throws(BPFError) -> [Device] {
        let ours = links.filter { link in
            link.kind == "veth"
                && (link.group == Self.group || link.alias.hasPrefix("mizar:device:") || link.alias.hasPrefix("mizar:port:"))
        }.sorted { $0.ifindex < $1.ifindex }
        let rules = try rules()
        guard !ours.isEmpty || !rules.ours.isEmpty else { return [] }
        let addresses = try netlink.addresses()
        var devices: [Device] = []
        var seen: Set<UInt32> = []
        for link in ours where !seen.contains(link.ifindex) {
            let other = ours.first { $0.ifindex == link.peer && $0.ifindex != link.ifindex }
            seen.formUnion([link.ifindex, other?.ifindex ?? link.ifindex])
            let isPort = link.alias.hasPrefix("mizar:port:") || other?.alias.hasPrefix("mizar:device:") == true
            devices.append(try device(isPort ? other : link, isPort ? link : other, addresses, rules))
        }
        // Rules outlive their interface.
        for name in Set(rules.ours.map(\.interface)).sorted() where !devices.contains(where: { $0.name == name }) {
            devices.append(
                Device(
                    endpoint: "", name: name, ifindex: 0, port: "", portIndex: 0, mac: MACAddress(bits: 0), mtu: 0, addresses: [],
                    routes: [], isUp: false, isConfined: false))
        }
        return devices
    }

    private func device(
        _ link: Link?, _ port: Link?, _ addresses: [UInt32: [IPAddress]], _ rules: RoutingRules
    ) throws(BPFError) -> Device {
        let named = link.flatMap { $0.alias.hasPrefix("mizar:device:") ? String($0.alias.dropFirst(13)) : nil }
        let (isDeviceConfined, isPortConfined) = (try Self.holds(Setting.ofDevice, link), try Self.holds(Setting.ofPort, port))
        // Both say so, or nobody has finished it.
        let endpoint = port?.alias == named.map(Self.alias(port:)) ? named : nil
        return Device(
            endpoint: endpoint ?? "", name: link?.name ?? "", ifindex: link?.ifindex ?? 0, port: port?.name ?? "",
            portIndex: port?.ifindex ?? 0, mac: link?.mac ?? MACAddress(bits: 0),
            // 0: each end has another.
            mtu: link?.mtu == port?.mtu ? link?.mtu ?? 0 : 0, addresses: link.map { Array(Set(addresses[$0.ifindex] ?? [])) } ?? [],
            routes: link == nil ? [] : try routes(by: link?.ifindex ?? 0),
            isUp: link?.isUp == true && port?.isUp == true,
            isConfined: isDeviceConfined && isPortConfined && rules.missing(of: link?.name ?? "").isEmpty)
    }

    private static func holds(_ settings: [Setting], _ link: Link?) throws(BPFError) -> Bool {
        guard let link else { return false }
        for setting in settings { guard try setting.holds(on: link.name, mtu: link.mtu) else { return false } }
        return true
    }

    /// RTM_GETROUTE: our routes by a device, of both families.
    func routes(by ifindex: UInt32) throws(BPFError) -> [Device.Route] {
        // Hosts may have a million other routes: the kernel picks.
        let socket = try NetlinkSocket(strictly: true)
        var routes: [Device.Route] = []
        for family in [AF_INET, AF_INET6] {
            var header = rtmsg()
            header.rtm_family = UInt8(family)
            header.rtm_protocol = Self.routeProtocol
            do throws(BPFError) {
                routes += try socket.dump(
                    Int(RTM_GETROUTE), header, "the routes by \(Link.text(ifindex))", more: { $0.add(Int(RTA_OIF.rawValue), ifindex) }
                ) { Self.route($0, by: ifindex) }
            } catch {
                // The interface has gone, or this kernel has no IPv6.
                guard [ENODEV, EAFNOSUPPORT, EOPNOTSUPP].contains(error.number) else { throw error }
            }
        }
        return routes.sorted { $0.destination < $1.destination }
    }

    private static func route(_ message: UnsafeRawBufferPointer, by ifindex: UInt32) -> Device.Route? {
        guard message.count >= MemoryLayout<rtmsg>.size else { return nil }
        let header = message.loadUnaligned(as: rtmsg.self)
        guard header.rtm_protocol == routeProtocol, Int32(header.rtm_type) == Int32(RTN_UNICAST) else { return nil }
        let isIPv4 = Int32(header.rtm_family) == AF_INET
        // A default route has no destination.
        var destination = isIPv4 ? IPAddress(v4: 0) : IPAddress(bits: 0)
        var route = (gateway: IPAddress?.none, source: IPAddress?.none, interface: UInt32(0))
        func address(_ value: UnsafeRawBufferPointer) -> IPAddress? {
            switch (isIPv4, value.count) {
            case (true, 4): IPAddress(v4: UInt32(bigEndian: value.loadUnaligned(as: UInt32.self)))
            case (false, 16): IPAddress(bytes: value)
            default: nil
            }
        }
        forEachAttribute(of: message, after: MemoryLayout<rtmsg>.size) { type, value in
            switch UInt32(type) {
            case RTA_DST.rawValue: destination = address(value) ?? destination
            case RTA_GATEWAY.rawValue: route.gateway = address(value)
            case RTA_PREFSRC.rawValue: route.source = address(value)
            case RTA_OIF.rawValue where value.count == 4: route.interface = value.loadUnaligned(as: UInt32.self)
            default: break
            }
        }
        guard route.interface == ifindex else { return nil }
        let block = CIDR(containing: destination, length: Int(header.rtm_dst_len))
        return Device.Route(destination: block, gateway: route.gateway, source: route.source)
    }
}
