import Planner
import TestSupport
import Testing
import Topology

/// The law once more, with what hosts learn: the tables of `direct`, the questions and answers that fill them, and time.
@Suite("what hosts learn on the way from one commit to the next")
struct ConversationTests {
    @Test("endpoints move, come and go", arguments: 0..<(20 * rounds))
    func endpoints(seed: Int) throws {
        try run(
            seed: 110_000 + seed,
            kinds: [
                .moveEndpoint, .moveEndpoint, .addEndpoint, .removeEndpoint, .reuseAddress, .reuseInterface, .changeInterface,
                .renameEndpoint,
            ])
    }

    @Test("bouncers and dividers move, come and go", arguments: 0..<(20 * rounds))
    func roles(seed: Int) throws {
        try run(seed: 120_000 + seed, kinds: [.bouncers, .dividers, .weight, .zone, .moveEndpoint], changes: 2...5)
    }

    @Test("hosts are drained, added and removed", arguments: 0..<(20 * rounds))
    func hosts(seed: Int) throws {
        try run(seed: 130_000 + seed, kinds: [.state, .addHost, .removeHost, .weight, .moveEndpoint], changes: 1...4)
    }

    @Test("VPCs and networks are added and removed", arguments: 0..<(20 * rounds))
    func networks(seed: Int) throws {
        try run(
            seed: 140_000 + seed, kinds: [.addVPC, .removeVPC, .addNetwork, .removeNetwork, .growNetwork, .changeGateway, .addEndpoint])
    }

    @Test("a second commit before the first has settled", arguments: 0..<(20 * rounds))
    func hasty(seed: Int) throws {
        try run(seed: 150_000 + seed, kinds: TransitionTests.gentle, commits: 2)
    }

    @Test("VNIs pass from VPC to VPC, and hosts leave that never hear of it", arguments: 0..<(20 * rounds))
    func identifiers(seed: Int) throws {
        try run(
            seed: 170_000 + seed, kinds: [.passVNI, .swapVNIs, .changeVNI, .removeHost, .removeHost, .addEndpoint],
            commits: 1 + seed % 2, changes: 2...3)
    }

    @Test("free VNIs that go to one VPC and at once to another", arguments: 0..<(20 * rounds))
    func contested(seed: Int) throws {
        try run(seed: 180_000 + seed, kinds: [.addVPC, .passVNI, .passVNI], commits: 2 + seed % 2)
    }

    /// Nothing of one VPC comes out in another, whatever a host does not know: it lags for ever, with what it has learned or without,
    /// and sends; or it sleeps meanwhile, and when it wakes its clock says that what it has learned is fresh.
    @Test("VNIs pass from VPC to VPC, and a host that is there hears of nothing", arguments: 0..<(40 * rounds))
    func laggards(seed: Int) throws {
        var rollout = try Rollout(
            seed: 190_000 + seed, kinds: [.passVNI, .swapVNIs, .changeVNI, .addEndpoint, .moveEndpoint], commits: 1 + seed % 2,
            changes: 2...4, settle: seed % 3 == 0 ? 0 : 60_000, lags: true)
        let flows = Self.pairs(rollout.topologies[0])
        let conversation = Conversation(rollout, flows: flows, seed: seed, isAsleep: seed % 4 == 1)
        try rollout.run(conversation)
        conversation.settle()
    }

    /// Who may speak with whom.
    private static func pairs(_ topology: Topology) -> [Flow] {
        let vpcs = Dictionary(uniqueKeysWithValues: topology.networks.map { ($0.name, $0.vpc) })
        return topology.endpoints.flatMap { from in
            topology.endpoints.filter { vpcs[$0.network] == vpcs[from.network] && $0.name != from.name }.flatMap { to in
                to.addresses.map { Flow(from: from.name, to: to.name, destination: $0) }
            }
        }
    }

    @Test("Geneve's port, and all the rest", arguments: 0..<(20 * rounds))
    func anything(seed: Int) throws {
        try run(seed: 160_000 + seed, kinds: Mutation.allCases, changes: 1...4)
    }

    /// An heir's rows came before the last host went that knew nothing of it; the same over two commits; and what was learned of
    /// a host that left was believed when Geneve went to a port that this host never took. A host skipped the commit that
    /// gave a free VNI to another VPC.
    @Test("what was broken once stays whole") func found() throws {
        try run(seed: 160_036, kinds: Mutation.allCases, changes: 1...4)
        try run(
            seed: 170_111, kinds: [.passVNI, .swapVNIs, .changeVNI, .removeHost, .removeHost, .addEndpoint], commits: 2, changes: 2...3)
        try run(seed: 150_041, kinds: TransitionTests.gentle, commits: 2)
        try run(
            seed: 170_081, kinds: [.passVNI, .swapVNIs, .changeVNI, .removeHost, .removeHost, .addEndpoint], commits: 2, changes: 2...3)
    }

    /// What all of the above would mean nothing without.
    @Test("there is something to learn, to forget and to get wrong")
    func isOne() throws {
        var seen = Conversation.Seen()
        for seed in 0..<20 {
            seen = seen + (try run(seed: 110_000 + seed, kinds: [.moveEndpoint, .addEndpoint, .removeEndpoint]))
        }
        #expect(seen.tables > 1000 && seen.direct > 1000 && seen.gone > 10 && seen.nobody > 20 && seen.late > 100, "\(seen)")
    }

    @discardableResult
    private func run(
        seed: Int, kinds: [Mutation], commits: Int = 1, changes: ClosedRange<Int> = 1...3
    ) throws -> Conversation.Seen {
        var rollout = try Rollout(seed: seed, kinds: kinds, commits: commits, changes: changes)
        let flows = try Watch(rollout.topologies, fleet: rollout.fleet, note: rollout.note).flows
        let conversation = Conversation(rollout, flows: flows, seed: seed)
        try rollout.run(conversation)
        conversation.settle()
        return conversation.seen
    }
}
