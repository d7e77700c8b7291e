@testable import Planner
import TestSupport
import Testing
import Topology

/// What a fleet plan says of traffic, run through the planner's phases by hosts that take the commit at random times.
@Suite("what stops, and for how long")
struct InterruptionTests {
    struct Scenario: CustomTestStringConvertible, Sendable {
        let name: String
        let cause: Interruption.Cause
        let ends: Interruption.Ends
        var times: ClosedRange<Int>?
        let edit: @Sendable (inout TopologyBuilder) -> Void

        var testDescription: String { name }
    }

    static func builder() -> TopologyBuilder {
        var builder = TopologyBuilder(settle: 60_000)
        builder.tenants = [Tenant(name: "acme", at: builder.place("tenants.yaml", 3))]
        for number in 1...4 { builder.host("h\(number)", UInt32(number)) }
        for (number, vpc) in ["acme/prod", "acme/dev"].enumerated() {
            builder.vpc(vpc, vni: UInt32(4097 + number), dividers: 1)
            for (block, network) in ["web", "db"].prefix(2 - number).enumerated() {
                builder.network("\(vpc)/\(network)", of: vpc, UInt32(block), six: true, bouncers: 1)
                for host in 1...3 { builder.endpoint("\(vpc)/\(network)/e-\(host)", of: "\(vpc)/\(network)", 9 + host, on: "h\(host)") }
            }
        }
        return builder
    }

    static func endpoint(_ name: String, _ edit: @escaping @Sendable (inout Endpoint) -> Void) -> @Sendable (inout TopologyBuilder) -> Void
    {
        { builder in for index in builder.endpoints.indices where builder.endpoints[index].name == name { edit(&builder.endpoints[index]) }
        }
    }

    /// Of the tenant, or of one VPC.
    static func rename(_ old: String, _ new: String) -> @Sendable (inout TopologyBuilder) -> Void {
        { builder in
            func path(_ path: String) -> String { path == old || path.hasPrefix(old + "/") ? new + path.dropFirst(old.count) : path }
            for index in builder.tenants.indices { builder.tenants[index].name = path(builder.tenants[index].name) }
            for index in builder.vpcs.indices { builder.vpcs[index].name = path(builder.vpcs[index].name) }
            for index in builder.networks.indices {
                builder.networks[index].name = path(builder.networks[index].name)
                builder.networks[index].vpc = path(builder.networks[index].vpc)
            }
            for index in builder.endpoints.indices {
                builder.endpoints[index].name = path(builder.endpoints[index].name)
                builder.endpoints[index].network = path(builder.endpoints[index].network)
            }
        }
    }

    static let scenarios = [
        Scenario(name: "a VNI that nobody had", cause: .vni, ends: .settled, times: 0...1) { $0.vpcs[0].vni = 5000 },
        Scenario(name: "two VNIs exchanged", cause: .vni, ends: .settled, times: 2...3) { ($0.vpcs[0].vni, $0.vpcs[1].vni) = (4098, 4097) },
        Scenario(name: "a VPC renamed", cause: .renamed, ends: .settled, times: 2...3, edit: rename("acme/prod", "acme/live")),
        Scenario(name: "a tenant renamed", cause: .renamed, ends: .settled, times: 2...3, edit: rename("acme", "emca")),
        Scenario(name: "a host's address", cause: .hostAddress, ends: .settled, times: 0...2) {
            $0.hosts[0].address = IPAddress(v4: 0xac10_0101)
        },
        Scenario(name: "an uplink", cause: .uplink, ends: .applied) { $0.hosts[0].interface = "eth1" },
        Scenario(name: "a host that is down", cause: .hostDown, ends: .never) { $0.hosts[0].state = .down },
        Scenario(name: "a network removed", cause: .removed, ends: .never) { builder in
            builder.networks.removeAll { $0.name == "acme/prod/db" }
            builder.endpoints.removeAll { $0.network == "acme/prod/db" }
        },
        Scenario(name: "an endpoint removed", cause: .removed, ends: .never) { $0.endpoints.removeAll { $0.name == "acme/prod/web/e-1" } },
        Scenario(
            name: "an endpoint's address", cause: .address, ends: .never,
            edit: endpoint("acme/prod/web/e-1") { $0.addresses[0] = IPAddress(v4: 0x0a00_0063) }),
        Scenario(name: "a gateway", cause: .gateway, ends: .never) { $0.networks[0].gateways[0] = IPAddress(v4: 0x0a00_00fe) },
        Scenario(name: "an interface", cause: .interface, ends: .applied, edit: endpoint("acme/prod/web/e-1") { $0.interface = "v-new" }),
        Scenario(
            name: "path and host at once", cause: .renamedAndMoved, ends: .settled, times: 0...1,
            edit: endpoint("acme/prod/web/e-1") { ($0.name, $0.host, $0.interface) = ("acme/prod/web/n-1", "h4", "v-new") }),
        Scenario(name: "an interface that another endpoint gets", cause: .interfaceTaken, ends: .settled, times: 0...1) { builder in
            let old = builder.endpoints[0]
            (builder.endpoints[0].host, builder.endpoints[0].interface) = ("h4", "v-new")
            builder.endpoint("acme/prod/web/heir", of: "acme/prod/web", 50, on: old.host, interface: old.interface)
        },
    ]

    @Test("each kind stops what the plan says, as long as it says", arguments: scenarios)
    func kinds(scenario: Scenario) throws {
        var builder = Self.builder()
        let before = builder.build()
        scenario.edit(&builder)
        let after = builder.build()
        let plan = FleetPlan(base: before, baseCommit: "", head: after, headCommit: "")
        let found = plan.topology.interruptions
        #expect(!found.isEmpty)
        for one in found {
            #expect(one.cause == scenario.cause && one.ends == scenario.ends)
            #expect(one.leastSettleTimes == scenario.times?.lowerBound && one.mostSettleTimes == scenario.times?.upperBound)
        }
        #expect(plan.text.contains("What stops, "))
        if let times = scenario.times, times.lowerBound > 0 {
            #expect(plan.hosts.contains { $0.waits.contains { $0.milliseconds == UInt64(times.lowerBound) * 60_000 } })
        }
        var longest: UInt64 = 0
        for seed in 0..<(scenario.times == nil ? 1 : 3) {
            let meter = try Self.measure(before, after, seed: seed, note: scenario.name)
            longest = max(longest, meter.longest)
        }
        if let times = scenario.times { #expect(longest > UInt64(times.lowerBound) * Rollout.settle) }
    }

    @Test("whatever is not named goes on", arguments: Mutation.allCases)
    func unnamed(mutation: Mutation) throws {
        for seed in 0..<(2 * Rounds.count) {
            var random = SeededGenerator(seed: UInt64(120_000 + seed))
            var builder = TopologyBuilder.random(using: &random, endpoints: 1...3)
            let before = builder.build()
            guard builder.mutate(mutation, using: &random) else { continue }
            _ = try Self.measure(before, builder.build(), seed: seed, note: "\(mutation), seed \(seed)")
        }
    }

    @Test("nor if several things change at once", arguments: 0..<(20 * Rounds.count))
    func several(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(140_000 + seed))
        var builder = TopologyBuilder.random(using: &random, endpoints: 1...3)
        let before = builder.build()
        let done = builder.mutate(3, using: &random)
        _ = try Self.measure(before, builder.build(), seed: seed, note: "\(done), seed \(seed)")
    }

    private static func measure(_ before: Topology, _ after: Topology, seed: Int, note: String) throws -> Meter {
        var rollout = try Rollout([before, after], seed: seed, note: note)
        let meter = try Meter(before, after, fleet: rollout.fleet)
        try rollout.run(meter)
        meter.judge(note)
        return meter
    }
}

/// When flows that work with both topologies do not.
final class Meter: RolloutObserver {
    private struct Track {
        let before: Flow
        let after: Flow
        var since: UInt64?
        var first: UInt64?
        var last: UInt64?

        /// The same sender and receiver, by whichever name each of them has at the moment.
        var flows: [Flow] {
            Set([before.from, after.from]).sorted().flatMap { from in
                Set([before.to, after.to]).sorted().map { Flow(from: from, to: $0, destination: after.destination) }
            }
        }
    }

    private let interruptions: [Interruption]
    private let glossary: Glossary
    private let homes: [String: String]
    private var tracks: [Track] = []
    private var clock: UInt64 = 0

    init(_ before: Topology, _ after: Topology, fleet: Fleet) throws {
        interruptions = TopologyChange(from: before, to: after).interruptions
        glossary = Glossary([before, after])
        homes = Dictionary((before.endpoints + after.endpoints).map { ($0.name, $0.host) }) { first, _ in first }
        let pairs = Pairing(TopologyIndex(before), TopologyIndex(after)).endpoints
        let dead = Set((before.hosts + after.hosts).filter { $0.state == .down }.map(\.name))
        let works = try [before, after].map { try Self.working($0, fleet, without: dead) }
        let sources = [before, after].map { topology in Dictionary(topology.endpoints.map { ($0.name, $0.addresses) }) { first, _ in first }
        }
        for flow in works[0].sorted(by: { ($0.from, $0.to, $0.destination) < ($1.from, $1.to, $1.destination) }) {
            guard let from = pairs[flow.from], let to = pairs[flow.to] else { continue }
            let after = Flow(from: from, to: to, destination: flow.destination)
            // A sender of other addresses is another one.
            guard works[1].contains(after), sources[0][flow.from] == sources[1][from] else { continue }
            tracks.append(Track(before: flow, after: after))
        }
    }

    private static func working(_ topology: Topology, _ fleet: Fleet, without dead: Set<String>) throws -> Set<Flow> {
        var settled = Fleet(topology)
        for (name, machine) in fleet.hosts where settled.hosts[name] != nil { settled.hosts[name]?.interfaces = machine.interfaces }
        _ = try settled.converge(to: topology, base: nil, seed: 0)
        let world = World(settled, Glossary([topology]), without: dead)
        let vpc = Dictionary(topology.networks.map { ($0.name, $0.vpc) }) { first, _ in first }
        var result: Set<Flow> = []
        for from in topology.endpoints {
            for to in topology.endpoints where vpc[from.network] == vpc[to.network] && from != to {
                for destination in to.addresses {
                    let flow = Flow(from: from.name, to: to.name, destination: destination)
                    if world.works(flow) { result.insert(flow) }
                }
            }
        }
        return result
    }

    func advance(to clock: UInt64) { self.clock = clock }

    func look(_ fleet: Fleet, after step: Step, of host: String) {
        if step.isBookkeeping { return }
        let world = World(fleet, glossary)
        for index in tracks.indices {
            if tracks[index].flows.contains(where: world.works) {
                if tracks[index].since != nil { tracks[index].last = clock }
                tracks[index].since = nil
            } else if tracks[index].since == nil {
                tracks[index].since = clock
                tracks[index].first = tracks[index].first ?? clock
            }
        }
    }

    /// Nanoseconds between a flow's first stop and its last return.
    var longest: UInt64 { tracks.map { ($0.last ?? 0) - ($0.last == nil ? 0 : $0.first ?? 0) }.max() ?? 0 }

    func judge(_ note: String) {
        for track in tracks {
            let named = interruptions.filter { covers($0, track) }
            guard let first = track.first else { continue }
            // A dead host answers for nothing.
            if named.contains(where: { $0.cause == .hostDown }) { continue }
            guard !named.isEmpty else {
                Issue.record("\(note): \(track.before) stops, and nothing says so")
                continue
            }
            guard track.since == nil, let last = track.last else {
                Issue.record("\(note): \(track.before) does not come back")
                continue
            }
            let most = UInt64(named.compactMap(\.mostSettleTimes).max() ?? 0)
            let least = UInt64(named.compactMap(\.leastSettleTimes).max() ?? 0)
            // Hosts do their steps between those of others: a moment is not nothing.
            #expect(last - first <= most * Rollout.settle + Rollout.settle / 4, "\(note): \(track.before)")
            #expect(last - first >= least * Rollout.settle, "\(note): \(track.before)")
        }
    }

    private func covers(_ interruption: Interruption, _ track: Track) -> Bool {
        let names = [track.before.from, track.before.to, track.after.from, track.after.to]
        let path = interruption.resource.name
        switch interruption.resource.kind {
        case .endpoint: return interruption.cause != .address && names.contains(path)
        case .network: return interruption.cause != .gateway && names.contains { $0.hasPrefix(path + "/") }
        case .vpc, .tenant: return names.contains { $0.hasPrefix(path + "/") }
        // What a host holds for others goes by it, too.
        case .host: return interruption.cause != .uplink || names.contains { homes[$0] == path }
        case .cluster: return false
        }
    }
}
