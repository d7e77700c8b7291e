@testable import Planner
import TestSupport
import Testing
import Topology

/// What a host's rows say of endpoints whose interface does not exist yet.
@Suite("endpoints that are awaited")
struct AwaitedTests {
    private static func topology(_ change: (inout TopologyBuilder) -> Void = { _ in }) -> Topology {
        var builder = TopologyBuilder()
        builder.tenants = [Tenant(name: "t", at: builder.place("tenants.yaml", 3))]
        for number in 1...2 { builder.host("h\(number)", UInt32(number)) }
        for (number, name) in ["t/a", "t/b"].enumerated() {
            builder.vpc(name, vni: UInt32(number + 1))
            builder.network("\(name)/n", of: name, 1, six: true)
            builder.endpoint("\(name)/n/x", of: "\(name)/n", 10, on: "h1", interface: "v-\(number)")
            builder.endpoint("\(name)/n/y", of: "\(name)/n", 9, on: "h1", interface: "w-\(number)")
        }
        change(&builder)
        return builder.build()
    }

    private static func converged(_ topology: Topology, without interfaces: Set<String>) throws -> Fleet {
        var fleet = Fleet(topology)
        for name in fleet.hosts.keys { fleet.hosts[name]?.interfaces.removeAll { interfaces.contains($0.name) } }
        for host in topology.hosts {
            try fleet.planAndApply(host.name, topology, base: nil, commit: 0, through: .remove, note: "first")
        }
        return fleet
    }

    @Test("each by its name, with its addresses, also where VPCs share them")
    func names() throws {
        let topology = Self.topology()
        var fleet = try Self.converged(topology, without: ["v-0", "w-0", "v-1"])
        let expected = ["t/a/n/x", "t/a/n/y", "t/b/n/x"].map { name in
            AwaitedEndpoint(
                name: name, network: String(name.dropLast(2)), addresses: topology.endpoints.first { $0.name == name }?.addresses ?? [])
        }
        #expect(fleet["h1"].image.awaited == expected && expected.allSatisfy { $0.addresses.count == 2 })
        #expect(fleet["h2"].image.awaited == [])

        // The interfaces are there: nothing is left of it.
        for host in topology.hosts { fleet.join(host.name, topology) }
        for host in topology.hosts { try fleet.planAndApply(host.name, topology, base: topology, commit: 0, note: "there") }
        #expect(fleet["h1"].image.awaited == [])
        for host in topology.hosts { fleet.expectFresh(host.name, topology, note: "there") }
    }

    @Test("one that moves here, while its row still leads to where it was")
    func moving() throws {
        let before = Self.topology()
        let after = Self.topology { $0.endpoints[0].host = "h2" }
        var fleet = try Self.converged(before, without: [])
        try fleet.planAndApply("h2", after, base: before, commit: 1, note: "moved")
        let key = EndpointKey(vni: 1, address: before.endpoints[0].addresses[0])
        #expect(fleet["h2"].image.endpoints[key]?.kind == .remote)
        #expect(fleet["h2"].image.awaited.map(\.name) == ["t/a/n/x"])
    }

    @Test("rows without names still say where it is")
    func unnamed() throws {
        var image = try Self.converged(Self.topology(), without: ["v-0", "w-0"])["h1"].image
        image.names = image.names.filter { !$0.value.hasSuffix("/x") && !$0.value.hasSuffix("/y") }
        #expect(image.awaited.map(\.name) == [nil, nil, nil, nil] && Set(image.awaited.map(\.network)) == ["t/a/n"])
        #expect(image.awaited.map(\.addresses.count) == [1, 1, 1, 1])
    }
}
