import Topology

/// Topology × host → rows.
///
/// A host gets the rows of its own endpoints, their networks and their VPCs; a bouncer also gets its network's
/// endpoints; a divider also gets its VPC's networks.
struct Compiler {
    let index: TopologyIndex
    let host: Host
    /// Interface name -> index, for the interfaces that exist or are about to.
    let interfaces: [String: UInt32]
    /// Of those, the ones that frames enter another network namespace by.
    var straight: Set<UInt32> = []

    /// Roles beyond those that placement gives: what the host held before, and must hold until nobody asks it any more.
    struct Roles {
        var bouncerOf: Set<String> = []
        var dividerOf: Set<String> = []
        /// Networks whose gateway is still asked by ports that are about to go.
        var portsOf: Set<String> = []
    }

    /// - Parameter uplink: nil: there is none yet. An MTU of 0 is not known.
    func image(uplink: Interface?, keeping extra: Roles = Roles()) -> Image {
        var image = Image()
        let mtu = Self.underlayMTU(host, uplinkMTU: uplink.flatMap { $0.mtu == 0 ? nil : $0.mtu })
        image.config = ConfigRow(
            address: host.address, uplink: uplink?.ifindex ?? 0, port: index.topology.cluster.port, mtu: mtu,
            direct: index.topology.cluster.direct, health: index.topology.cluster.health,
            dscp: index.topology.cluster.dscp)
        image.names[StableHash.id(host.name)] = host.name
        for other in index.topology.hosts where other.name != host.name {
            image.hosts[other.address] = HostRow(host: StableHash.id(other.name), isDown: other.state == .down)
        }

        let own = index.endpointsOfHost[host.name] ?? []
        var local = extra.portsOf
        for endpoint in own { local.insert(index.topology.endpoints[endpoint].network) }
        let position = index.hostByName[host.name]
        for vpc in index.topology.vpcs {
            let networks = index.networksOfVPC[vpc.name] ?? []
            let dividers = index.placement.dividers[vpc.name] ?? []
            let isDivider = extra.dividerOf.contains(vpc.name) || position.map(dividers.contains) == true
            var hasRows = isDivider
            for number in networks {
                let network = index.topology.networks[number]
                let bouncers = index.placement.bouncers[network.name] ?? []
                let isBouncer = extra.bouncerOf.contains(network.name) || position.map(bouncers.contains) == true
                let isLocal = local.contains(network.name)
                guard isBouncer || isLocal || isDivider else { continue }
                hasRows = true
                image.names[StableHash.id(network.name)] = network.name
                var row = NetworkRow(
                    network: StableHash.id(network.name), held: isBouncer, bouncers: index.addresses(bouncers))
                for (cidr, gateway) in zip(network.cidrs, network.gateways) {
                    row.gateway = gateway
                    image.networks[NetworkKey(vni: vpc.vni, cidr: cidr)] = row
                }
                if isLocal { addReserved(of: network, vni: vpc.vni, to: &image) }
                if isBouncer {
                    for endpoint in index.endpointsOfNetwork[network.name] ?? [] {
                        add(index.topology.endpoints[endpoint], vni: vpc.vni, network: row.network, to: &image)
                    }
                }
            }
            if hasRows {
                image.names[StableHash.id(vpc.name)] = vpc.name
                image.vpcs[vpc.vni] = VPCRow(
                    vpc: StableHash.id(vpc.name), held: isDivider, dividers: index.addresses(dividers),
                    lengths4: [], lengths6: [])
            }
        }
        for number in own {
            let endpoint = index.topology.endpoints[number]
            guard let network = index.network(endpoint.network), let vni = index.vni(of: network) else { continue }
            let id = StableHash.id(network.name)
            add(endpoint, vni: vni, network: id, to: &image)
            image.names[StableHash.id(endpoint.name)] = endpoint.name
            guard let ifindex = interfaces[endpoint.interface] else {
                for address in endpoint.addresses { image.names[EndpointKey(vni: vni, address: address).awaitedID] = endpoint.name }
                continue
            }
            image.ports[ifindex] = PortRow(
                vni: vni, macFixed: endpoint.mac != nil || endpoint.isHost, answersAll: lacksGateway(endpoint, in: network),
                // A host endpoint's other end is in no other namespace, nor is its MAC asked for.
                isStraight: endpoint.mac == nil && !endpoint.isHost && straight.contains(ifindex), network: id,
                endpoint: StableHash.id(endpoint.name))
            image.portMACs[ifindex] = endpoint.mac ?? .assumed(for: endpoint.addresses)
        }
        for port in image.ports.values where image.direct[port.vni] == nil {
            image.direct[port.vni] = directCapacity(vni: port.vni)
        }
        Self.fillLengths(&image)
        return image
    }

    /// The topology's word, and the interface's.
    static func underlayMTU(_ host: Host, uplinkMTU: Int?) -> UInt16 {
        UInt16(clamping: min(host.mtu ?? Int(UInt16.max), uplinkMTU ?? Int(UInt16.max)))
    }

    /// Whether the endpoint has an address in a block without a gateway, from which it can only ask for everybody itself.
    private func lacksGateway(_ endpoint: Endpoint, in network: Network) -> Bool {
        zip(network.cidrs, network.gateways).contains { cidr, gateway in
            gateway == nil && endpoint.addresses.contains(where: cidr.contains)
        }
    }

    /// The row that says where the endpoint is, as this host would hold it.
    func row(of endpoint: Endpoint) -> EndpointRow? {
        guard let home = index.host(endpoint.host) else { return nil }
        let network = StableHash.id(endpoint.network)
        if home.name == host.name {
            return EndpointRow(
                kind: .local, host: home.address, ifindex: interfaces[endpoint.interface] ?? 0, network: network)
        }
        return EndpointRow(kind: home.state == .down ? .unreachable : .remote, host: home.address, network: network)
    }

    private func add(_ endpoint: Endpoint, vni: UInt32, network: UInt64, to image: inout Image) {
        guard let row = row(of: endpoint) else { return }
        for address in endpoint.addresses { image.endpoints[EndpointKey(vni: vni, address: address)] = row }
    }

    /// Rows for the addresses of a network that are nobody's: its gateways, the IPv4 network and broadcast addresses.
    private func addReserved(of network: Network, vni: UInt32, to image: inout Image) {
        let id = StableHash.id(network.name)
        let nobody = IPAddress(v4: 0)
        for cidr in network.cidrs where cidr.isIPv4 && !cidr.isPointToPoint {
            for address in [cidr.first, cidr.last] {
                image.endpoints[EndpointKey(vni: vni, address: address)] = EndpointRow(
                    kind: .broadcast, host: nobody, network: id)
            }
        }
        for case let gateway? in network.gateways {
            image.endpoints[EndpointKey(vni: vni, address: gateway)] = EndpointRow(
                kind: .gateway, host: nobody, network: id)
        }
    }

    /// A table of learned entries for each VPC with a port here, with room for all of the VPC's addresses, within
    /// bounds: below the least, an LRU map of few entries on many CPUs evicts what is in use.
    func directCapacity(vni: UInt32) -> Int {
        let addresses = index.vpc(vni: vni).map { vpc in
            (index.networksOfVPC[vpc.name] ?? []).reduce(0) { sum, network in
                let endpoints = index.endpointsOfNetwork[index.topology.networks[network].name] ?? []
                return sum + endpoints.reduce(0) { $0 + index.topology.endpoints[$1].addresses.count }
            }
        }
        return min(max(Capacity.ideal(rows: addresses ?? 0), 1024), 65_536)
    }

    /// Lists in each VPC's row the prefix lengths of its networks' rows, longest first.
    static func fillLengths(_ image: inout Image) {
        var lengths: [UInt32: (four: Set<UInt8>, six: Set<UInt8>)] = [:]
        for key in image.networks.keys {
            if key.cidr.isIPv4 {
                lengths[key.vni, default: ([], [])].four.insert(UInt8(key.cidr.fullLength))
            } else {
                lengths[key.vni, default: ([], [])].six.insert(UInt8(key.cidr.fullLength))
            }
        }
        for vni in Array(image.vpcs.keys) {
            image.vpcs[vni]?.lengths4 = (lengths[vni]?.four ?? []).sorted(by: >)
            image.vpcs[vni]?.lengths6 = (lengths[vni]?.six ?? []).sorted(by: >)
        }
    }
}
