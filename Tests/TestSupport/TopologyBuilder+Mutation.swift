import Topology

/// A kind of commit.
public enum Mutation: String, Sendable, CaseIterable {
    case addEndpoint, removeEndpoint, moveEndpoint, renameEndpoint, changeInterface, reuseInterface, reuseAddress
    case swapInterfaces, changeMAC, changeAddress, dropAddress, changeType
    case addNetwork, removeNetwork, changeGateway, growNetwork
    case addVPC, removeVPC, renameVPC, changeVNI, passVNI, swapVNIs
    case addHost, removeHost, weight, state, zone, datapath, hostMTU, hostAddress
    case bouncers, dividers, port

    /// Whether the way of packets that worked before and after may break in between: what a packet carries on the
    /// wire changes, which no order of steps can hide.
    public var changesTheWire: Bool {
        switch self {
        case .changeVNI, .passVNI, .swapVNIs, .renameVPC, .hostAddress: true
        default: false
        }
    }
}

extension TopologyBuilder {
    /// One change at random; false if this topology has nothing to do it to.
    @discardableResult
    public mutating func mutate(_ mutation: Mutation, using random: inout SeededGenerator) -> Bool {
        let before = self
        guard change(mutation, using: &random), hosts.contains(where: { $0.state == .active && $0.weight > 0 }) else {
            self = before
            return false
        }
        return true
    }

    /// `count` changes at random; the ones done.
    public mutating func mutate(
        _ count: Int, using random: inout SeededGenerator, among kinds: [Mutation] = Mutation.allCases
    ) -> [Mutation] {
        var done: [Mutation] = []
        var tries = 0
        while done.count < count, tries < 100 {
            tries += 1
            guard let mutation = kinds.randomElement(using: &random) else { break }
            if mutate(mutation, using: &random) { done.append(mutation) }
        }
        return done
    }

    private mutating func change(_ mutation: Mutation, using random: inout SeededGenerator) -> Bool {
        let endpoint = endpoints.indices.randomElement(using: &random)
        let network = networks.indices.randomElement(using: &random)
        let vpc = vpcs.indices.randomElement(using: &random)
        let host = hosts.indices.randomElement(using: &random)
        switch mutation {
        case .addEndpoint: return network.map { addEndpoint(to: $0, using: &random) } ?? false
        case .removeEndpoint:
            guard let endpoint else { return false }
            endpoints.remove(at: endpoint)
        case .moveEndpoint:
            guard let endpoint, let home = otherHost(than: endpoints[endpoint].host, using: &random) else { return false }
            endpoints[endpoint].host = home
            endpoints[endpoint].interface = "v\(nextSerial())"
        case .renameEndpoint:
            guard let endpoint else { return false }
            endpoints[endpoint].name = "\(endpoints[endpoint].network)/e\(nextSerial())"
        case .changeInterface:
            guard let endpoint else { return false }
            endpoints[endpoint].interface = "v\(nextSerial())"
        case .reuseInterface:
            // The endpoint moves or goes, and another one, of any network, gets its interface.
            guard let endpoint, let network else { return false }
            let old = endpoints[endpoint]
            if random.oneIn(2), let home = otherHost(than: old.host, using: &random) {
                endpoints[endpoint].host = home
                endpoints[endpoint].interface = "v\(nextSerial())"
            } else {
                endpoints.remove(at: endpoint)
            }
            guard addEndpoint(to: network, using: &random) else { return false }
            endpoints[endpoints.count - 1].host = old.host
            endpoints[endpoints.count - 1].interface = old.interface
        case .reuseAddress:
            guard let endpoint, let home = hosts.randomElement(using: &random)?.name else { return false }
            endpoints[endpoint].name = "\(endpoints[endpoint].network)/e\(nextSerial())"
            endpoints[endpoint].host = home
            endpoints[endpoint].interface = "v\(nextSerial())"
        case .swapInterfaces:
            guard let endpoint,
                let other = endpoints.indices.filter({
                    $0 != endpoint && endpoints[$0].host == endpoints[endpoint].host
                }).randomElement(using: &random)
            else { return false }
            let interface = endpoints[endpoint].interface
            endpoints[endpoint].interface = endpoints[other].interface
            endpoints[other].interface = interface
        case .changeMAC:
            guard let endpoint else { return false }
            endpoints[endpoint].mac =
                endpoints[endpoint].mac == nil ? MACAddress(bits: 0x0200_0000_0000 | UInt64(nextSerial())) : nil
        case .changeAddress:
            guard let endpoint, let number = freeNumber(in: endpoints[endpoint].network) else { return false }
            let cidrs = networks.first { $0.name == endpoints[endpoint].network }?.cidrs ?? []
            endpoints[endpoint].addresses = cidrs.map { IPAddress(bits: $0.first.bits + UInt128(number)) }
        case .dropAddress:
            guard let endpoint, endpoints[endpoint].addresses.count > 1 else { return false }
            endpoints[endpoint].addresses.removeLast()
        case .changeType:
            guard let endpoint else { return false }
            let isHost = endpoints[endpoint].isHost
            endpoints[endpoint].device = isHost ? nil : Endpoint.deviceName(of: endpoints[endpoint].name)
        case .addNetwork: return vpc.map { addNetwork(to: $0, using: &random) } ?? false
        case .removeNetwork:
            guard let network else { return false }
            let name = networks.remove(at: network).name
            endpoints.removeAll { $0.network == name }
        case .changeGateway:
            guard let network, let number = freeNumber(in: networks[network].name) else { return false }
            networks[network].gateways = networks[network].cidrs.map { IPAddress(bits: $0.first.bits + UInt128(number)) }
        case .growNetwork:
            guard let network, let block = networks[network].cidrs.first, block.length > 24 else { return false }
            networks[network].cidrs[0] = CIDR(containing: block.prefix, length: block.length - 1)
        case .addVPC: return addVPC(using: &random, networks: 1...2, endpoints: 0...2)
        case .removeVPC:
            guard let vpc, vpcs.count > 1 else { return false }
            removeVPC(vpc)
        case .renameVPC:
            guard let vpc else { return false }
            rename(vpc, to: "t/vpc\(nextSerial())")
        case .changeVNI:
            guard let vpc else { return false }
            vpcs[vpc].vni = UInt32(1000 + nextSerial())
        case .passVNI:
            // One VPC goes and another gets its VNI, new or not.
            guard let vpc, vpcs.count > 1 else { return false }
            let vni = vpcs[vpc].vni
            removeVPC(vpc)
            if random.oneIn(2) {
                guard addVPC(using: &random, networks: 1...2, endpoints: 1...2) else { return false }
                vpcs[vpcs.count - 1].vni = vni
            } else if let heir = vpcs.indices.randomElement(using: &random) {
                vpcs[heir].vni = vni
            }
        case .swapVNIs:
            guard let vpc, let other = vpcs.indices.filter({ $0 != vpc }).randomElement(using: &random) else { return false }
            let vni = vpcs[vpc].vni
            vpcs[vpc].vni = vpcs[other].vni
            vpcs[other].vni = vni
        case .addHost: addHost(using: &random)
        case .removeHost:
            guard let host, hosts.count > 2 else { return false }
            let name = hosts.remove(at: host).name
            for index in endpoints.indices where endpoints[index].host == name {
                guard let home = otherHost(than: name, using: &random) else { return false }
                endpoints[index].host = home
                endpoints[index].interface = "v\(nextSerial())"
            }
        case .weight:
            guard let host else { return false }
            hosts[host].weight = [0, 1, 50, 100, 1000].randomElement(using: &random) ?? 100
        case .state:
            guard let host else { return false }
            hosts[host].state = Host.State.allCases.randomElement(using: &random) ?? .active
        case .zone:
            guard let host else { return false }
            hosts[host].zone = "az-\(Int.random(in: 1...3, using: &random))"
        case .datapath:
            guard let host else { return false }
            hosts[host].datapath = Host.Datapath.allCases.randomElement(using: &random) ?? .auto
        case .hostMTU:
            guard let host else { return false }
            hosts[host].mtu = [nil, 1400, 9000].randomElement(using: &random) ?? nil
        case .hostAddress:
            guard let host else { return false }
            hosts[host].address = IPAddress(v4: 0xac10_0100 + UInt32(nextSerial()))
        case .bouncers:
            guard let network else { return false }
            networks[network].bouncers = Int.random(in: 1...4, using: &random)
        case .dividers:
            guard let vpc else { return false }
            vpcs[vpc].dividers = Int.random(in: 1...4, using: &random)
        case .port: cluster.port = [6081, 4789, 7000, 7001].filter { $0 != cluster.port }.randomElement(using: &random) ?? 6081
        }
        return true
    }

    // MARK: Making things

    mutating func addHost(using random: inout SeededGenerator) {
        let number = nextSerial()
        host(
            "h\(number)", UInt32(number), zone: "az-\(Int.random(in: 1...2, using: &random))",
            weight: random.oneIn(6) ? 0 : Int.random(in: 1...200, using: &random),
            state: random.oneIn(8) ? .draining : random.oneIn(10) ? .down : .active,
            datapath: Host.Datapath.allCases.randomElement(using: &random) ?? .auto)
    }

    @discardableResult
    mutating func addVPC(
        using random: inout SeededGenerator, networks: ClosedRange<Int>, endpoints: ClosedRange<Int>
    ) -> Bool {
        let number = nextSerial()
        if tenants.isEmpty { tenants.append(Tenant(name: "t", at: place("tenants.yaml", 3))) }
        vpc("t/vpc\(number)", vni: UInt32(number), dividers: Int.random(in: 1...3, using: &random))
        for _ in 0..<Int.random(in: networks, using: &random) {
            guard addNetwork(to: vpcs.count - 1, using: &random) else { continue }
            for _ in 0..<Int.random(in: endpoints, using: &random) {
                _ = addEndpoint(to: self.networks.count - 1, using: &random)
            }
        }
        return true
    }

    mutating func addNetwork(to index: Int, using random: inout SeededGenerator) -> Bool {
        let name = vpcs[index].name
        let used = Set(networks.filter { $0.vpc == name }.compactMap { $0.cidrs.first.map { $0.prefix.bits >> 8 & 0xff } })
        guard let number = (0...255).first(where: { !used.contains($0) }) else { return false }
        network(
            "\(name)/n\(nextSerial())", of: name, UInt32(number), length: [24, 25, 27].randomElement(using: &random) ?? 24,
            six: random.oneIn(2), bouncers: Int.random(in: 1...3, using: &random))
        return true
    }

    mutating func addEndpoint(to index: Int, using random: inout SeededGenerator) -> Bool {
        guard let host = hosts.randomElement(using: &random)?.name, let number = freeNumber(in: networks[index].name) else {
            return false
        }
        endpoint(
            "\(networks[index].name)/e\(nextSerial())", of: networks[index].name, number, on: host,
            isHost: random.oneIn(4), mac: random.oneIn(4) ? MACAddress(bits: 0x0200_0000_0000 | UInt64(number)) : nil)
        return true
    }

    /// The smallest number (2...) whose addresses are free in every block of the network.
    func freeNumber(in name: String) -> Int? {
        guard let network = networks.first(where: { $0.name == name }) else { return nil }
        var used = Set(endpoints.filter { $0.network == name }.flatMap(\.addresses))
        for case let gateway? in network.gateways { used.insert(gateway) }
        let room = network.cidrs.map { 128 - $0.fullLength }.min() ?? 0
        return (2..<min(200, (1 << min(room, 8)) - 1)).first { number in
            network.cidrs.allSatisfy { !used.contains(IPAddress(bits: $0.first.bits + UInt128(number))) }
        }
    }

    private func otherHost(than name: String, using random: inout SeededGenerator) -> String? {
        hosts.filter { $0.name != name }.randomElement(using: &random)?.name
    }

    private mutating func removeVPC(_ index: Int) {
        let name = vpcs.remove(at: index).name
        let gone = Set(networks.filter { $0.vpc == name }.map(\.name))
        networks.removeAll { $0.vpc == name }
        endpoints.removeAll { gone.contains($0.network) }
    }

    private mutating func rename(_ index: Int, to name: String) {
        let old = vpcs[index].name
        vpcs[index].name = name
        for number in networks.indices where networks[number].vpc == old {
            networks[number].vpc = name
            networks[number].name = name + networks[number].name.dropFirst(old.count)
        }
        for number in endpoints.indices where endpoints[number].network.hasPrefix(old + "/") {
            endpoints[number].network = name + endpoints[number].network.dropFirst(old.count)
            endpoints[number].name = name + endpoints[number].name.dropFirst(old.count)
        }
    }
}
