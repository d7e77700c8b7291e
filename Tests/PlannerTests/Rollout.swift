import Planner
import TestSupport
import Testing
import Topology

/// Sees a fleet on its way from one commit to the next.
protocol RolloutObserver {
    /// After each step of a host.
    func look(_ fleet: Fleet, after step: Step, of host: String)
    /// The time of all of them, nanoseconds from the first commit on.
    func advance(to clock: UInt64)
}

/// Commits at random, and hosts that take them by their clocks: each notices within 0.6 of a settle time, acts within 0.3 of
/// one of being due, and does its plans step by step between the steps of others.
struct Rollout {
    static let settle: UInt64 = 60_000_000_000

    let topologies: [Topology]
    let note: String
    /// Hears of no commit after the first.
    let laggard: String?
    private(set) var fleet: Fleet
    private var random: SeededGenerator

    private struct Runner {
        var notices: [UInt64]
        /// Nil: a host that joins has applied nothing, and knows of no commit before.
        var applied: Int?
        var wakes: UInt64
        var steps: ArraySlice<Step> = []
    }

    /// - Parameters:
    ///   - settle: of the commits, in milliseconds.
    ///   - lags: one of the hosts hears of none.
    init(
        seed: Int, kinds: [Mutation], commits: Int, changes: ClosedRange<Int> = 1...3, settle: UInt64 = 60_000, lags: Bool = false
    ) throws {
        random = SeededGenerator(seed: UInt64(seed))
        var builder = TopologyBuilder.random(using: &random, endpoints: 1...3, settle: settle)
        var topologies = [builder.build()]
        fleet = Fleet(topologies[0])
        _ = try fleet.converge(to: topologies[0], base: nil, seed: seed)
        var done: [Mutation] = []
        for _ in 0..<commits {
            done += builder.mutate(Int.random(in: changes, using: &random), using: &random, among: kinds)
            topologies.append(builder.build())
        }
        for topology in topologies { for host in topology.hosts { fleet.join(host.name, topology) } }
        self.topologies = topologies
        laggard = lags ? topologies[0].hosts.map(\.name).randomElement(using: &random) : nil
        note = "seed \(seed), \(done)" + (laggard.map { ", \($0) lags" } ?? "")
    }

    /// These commits, the first of which every host has.
    init(_ topologies: [Topology], seed: Int, note: String) throws {
        random = SeededGenerator(seed: UInt64(seed))
        fleet = Fleet(topologies[0])
        _ = try fleet.converge(to: topologies[0], base: nil, seed: seed)
        for topology in topologies { for host in topology.hosts { fleet.join(host.name, topology) } }
        self.topologies = topologies
        self.note = note
        laggard = nil
    }

    /// Until everything has settled.
    mutating func run(_ observer: some RolloutObserver) throws {
        let settle = Self.settle
        /// When each commit is made, and when each host runs: noticing, then ticks.
        var made: [UInt64] = [0]
        for number in 1..<topologies.count {
            made.append(number == 1 ? 0 : made[number - 1] + .random(in: 0...(2 * settle), using: &random))
        }
        let end = (made.last ?? 0) + 5 * settle
        var runners: [String: Runner] = [:]
        for name in fleet.hosts.keys.sorted() {
            let notices = made.map { $0 == 0 && topologies.count == 1 ? 0 : $0 + .random(in: 0...(settle * 6 / 10), using: &random) }
            let isFounder = topologies[0].hosts.contains { $0.name == name }
            if name == laggard { continue }
            runners[name] = Runner(notices: notices, applied: isFounder ? 0 : nil, wakes: notices[1])
        }
        let names = runners.keys.sorted()
        var clock: UInt64 = 0
        while clock < end {
            // Whoever is in the middle of a plan goes on in random order; the clock moves when all are idle, or a little.
            let busy = names.filter { runners[$0]?.steps.isEmpty == false }
            if let name = busy.randomElement(using: &random), !random.oneIn(4) || busy.count == names.count {
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    guard let step = runners[name]?.steps.popFirst() else { break }
                    apply(step, on: name, observer)
                }
                continue
            }
            guard
                let name = names.filter({ runners[$0]?.steps.isEmpty == true }).min(by: {
                    (runners[$0]?.wakes ?? 0, $0) < (runners[$1]?.wakes ?? 0, $1)
                }),
                var runner = runners[name]
            else { continue }
            // Nobody may be in the middle of an old plan for long.
            if !busy.isEmpty, runner.wakes > clock + settle / 50 {
                for name in busy { while let step = runners[name]?.steps.popFirst() { apply(step, on: name, observer) } }
            }
            clock = max(clock, runner.wakes)
            observer.advance(to: clock)
            let newest = topologies.indices.dropFirst().last { runner.notices[$0] <= clock } ?? 1
            let topology = topologies[newest]
            if topology.hosts.contains(where: { $0.name == name }) {
                fleet.hosts[name]?.now = 1_000_000_000 + clock
                let skipped = runner.applied.map { topologies[min($0 + 1, newest)..<newest] } ?? []
                runner.steps = try fleet.plan(
                    name, topology, base: runner.applied.map { topologies[$0] }, skipped: Array(skipped), commit: newest
                ).steps[...]
                runner.applied = newest
            }
            runner.wakes = clock + .random(in: (settle / 20)...(settle * 3 / 10), using: &random)
            if let notice = runner.notices.first(where: { $0 > clock }) { runner.wakes = min(runner.wakes, notice) }
            runners[name] = runner
        }
    }

    private mutating func apply(_ step: Step, on name: String, _ observer: some RolloutObserver) {
        do { try fleet.hosts[name]?.apply(step) } catch { Issue.record("\(note), \(name): \(error)") }
        observer.look(fleet, after: step, of: name)
    }
}
