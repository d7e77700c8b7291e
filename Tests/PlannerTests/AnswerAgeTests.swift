import Planner
import TestSupport
import Testing
import Topology

/// How long a host may believe who has an endpoint: what its old host keeps after a move, to the millisecond.
@Suite("answers and moves")
struct AnswerAgeTests {
    private static let settle: UInt64 = 60_000
    private static let target = IPAddress(v4: 0x0a00_0114)

    /// h1 holds all tables, h2 sends, and x-1 moves from h3 to h4.
    private static func topology(on host: String, age: UInt64) -> Topology {
        var builder = TopologyBuilder(settle: settle)
        builder.cluster.direct = Cluster.Direct(age: age)
        builder.tenants = [Tenant(name: "acme", at: builder.place("tenants.yaml", 3))]
        for number in 1...4 { builder.host("h\(number)", UInt32(number), weight: number == 1 ? 100 : 0) }
        builder.vpc("acme/prod", vni: 4097, dividers: 1)
        builder.network("acme/prod/web", of: "acme/prod", 1, bouncers: 1)
        builder.endpoint("acme/prod/web/a-1", of: "acme/prod/web", 10, on: "h2", interface: "v-a-1")
        builder.endpoint("acme/prod/web/x-1", of: "acme/prod/web", 20, on: host, interface: "v-x-1")
        return builder.build()
    }

    /// The fleet, and what h2 has learned.
    private struct Scene {
        var fleet: Fleet
        var underlay = Underlay([:])
        let (before, after): (Topology, Topology)

        init(age: UInt64) throws {
            (before, after) = (topology(on: "h3", age: age), topology(on: "h4", age: age))
            fleet = Fleet(before)
            _ = try fleet.converge(to: before, base: nil, seed: 0)
            fleet.join("h4", after)
        }

        /// Every host's plan, `time` milliseconds after the commit.
        mutating func apply(at time: UInt64, base: Topology) throws {
            for host in after.hosts {
                fleet.hosts[host.name]?.now = 1_000_000_000 + time * 1_000_000
                try fleet.planAndApply(host.name, after, base: base, commit: 1, note: "\(time) ms")
            }
        }

        /// A packet of a-1's, and all that is asked and answered about it.
        mutating func send(at time: Int) throws -> Underlay.Way {
            for machine in fleet.hosts.values {
                let address = try #require(machine.image.config?.address)
                var forwarder = underlay.hosts[address] ?? Forwarder(Image())
                forwarder.image = machine.image
                forwarder.tick = UInt32(((1_000_000 + time) * 1_000_000) >> 24)
                underlay.hosts[address] = forwarder
            }
            let packet = InnerPacket(
                source: IPAddress(v4: 0x0a00_010a), destination: target, protocolNumber: 17, ports: .init(source: 1, destination: 2))
            let sender = try #require(fleet["h2"].image.ports.keys.first)
            let way = underlay.send(packet, from: IPAddress(v4: 0xac10_0002), port: sender)
            for var said in way.said { while let answer = underlay.deliver(said) { said = answer } }
            return way
        }

        /// Learns of h3 once more, and goes there straight.
        mutating func learn(at time: Int) throws {
            #expect(try send(at: time).goesByTables)
            let second = try send(at: time)
            #expect(!second.goesByTables && second.hops.last?.host == IPAddress(v4: 0xac10_0003), "\(second)")
            guard case .deliver? = second.verdict else {
                Issue.record("\(second)")
                return
            }
        }
    }

    /// Its interface stays, so the old host answers until *switch*; it forwards until *remove*, one settle time later.
    @Test("an idle pair loses nothing if answers live no longer than settle", arguments: [(UInt64(60_000), true), (60_200, false)])
    func interfaceStays(age: UInt64, arrives: Bool) throws {
        var scene = try Scene(age: age)
        try scene.apply(at: 0, base: scene.before)
        try scene.learn(at: 59_990)
        for time in [60_000, 120_000] as [UInt64] { try scene.apply(at: time, base: scene.after) }
        let way = try scene.send(at: 120_050)
        Self.expect(way, arrives: arrives)
        // The lost one has asked again, by the tables.
        Self.expect(try scene.send(at: 120_060), arrives: true)
    }

    /// Its interface goes before the old host takes the commit, which then answers no more: there are two settle times.
    @Test("where the interface is gone, two settle times are the bound", arguments: [(UInt64(120_000), true), (120_200, false)])
    func interfaceGoes(age: UInt64, arrives: Bool) throws {
        var scene = try Scene(age: age)
        try scene.learn(at: -10)
        scene.fleet.hosts["h3"]?.interfaces.removeAll { $0.name == "v-x-1" }
        for time in [0, 60_000, 120_000] as [UInt64] {
            try scene.apply(at: time, base: time == 0 ? scene.before : scene.after)
        }
        Self.expect(try scene.send(at: 120_050), arrives: arrives)
    }

    private static func expect(_ way: Underlay.Way, arrives: Bool) {
        if arrives {
            guard case .deliver? = way.verdict, way.hops.last?.host == IPAddress(v4: 0xac10_0004) else {
                Issue.record("lost: \(way)")
                return
            }
        } else {
            #expect(way.hops.last?.host == IPAddress(v4: 0xac10_0003) && way.verdict == .drop(.noVPC), "\(way)")
        }
    }
}
