@testable import Planner
import TestSupport
import Testing
import Topology

/// The rows of a settled host, against the table of docs/architecture.md read naively: row by row, who has it.
@Suite("rows of a host")
struct CompileTests {
    @Test("as the table says", arguments: 0..<(15 * rounds))
    func rows(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(30_000 + seed))
        var builder = TopologyBuilder.random(using: &random, endpoints: 0...4)
        _ = builder.mutate(10, using: &random)
        let topology = builder.build()
        let placement = Placement(topology)
        var fleet = Fleet(topology)
        _ = try fleet.converge(to: topology, base: nil, seed: seed)
        for (position, host) in topology.hosts.enumerated() {
            let image = fleet[host.name].image
            let interfaces = Dictionary(uniqueKeysWithValues: fleet[host.name].interfaces.map { ($0.name, $0.ifindex) })
            var wanted = Image()
            for other in topology.hosts where other != host {
                wanted.hosts[other.address] = HostRow(
                    host: StableHash.id(other.name), isDown: other.state == .down)
            }
            for endpoint in topology.endpoints {
                let network = try #require(topology.networks.first { $0.name == endpoint.network })
                let vpc = try #require(topology.vpcs.first { $0.name == network.vpc })
                let home = try #require(topology.hosts.first { $0.name == endpoint.host })
                let isBouncer = placement.bouncers[network.name]?.contains(position) == true
                let isHere = home == host
                if isHere || isBouncer {
                    for address in endpoint.addresses {
                        wanted.endpoints[EndpointKey(vni: vpc.vni, address: address)] = EndpointRow(
                            kind: isHere ? .local : home.state == .down ? .unreachable : .remote, host: home.address,
                            ifindex: isHere ? interfaces[endpoint.interface] ?? 0 : 0, network: StableHash.id(network.name))
                    }
                }
                if isHere { wanted.names[StableHash.id(endpoint.name)] = endpoint.name }
                if isHere, let ifindex = interfaces[endpoint.interface] {
                    wanted.ports[ifindex] = PortRow(
                        vni: vpc.vni, macFixed: endpoint.mac != nil || endpoint.isHost,
                        answersAll: endpoint.addresses.contains { address in
                            network.cidrs.indices.contains { network.cidrs[$0].contains(address) && network.gateways[$0] == nil }
                        }, network: StableHash.id(network.name),
                        endpoint: StableHash.id(endpoint.name))
                    wanted.direct[vpc.vni] = 1024
                    let four = endpoint.addresses.first { $0.isIPv4 } ?? endpoint.addresses[0]
                    wanted.portMACs[ifindex] =
                        endpoint.mac ?? MACAddress(bytes: [0x0a, 0x58] + four.bytes.suffix(4))
                }
            }
            for vpc in topology.vpcs {
                let isDivider = placement.dividers[vpc.name]?.contains(position) == true
                func addresses(_ hosts: [Int]?) -> [IPAddress] { (hosts ?? []).map { topology.hosts[$0].address }.sorted() }
                var four: Set<UInt8> = []
                var six: Set<UInt8> = []
                for network in topology.networks where network.vpc == vpc.name {
                    let isBouncer = placement.bouncers[network.name]?.contains(position) == true
                    let isLocal = topology.endpoints.contains { $0.network == network.name && $0.host == host.name }
                    if isLocal {
                        for case let gateway? in network.gateways {
                            wanted.endpoints[EndpointKey(vni: vpc.vni, address: gateway)] = EndpointRow(
                                kind: .gateway, host: IPAddress(v4: 0), network: StableHash.id(network.name))
                        }
                        for cidr in network.cidrs where cidr.isIPv4 && cidr.length < 31 {
                            for address in [cidr.first, cidr.last] {
                                wanted.endpoints[EndpointKey(vni: vpc.vni, address: address)] = EndpointRow(
                                    kind: .broadcast, host: IPAddress(v4: 0), network: StableHash.id(network.name))
                            }
                        }
                    }
                    guard isLocal || isBouncer || isDivider else { continue }
                    wanted.names[StableHash.id(network.name)] = network.name
                    for (number, cidr) in network.cidrs.enumerated() {
                        wanted.networks[NetworkKey(vni: vpc.vni, cidr: cidr)] = NetworkRow(
                            network: StableHash.id(network.name), held: isBouncer,
                            bouncers: addresses(placement.bouncers[network.name]), gateway: network.gateways[number])
                        if cidr.isIPv4 { four.insert(UInt8(96 + cidr.length)) } else { six.insert(UInt8(cidr.length)) }
                    }
                }
                if isDivider || !four.isEmpty || !six.isEmpty {
                    wanted.names[StableHash.id(vpc.name)] = vpc.name
                    wanted.vpcs[vpc.vni] = VPCRow(
                        vpc: StableHash.id(vpc.name), held: isDivider, dividers: addresses(placement.dividers[vpc.name]),
                        lengths4: four.sorted().reversed(), lengths6: six.sorted().reversed())
                }
            }
            wanted.names[StableHash.id(host.name)] = host.name
            wanted.config = ConfigRow(
                address: host.address, uplink: try #require(interfaces[host.interface]), port: topology.cluster.port,
                mtu: UInt16(min(host.mtu ?? 1500, 1500)))
            let named = Array(wanted.ports.keys) + [try #require(interfaces[host.interface])]
            for (name, ifindex) in interfaces where named.contains(ifindex) { wanted.names[InterfaceNote.id(ifindex)] = name }
            wanted.datapath = image.datapath
            wanted.applied = image.applied
            if image != wanted { Issue.record("seed \(seed), \(host.name): \(Fleet.difference(image, wanted))") }
        }
    }

    @Test("rows are one host's, by name or by address")
    func owner() throws {
        var builder = TopologyBuilder(settle: 0)
        builder.host("h1", 1)
        builder.host("h2", 2)
        let topology = builder.build()
        var fleet = Fleet(topology)
        _ = try fleet.converge(to: topology, base: nil, seed: 0)
        var image = fleet["h1"].image
        let (own, other) = (topology.hosts[0].address, topology.hosts[1].address)
        #expect(image.owner(otherThan: "h1", at: own) == nil)
        #expect(image.owner(otherThan: "h1", at: other) == nil, "the same name, renumbered")
        #expect(image.owner(otherThan: "h9", at: own) == nil, "the same machine, renamed")
        #expect(image.owner(otherThan: "h2", at: other)?.description == "h1 (\(own))")
        #expect(image.owner(otherThan: "h2")?.description == "h1 (\(own))")
        image.names = [:]
        #expect(image.owner(otherThan: "h2", at: other, in: topology)?.description == "h1 (\(own))", "of an older version")
        #expect(image.owner(otherThan: "h2", at: other)?.description == "at \(own)")
        image.applied = nil
        #expect(image.owner(otherThan: "h2", at: other, in: topology)?.description == "h1 (\(own))", "killed in its first apply")
        #expect(image.owner(otherThan: "h1", at: own) == nil)
        #expect(Image().owner(otherThan: "h2", at: other) == nil)
    }

    @Test("nothing is said of the MTU of an uplink that is awaited")
    func awaitedUplink() throws {
        var builder = TopologyBuilder(settle: 0)
        builder.host("h1", 1)
        let topology = builder.build()
        let plan = Planner.plan(topology, host: "h1", commit: "", observation: PlanSimulator(name: "h1").observation)
        let text = try #require(plan).text
        #expect(text.contains("uplink awaited, UDP port 6081") && !text.contains("MTU"), "\(text)")
    }

    @Test("/31, /32, /127, /128 have no reserved addresses but a gateway that is said")
    func pointToPoint() throws {
        var builder = TopologyBuilder(settle: 0)
        builder.host("h1", 1)
        builder.vpc("t/v", vni: 1)
        for (number, length) in [31, 32].enumerated() {
            builder.network("t/v/n\(number)", of: "t/v", UInt32(number), length: length)
            builder.networks[number].gateways = [nil]
            builder.endpoint("t/v/n\(number)/e", of: "t/v/n\(number)", 0, on: "h1")
        }
        let topology = builder.build()
        var fleet = Fleet(topology)
        _ = try fleet.converge(to: topology, base: nil, seed: 0)
        #expect(fleet["h1"].image.endpoints.values.allSatisfy { $0.kind == .local })
        #expect(fleet["h1"].image.endpoints.count == 2)
    }

    @Test("the order of the arrays says nothing", arguments: 0..<8)
    func permuted(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(40_000 + seed))
        var builder = TopologyBuilder.random(using: &random)
        let before = builder.build()
        var fleet = Fleet(before)
        _ = try fleet.converge(to: before, base: nil, seed: seed)
        _ = builder.mutate(4, using: &random)
        let after = builder.build()
        for host in after.hosts { fleet.join(host.name, after) }
        func plans(_ before: Topology, _ after: Topology, _ fleet: Fleet) throws -> [Plan] {
            try after.hosts.map(\.name).sorted().map { try fleet.plan($0, after, base: before, commit: 1) }
        }
        let expected = try plans(before, after, fleet)
        let expectedFleet = FleetPlan(base: before, baseCommit: "", head: after, headCommit: "")
        for _ in 0..<4 {
            var shuffled = builder
            shuffled.hosts.shuffle(using: &random)
            shuffled.vpcs.shuffle(using: &random)
            shuffled.networks.shuffle(using: &random)
            shuffled.endpoints.shuffle(using: &random)
            // Dictionaries filled in another order, and of another capacity, iterate in another.
            var mixed = fleet
            for name in fleet.hosts.keys {
                mixed.hosts[name]?.interfaces.shuffle(using: &random)
                mixed.hosts[name]?.devices.shuffle(using: &random)
                var endpoints: [EndpointKey: EndpointRow] = [:]
                endpoints.reserveCapacity(Int.random(in: 0...500, using: &random))
                for (key, row) in fleet[name].image.endpoints.shuffled(using: &random) { endpoints[key] = row }
                mixed.hosts[name]?.image.endpoints = endpoints
            }
            let found = try plans(before, shuffled.build(), mixed)
            #expect(found == expected)
            #expect(FleetPlan(base: before, baseCommit: "", head: shuffled.build(), headCommit: "") == expectedFleet)
        }
    }
}
