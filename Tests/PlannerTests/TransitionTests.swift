import Planner
import TestSupport
import Testing
import Topology

/// The law: hosts take a commit in any order, and nothing that worked before and after breaks in between; nothing ever
/// crosses from VPC to VPC.
@Suite("the way from one commit to the next")
struct TransitionTests {
    static let gentle = Mutation.allCases.filter { !$0.changesTheWire }

    @Test("settled: every endpoint reaches every other of its VPC, and none of another", arguments: 0..<(20 * rounds))
    func settled(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(10_000 + seed))
        let topology = TopologyBuilder.random(using: &random, endpoints: 1...3).build()
        var fleet = Fleet(topology)
        _ = try fleet.converge(to: topology, base: nil, seed: seed)
        let world = World(fleet, Glossary([topology]))
        world.look("seed \(seed)")
        let state = Dictionary(uniqueKeysWithValues: topology.hosts.map { ($0.name, $0.state) })
        let vpc = Dictionary(uniqueKeysWithValues: topology.networks.map { ($0.name, $0.vpc) })
        for from in topology.endpoints where state[from.host] != .down {
            for to in topology.endpoints where vpc[to.network] == vpc[from.network] && state[to.host] != .down && from != to {
                for destination in to.addresses where from.addresses.contains(where: { $0.isIPv4 == destination.isIPv4 }) {
                    let flow = Flow(from: from.name, to: to.name, destination: destination)
                    let works = world.works(flow)
                    #expect(works, "seed \(seed): \(flow): \(world.outcomes(flow))")
                }
            }
            guard let network = topology.networks.first(where: { $0.name == from.network }) else { continue }
            for case let gateway? in network.gateways where from.addresses.contains(where: { $0.isIPv4 == gateway.isIPv4 }) {
                let answers = world.answersGateway(from, gateway)
                #expect(answers, "seed \(seed): \(from.name) to its gateway \(gateway)")
            }
        }
    }

    @Test("by the clock: hosts notice, tick and act at random times", arguments: 0..<(50 * rounds))
    func byTheClock(seed: Int) throws {
        try run(seed: seed, kinds: Self.gentle, commits: 1)
    }

    @Test("many roles move, and endpoints come to hosts that had no row for them", arguments: 0..<(50 * rounds))
    func roles(seed: Int) throws {
        try run(
            seed: 75_000 + seed, kinds: [.addEndpoint, .moveEndpoint, .addHost, .weight, .bouncers, .dividers, .zone], commits: 1,
            changes: 5...9)
    }

    @Test("VNIs that pass from VPC to VPC, and everything else", arguments: 0..<(25 * rounds))
    func anything(seed: Int) throws {
        try run(seed: 50_000 + seed, kinds: Mutation.allCases, commits: 1)
    }

    @Test("VNIs in particular", arguments: 0..<(25 * rounds))
    func identifiers(seed: Int) throws {
        try run(
            seed: 60_000 + seed, kinds: [.passVNI, .swapVNIs, .changeVNI, .renameVPC, .removeVPC, .addVPC, .addEndpoint],
            commits: 1 + seed % 2)
    }

    /// Some hosts skip the commits between, in which VPCs had VNIs that others have now.
    @Test("free VNIs that go to one VPC and at once to another", arguments: 0..<(25 * rounds))
    func contested(seed: Int) throws {
        try run(seed: 64_000 + seed, kinds: [.addVPC, .passVNI, .passVNI], commits: 2 + seed % 2)
    }

    @Test("Geneve's port changes, once or twice, and roles with it", arguments: 0..<(25 * rounds))
    func port(seed: Int) throws {
        try run(seed: 90_000 + seed, kinds: [.port], commits: 1, changes: 1...1)
        try run(seed: 91_000 + seed, kinds: [.port, .moveEndpoint, .addHost, .weight, .bouncers], commits: 1, changes: 3...6)
        try run(seed: 93_000 + seed, kinds: [.port, .moveEndpoint, .removeHost, .dividers, .bouncers], commits: 1, changes: 3...6)
        try run(seed: 92_000 + seed, kinds: [.port], commits: 2, changes: 1...1)
    }

    @Test("a second commit before the first has settled", arguments: 0..<(25 * rounds))
    func hasty(seed: Int) throws {
        try run(seed: 70_000 + seed, kinds: Self.gentle, commits: 2)
    }

    @Test("phase by phase, every host through one before any begins the next", arguments: 0..<(25 * rounds))
    func lockstep(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(80_000 + seed))
        var builder = TopologyBuilder.random(using: &random, endpoints: 1...3)
        let before = builder.build()
        var fleet = Fleet(before)
        _ = try fleet.converge(to: before, base: nil, seed: seed)
        let done = builder.mutate(Int.random(in: 1...3, using: &random), using: &random, among: Self.gentle)
        let after = builder.build()
        for host in after.hosts { fleet.join(host.name, after) }
        let watch = try Watch([before, after], fleet: fleet, note: "seed \(80_000 + seed), \(done)")
        for phase in Phase.allCases {
            var plans: [(String, ArraySlice<Step>)] = []
            for host in after.hosts {
                let plan = try fleet.plan(host.name, after, base: phase == .add ? before : after, commit: 1, through: phase)
                plans.append((host.name, plan.steps[...]))
            }
            while let index = plans.indices.filter({ !plans[$0].1.isEmpty }).randomElement(using: &random) {
                let step = plans[index].1.removeFirst()
                try fleet.hosts[plans[index].0]?.apply(step)
                watch.look(fleet, after: step, of: plans[index].0)
                // Often a host runs on alone: every prefix of its plan with the others before or after theirs.
                while random.oneIn(2) == false, let step = plans[index].1.popFirst() {
                    try fleet.hosts[plans[index].0]?.apply(step)
                    watch.look(fleet, after: step, of: plans[index].0)
                }
            }
        }
        for host in after.hosts {
            let again = try fleet.plan(host.name, after, base: after, commit: 1, through: .remove)
            #expect(again.steps.isEmpty, "\(watch.note): \(again.text)")
        }
    }

    private func run(seed: Int, kinds: [Mutation], commits: Int, changes: ClosedRange<Int> = 1...3) throws {
        var rollout = try Rollout(seed: seed, kinds: kinds, commits: commits, changes: changes)
        let watch = try Watch(rollout.topologies, fleet: rollout.fleet, note: rollout.note)
        try rollout.run(watch)
        guard let last = rollout.topologies.last else { return }
        for host in last.hosts { rollout.fleet.expectFresh(host.name, last, note: rollout.note) }
    }
}
