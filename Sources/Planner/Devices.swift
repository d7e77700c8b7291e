import Topology

/// The devices that the host endpoints of a host ask for, and the interfaces that are there for its endpoints.
///
/// A plan names a port by its interface index, also before the port exists: a new device asks the kernel for two indices
/// of its own, high above those that the kernel gives by itself.
struct Devices {
    /// In the order of the endpoints' names.
    let wanted: [(endpoint: Endpoint, device: Device, found: Device?)]
    /// Host endpoints that cannot have their device: the interface that has its name is somebody else's.
    let blocked: [(endpoint: Endpoint, interface: String)]
    /// Devices of ours that no endpoint of this host asks for, as they are.
    let unwanted: [Device]
    /// Name -> index of the interfaces that may be ports.
    let interfaces: [String: UInt32]
    let uplink: Uplink

    init(index: TopologyIndex, host: Host, observation: Observation) {
        let ours = Set(observation.devices.flatMap { [$0.ifindex, $0.portIndex] })
        // What is ours is the port of the endpoint that it was made for, and no other's, whatever it is called.
        var interfaces: [String: UInt32] = [:]
        for interface in observation.interfaces where !ours.contains(interface.ifindex) {
            interfaces[interface.name] = interface.ifindex
        }
        let ports = (index.endpointsOfHost[host.name] ?? []).map { index.topology.endpoints[$0].interface }
        uplink = Uplink(of: host, ports: Set(ports), taken: ours, observation: observation)
        let mtu = Self.mtu(host, uplink)
        var wanted: [(endpoint: Endpoint, device: Device, found: Device?)] = []
        var blocked: [(Endpoint, String)] = []
        var unwanted = observation.devices
        for number in index.endpointsOfHost[host.name] ?? [] {
            let endpoint = index.topology.endpoints[number]
            guard let device = Self.device(of: endpoint, index: index, mtu: mtu) else { continue }
            if let name = [device.name, device.port].first(where: { interfaces[$0] != nil }) {
                blocked.append((endpoint, name))
                interfaces[device.port] = nil
                continue
            }
            let position = unwanted.firstIndex { $0.isPair(of: device) }
            wanted.append((endpoint, device, position.map { unwanted.remove(at: $0) }))
        }
        for number in wanted.indices where wanted[number].found == nil {
            let others = wanted.indices.filter { $0 != number }.map { wanted[$0].device }
            let position = unwanted.firstIndex { found in
                Self.isOwn(found, of: wanted[number].endpoint, index: index, live: observation.image)
                    && found.canBecome(wanted[number].device, besideWanted: others, besideFound: observation.devices)
            }
            wanted[number].found = position.map { unwanted.remove(at: $0) }
        }
        var taken = Set(observation.interfaces.map(\.ifindex)).union(ours)
        for number in wanted.indices {
            if let found = wanted[number].found {
                (wanted[number].device.ifindex, wanted[number].device.portIndex) = (found.ifindex, found.portIndex)
            } else {
                let free = Self.freeIndex(for: wanted[number].endpoint.name, taken)
                (wanted[number].device.ifindex, wanted[number].device.portIndex) = (free, free + 1)
                taken.formUnion([free, free + 1])
            }
        }
        for (_, device, _) in wanted { interfaces[device.port] = device.portIndex }
        self.wanted = wanted
        self.blocked = blocked
        self.unwanted = unwanted
        self.interfaces = interfaces
    }

    /// Whether a pair of another name is the endpoint's all the same: in use in its VPC, with its addresses, and made for no
    /// other endpoint that there is.
    private static func isOwn(_ found: Device, of endpoint: Endpoint, index: TopologyIndex, live: Image) -> Bool {
        guard found.addresses == endpoint.addresses.sorted(), let network = index.network(endpoint.network),
            let vpc = index.vpc(network.vpc), live.ports[found.portIndex]?.vni == vpc.vni,
            live.vpcs[vpc.vni]?.vpc == StableHash.id(vpc.name)
        else { return false }
        return found.endpoint == Endpoint.label(of: endpoint.name) || index.endpoint(label: found.endpoint) == nil
    }

    /// Both ends of the wanted ones, as though they were there.
    var ends: [Interface] {
        wanted.map(\.device).flatMap {
            [Interface(name: $0.name, ifindex: $0.ifindex, mtu: 0), Interface(name: $0.port, ifindex: $0.portIndex, mtu: 0)]
        }
    }

    /// The device of a host endpoint, without indices; nil for any other endpoint.
    static func device(of endpoint: Endpoint, index: TopologyIndex, mtu: Int) -> Device? {
        guard let name = endpoint.device, let network = index.network(endpoint.network), let vpc = index.vpc(network.vpc) else {
            return nil
        }
        var routes: [Device.Route] = []
        for block in vpc.cidrs {
            guard let source = endpoint.addresses.first(where: { $0.isIPv4 == block.isIPv4 }) else { continue }
            let gateway = network.cidrs.firstIndex { $0.contains(source) }.flatMap { network.gateways[$0] }
            routes.append(Device.Route(destination: block, gateway: gateway, source: source))
        }
        return Device(
            endpoint: Endpoint.label(of: endpoint.name), name: name, ifindex: 0, port: endpoint.interface, portIndex: 0,
            mac: endpoint.mac ?? .assumed(for: endpoint.addresses),
            // IPv6 has no smaller links (RFC 8200 5).
            mtu: endpoint.addresses.allSatisfy(\.isIPv4) ? mtu : max(mtu, 1280), addresses: endpoint.addresses, routes: routes)
    }

    /// What always fits, as far as this host knows its underlay.
    private static func mtu(_ host: Host, _ uplink: Uplink) -> Int {
        let underlay = Compiler.underlayMTU(host, uplinkMTU: uplink.interface?.mtu ?? 1500)
        return Int(ConfigRow.usableMTU(of: underlay))
    }

    /// An even number from 2^30 on, by the endpoint's path, that is free like the one after it.
    static func freeIndex(for path: String, _ taken: Set<UInt32>) -> UInt32 {
        let range: UInt32 = 1 << 30
        var offset = UInt32(truncatingIfNeeded: StableHash.id(path)) % range & ~1
        while taken.contains(range + offset) || taken.contains(range + offset + 1) { offset = (offset + 2) % range }
        return range + offset
    }
}
