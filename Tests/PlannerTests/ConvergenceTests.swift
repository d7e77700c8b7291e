import Planner
import TestSupport
import Testing
import Topology

/// How many random cases a test runs; more by hand: MIZAR_ROUNDS=50 swift test ….
let rounds = Rounds.count

@Suite("plan, apply, plan again")
struct ConvergenceTests {
    @Test("any topology, any change, settle 0: one plan does it and the next is empty", arguments: 0..<(8 * rounds))
    func oneStep(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        var builder = TopologyBuilder.random(using: &random, settle: 0)
        var machines = Fleet(builder.build())
        var before = try machines.converge(to: builder.build(), base: nil, seed: seed)
        for commit in 1...3 {
            let done = builder.mutate(Int.random(in: 1...4, using: &random), using: &random)
            let after = builder.build()
            for name in after.hosts.map(\.name) {
                machines.join(name, after)
                let first = try machines.planAndApply(name, after, base: before, commit: commit, note: "seed \(seed), \(done)")
                // A VNI that passes to another VPC waits for as long as learned hosts are believed; nothing else does.
                if let due = first.waiting.map(\.due).max() {
                    #expect(first.warnings.contains { $0.code == "MZ501" }, "seed \(seed), \(done): \(first.text)")
                    machines.hosts[name]?.now += due
                    try machines.planAndApply(name, after, base: after, commit: commit, note: "seed \(seed), \(done)")
                }
                let again = try machines.plan(name, after, base: after, commit: commit)
                #expect(again.steps.isEmpty && again.waiting.isEmpty, "seed \(seed), \(done): \(again.text)")
                machines.expectFresh(name, after, note: "seed \(seed), \(done)")
            }
            before = after
        }
    }

    @Test("settle above 0: the clock stepped until nothing waits", arguments: 0..<(8 * rounds))
    func settled(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(1000 + seed))
        var builder = TopologyBuilder.random(using: &random)
        var machines = Fleet(builder.build())
        var before = try machines.converge(to: builder.build(), base: nil, seed: seed)
        for commit in 1...3 {
            let done = builder.mutate(Int.random(in: 1...4, using: &random), using: &random)
            let after = builder.build()
            // Sometimes another commit arrives before this one has settled, and sometimes the commit before is not known.
            let isHasty = random.oneIn(3)
            for name in after.hosts.map(\.name) {
                machines.join(name, after)
                var base: Topology? = random.oneIn(4) ? nil : before
                var runs = 0
                while true {
                    let plan = try machines.planAndApply(name, after, base: base, commit: commit, note: "seed \(seed), \(done)")
                    base = after
                    if isHasty || (plan.waiting.isEmpty && machines[name].image.waits.isEmpty) { break }
                    runs += 1
                    try #require(runs < 12, "seed \(seed), \(done): host \(name) never settles: \(plan.text)")
                    machines.hosts[name]?.now += plan.waiting.map(\.due).min() ?? 130_000_000_000
                }
                if isHasty { continue }
                let again = try machines.plan(name, after, base: after, commit: commit)
                #expect(again.steps.isEmpty, "seed \(seed), \(done): \(again.text)")
                machines.expectFresh(name, after, note: "seed \(seed), \(done)")
            }
            before = after
        }
    }

    @Test("a fault at any step, then another plan: the same image", arguments: 0..<(2 * rounds))
    func faults(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(2000 + seed))
        let settle: UInt64 = random.oneIn(2) ? 0 : 60_000
        var builder = TopologyBuilder.random(using: &random, settle: settle)
        var machines = Fleet(builder.build())
        let before = try machines.converge(to: builder.build(), base: nil, seed: seed)
        let done = builder.mutate(Int.random(in: 1...4, using: &random), using: &random)
        let after = builder.build()
        for name in after.hosts.map(\.name) {
            machines.join(name, after)
            let start = machines
            let plan = try machines.plan(name, after, base: before, commit: 1)
            for fault in 0...plan.steps.count {
                machines = start
                for step in plan.steps.prefix(fault) { try machines.hosts[name]?.apply(step) }
                machines.hosts[name]?.now += 1_000_000_000
                var base = fault == plan.steps.count ? after : before
                for _ in 0..<6 {
                    try machines.planAndApply(name, after, base: base, commit: 1, note: "seed \(seed), \(done), step \(fault)")
                    base = after
                    machines.hosts[name]?.now += 60_000_000_000
                }
                let again = try machines.plan(name, after, base: after, commit: 1)
                #expect(again.steps.isEmpty && again.waiting.isEmpty, "seed \(seed), \(done), step \(fault): \(again.text)")
                machines.expectFresh(name, after, note: "seed \(seed), \(done), step \(fault)")
            }
        }
    }

    @Test("an interface that comes later, goes, and comes back with another index", arguments: 0..<(2 * rounds))
    func pending(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(3000 + seed))
        let builder = TopologyBuilder.random(using: &random, endpoints: 1...3, settle: random.oneIn(2) ? 0 : 60_000)
        let topology = builder.build()
        var machines = Fleet(topology)
        for name in topology.hosts.map(\.name) {
            let all = machines[name].interfaces.filter { $0.name != "lo" }
            for visible in [0, all.count / 2, all.count] {
                let made = machines[name].interfaces.filter { one in !all.contains { $0.name == one.name } }
                machines.hosts[name]?.interfaces = Array(all.prefix(visible)) + made
                let plan = try machines.planAndApply(name, topology, base: topology, commit: 1, note: "seed \(seed)")
                #expect(plan.pending.count == all.count - visible)
            }
            machines.expectFresh(name, topology, note: "seed \(seed)")
            machines.hosts[name]?.interfaces = all.map {
                var interface = $0
                interface.ifindex += 100
                return interface
            }
            // The kernel takes the programs of an interface with it.
            machines.hosts[name]?.attachments = []
            machines.hosts[name]?.devices = []
            for _ in 0..<3 {
                try machines.planAndApply(name, topology, base: topology, commit: 1, note: "seed \(seed)")
                machines.hosts[name]?.now += 60_000_000_000
            }
            machines.expectFresh(name, topology, note: "seed \(seed)")
        }
    }

    @Test(
        "maps that are far too large shrink; programs are loaded anew for those that they read, and for no other",
        arguments: Table.allCases.filter { !$0.hasOneRow })
    func reload(table: Table) throws {
        var random = SeededGenerator(seed: 5)
        let topology = TopologyBuilder.random(using: &random, settle: 0).build()
        var machines = Fleet(topology)
        let name = topology.hosts[0].name
        try machines.planAndApply(name, topology, base: nil, commit: 1, note: "")
        let capacity = try #require(machines[name].capacities[table])
        machines.hosts[name]?.capacities[table] = 1024 * capacity
        let plan = try machines.plan(name, topology, base: topology, commit: 1)
        let shrinks = plan.steps.contains { $0.change == .capacity(table, from: 1024 * capacity, to: capacity) }
        // In `traffic` ports keep the places that they got.
        #expect(shrinks == (table != .traffic))
        let loads = plan.steps.contains { if case .programs = $0.change { true } else { false } }
        #expect(loads == ![.names, .waits, .traffic].contains(table))
    }

    @Test("rows that mean nothing give way to ours")
    func foreign() throws {
        var random = SeededGenerator(seed: 5)
        let topology = TopologyBuilder.random(using: &random, settle: 0).build()
        var machines = Fleet(topology)
        let name = topology.hosts[0].name
        try machines.planAndApply(name, topology, base: nil, commit: 1, note: "")
        let row = Record.foreign(.endpoints, key: Array(0..<20), value: [1, 2, 3])
        machines.hosts[name]?.image.foreign = [row]
        let plan = try machines.planAndApply(name, topology, base: topology, commit: 1, note: "")
        #expect(plan.steps.map(\.change) == [.row(before: row, after: nil)])
        machines.expectFresh(name, topology, note: "")
    }
}
