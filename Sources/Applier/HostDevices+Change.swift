import CBPF
import Glibc
import Planner
import Topology

// Every change can be done again: what a killed one has left is found, and is set or removed.
extension HostDevices {
    /// Makes, sets or removes a device.
    func change(from before: Device?, to after: Device?) throws(BPFError) {
        guard let device = after ?? before else { return }
        let subject = "device \(device.name.isEmpty ? device.port : device.name)"
        let links = try netlink.links()
        let found = try found(links).first { one in
            [one.ifindex, one.portIndex].contains { $0 != 0 && ($0 == device.ifindex || $0 == device.portIndex) }
                || (one == before && !one.isThere)
        }
        guard found != after else { return }
        guard found == before else {
            throw BPFError("change", subject, .changed(found: found.map { "\($0)" } ?? "there is none"))
        }
        switch after {
        case let after? where before == nil:
            try create(after, subject, links)
            try set(after, subject)
        case let after?:
            if let before { try rename(before, to: after, subject) }
            try set(after, subject)
            // After it, so that nothing that comes by the device is without a rule.
            if let before, before.name != after.name { try removeRules(of: before.name) }
        case nil: try remove(device, subject)
        }
    }

    /// RTM_NEWLINK: a veth pair of two names and two indices, in one call.
    private func create(_ device: Device, _ subject: String, _ links: [Link]) throws(BPFError) {
        func describe(_ name: String, _ message: inout NetlinkMessage) {
            message.add(Int(IFLA_IFNAME), name)
            message.add(Int(IFLA_MTU), UInt32(device.mtu))
            message.add(Int(IFLA_GROUP), Self.group)
        }
        var message = NetlinkMessage(change: Int(RTM_NEWLINK), flags: NLM_F_CREATE | NLM_F_EXCL, NetlinkSocket.header(device.ifindex))
        describe(device.name, &message)
        message.add(Int(IFLA_ADDRESS), device.mac.bytes)
        message.nest(Int(IFLA_LINKINFO)) { message in
            message.add(Int(IFLA_INFO_KIND), "veth")
            message.nest(Int(IFLA_INFO_DATA)) { message in
                message.nest(Int(VETH_INFO_PEER)) { message in
                    message.append(NetlinkSocket.header(device.portIndex))
                    describe(device.port, &message)
                }
            }
        }
        do throws(BPFError) {
            try netlink.request(message, "create", subject)
        } catch {
            guard error.number == EEXIST || error.number == EBUSY else { throw error }
            let taken = try netlink.links().first { link in
                [device.ifindex, device.portIndex].contains(link.ifindex) || [device.name, device.port].contains(link.name)
            }
            guard let taken else { throw error }
            throw BPFError(
                "create", subject,
                .unavailable(
                    "an interface \(taken.name) of index \(taken.ifindex) came meanwhile, which has its name or index; the next plan "
                        + "takes account of it"))
        }
    }

    /// Calls both ends as they are wanted, with all that they have. Rules name an interface: those for the new name come first.
    private func rename(_ before: Device, to after: Device, _ subject: String) throws(BPFError) {
        if before.name != after.name {
            try addRules(of: after.name)
            try rename(after.ifindex, to: after.name, subject)
        }
        if before.port != after.port { try rename(after.portIndex, to: after.port, subject) }
    }

    private func rename(_ ifindex: UInt32, to name: String, _ subject: String) throws(BPFError) {
        do throws(BPFError) {
            try netlink.set(link: ifindex, subject) { $0.add(Int(IFLA_IFNAME), name) }
        } catch {
            guard error.number == EBUSY else { throw error }
            try renameDown(ifindex, to: name, subject)
        }
    }

    /// Before Linux 6.2 an interface is renamed while it is down; then the kernel takes its routes and IPv6 addresses, which are
    /// set again with it.
    func renameDown(_ ifindex: UInt32, to name: String, _ subject: String) throws(BPFError) {
        // A name that cannot be had must not cost it what it has.
        guard if_nametoindex(name) == 0 else { throw BPFError("rename", subject, .errno(EEXIST)) }
        try netlink.set(link: ifindex, subject, isUp: false)
        try netlink.set(link: ifindex, subject) { $0.add(Int(IFLA_IFNAME), name) }
    }

    /// Sets everything, in place.
    private func set(_ device: Device, _ subject: String) throws(BPFError) {
        try netlink.set(link: device.portIndex, subject) { message in
            message.add(Int(IFLA_MTU), UInt32(device.mtu))
            message.add(Int(IFLA_GROUP), Self.group)
            message.add(Int(IFLA_IFALIAS), Array(Self.alias(port: device.endpoint).utf8))
        }
        try netlink.set(link: device.ifindex, subject) { message in
            message.add(Int(IFLA_ADDRESS), device.mac.bytes)
            message.add(Int(IFLA_MTU), UInt32(device.mtu))
            message.add(Int(IFLA_GROUP), Self.group)
            message.add(Int(IFLA_IFALIAS), Array(Self.alias(device: device.endpoint).utf8))
        }
        // Before they are up, when the kernel makes addresses and asks for routers.
        for setting in Setting.ofPort { try setting.set(on: device.port, mtu: device.mtu) }
        for setting in Setting.ofDevice { try setting.set(on: device.name, mtu: device.mtu) }
        try addRules(of: device.name)
        try netlink.set(link: device.portIndex, subject, isUp: true)
        try netlink.set(link: device.ifindex, subject, isUp: true)
        try setAddressesAndRoutes(device, subject)
    }

    /// What is new comes first: the kernel takes routes along with the source that they name.
    private func setAddressesAndRoutes(_ device: Device, _ subject: String) throws(BPFError) {
        let addresses = try netlink.interfaceAddresses().filter { $0.ifindex == device.ifindex }
        for address in device.addresses where !addresses.contains(where: { $0.address == address }) {
            try change(address, length: address.isIPv4 ? 32 : 128, of: device, Int(RTM_NEWADDR), NLM_F_CREATE | NLM_F_EXCL)
        }
        let routes = try routes(by: device.ifindex)
        for route in device.routes where !routes.contains(route) {
            let isThere = routes.contains { $0.destination == route.destination }
            try change(route, of: device, Int(RTM_NEWROUTE), NLM_F_CREATE | (isThere ? NLM_F_REPLACE : NLM_F_EXCL))
        }
        for route in routes where !device.routes.contains(where: { $0.destination == route.destination }) {
            try change(route, of: device, Int(RTM_DELROUTE), 0)
        }
        for found in addresses where !device.addresses.contains(found.address) {
            try change(found.address, length: found.length, of: device, Int(RTM_DELADDR), 0)
        }
    }

    /// RTM_DELLINK of one end, which takes the other along; one that has gone is removed already. Its rules go after it.
    func remove(_ device: Device, _ subject: String) throws(BPFError) {
        if device.isThere { try removeLink(of: device, subject) }
        if !device.name.isEmpty { try removeRules(of: device.name) }
    }

    private func removeLink(of device: Device, _ subject: String) throws(BPFError) {
        let ifindex = device.ifindex == 0 ? device.portIndex : device.ifindex
        try netlink.remove(link: ifindex, subject)
    }

    // MARK: Messages

    /// A host's address, without the routes and the duplicate detection that come with one by default.
    private func change(
        _ address: IPAddress, length: Int, of device: Device, _ type: Int, _ flags: Int32
    ) throws(BPFError) {
        var header = ifaddrmsg()
        header.ifa_family = UInt8(address.isIPv4 ? AF_INET : AF_INET6)
        header.ifa_prefixlen = UInt8(length)
        header.ifa_index = device.ifindex
        var message = NetlinkMessage(change: type, flags: flags, header)
        message.add(Int(IFA_LOCAL), Self.bytes(address))
        message.add(Int(IFA_ADDRESS), Self.bytes(address))
        message.add(Int(IFA_FLAGS), UInt32(IFA_F_NODAD | IFA_F_NOPREFIXROUTE))
        try netlink.request(message, type == Int(RTM_NEWADDR) ? "add" : "remove", "address \(address) of \(device.name)")
    }

    private func change(_ route: Device.Route, of device: Device, _ type: Int, _ flags: Int32) throws(BPFError) {
        let isIPv4 = route.destination.isIPv4
        var header = rtmsg()
        header.rtm_family = UInt8(isIPv4 ? AF_INET : AF_INET6)
        header.rtm_dst_len = UInt8(route.destination.length)
        header.rtm_table = UInt8(RT_TABLE_MAIN.rawValue)
        header.rtm_protocol = Self.routeProtocol
        header.rtm_type = UInt8(RTN_UNICAST)
        header.rtm_scope = UInt8(
            type == Int(RTM_DELROUTE)
                ? RT_SCOPE_NOWHERE.rawValue : route.gateway == nil && isIPv4 ? RT_SCOPE_LINK.rawValue : RT_SCOPE_UNIVERSE.rawValue)
        // On the link whatever its prefix: the device's address has none.
        if route.gateway != nil, type == Int(RTM_NEWROUTE) { header.rtm_flags = UInt32(RTNH_F_ONLINK) }
        var message = NetlinkMessage(change: type, flags: flags, header)
        message.add(Int(RTA_DST.rawValue), Self.bytes(route.destination.prefix))
        message.add(Int(RTA_OIF.rawValue), device.ifindex)
        if let gateway = route.gateway { message.add(Int(RTA_GATEWAY.rawValue), Self.bytes(gateway)) }
        if let source = route.source { message.add(Int(RTA_PREFSRC.rawValue), Self.bytes(source)) }
        let subject = "the route to \(route.destination) by \(device.name)"
        do throws(BPFError) {
            try netlink.request(message, type == Int(RTM_NEWROUTE) ? "set" : "remove", subject)
        } catch {
            if type == Int(RTM_DELROUTE), error.number == ESRCH { return }
            guard error.number == EEXIST else { throw error }
            throw BPFError(
                "set", subject, .unavailable("this host has another route to the same addresses; remove it, or the host endpoint"))
        }
    }

    /// 4 or 16, in network order.
    private static func bytes(_ address: IPAddress) -> [UInt8] { address.isIPv4 ? Array(address.bytes.suffix(4)) : address.bytes }
}
