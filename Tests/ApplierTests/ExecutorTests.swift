import Applier
import Planner
// Testing has an Attachment too.
import struct Planner.Attachment
import TestSupport
import Testing
import Topology

struct ExecutorTests {
    private static let uplink = Attachment(ifindex: 2, interface: "eth0", point: .xdp)

    /// Rows of every table, more than one batch of one of them, changes, removals and attachments.
    private static let steps: [Step] = {
        let endpoints = Samples.endpoints(0..<270)
        let moved: [(Record, Record)] = endpoints.prefix(5).compactMap {
            guard case .endpoint(let key, var row) = $0 else { return nil }
            row.host = Samples.h1
            return ($0, .endpoint(key, row))
        }
        return Samples.base(capacity: 1024) + endpoints.map { Samples.row(nil, $0) }
            + moved.map { Samples.row($0.0, $0.1) } + endpoints.suffix(20).map { Samples.row($0, nil) }
            + [Samples.attach(uplink)]
    }()

    @Test("counts what a user counts, and reports every step once")
    func counts() {
        var reported: [Step] = []
        let outcome = Executor.apply(Samples.plan(Self.steps), to: MemoryStore()) { reported.append($0) }
        #expect(reported == Self.steps)
        #expect(outcome.added == 272)
        #expect(outcome.changed == 5)
        #expect(outcome.destroyed == 20)
        #expect(outcome.failed == nil)
    }

    @Test("whatever step fails, the steps before it are done and the rest completes them")
    func everyFailure() throws {
        let whole = MemoryStore()
        #expect(Executor.apply(Samples.plan(Self.steps), to: whole).failed == nil)
        for k in 0..<Self.steps.count {
            let store = MemoryStore()
            var done = 0
            let outcome = Executor.apply(Samples.plan(Self.steps), to: FailingStore(store, after: k)) { _ in done += 1 }
            #expect(done == k)
            #expect(try #require(outcome.failures.first).step == Self.steps[k])
            let rest = Executor.apply(Samples.plan(Array(Self.steps[k...])), to: store)
            #expect(rest.failed == nil)
            #expect(try store.observe() == whole.observation)
        }
    }

    @Test("a driver that refuses XDP changes the row that says how the uplink is attached")
    func fallback() throws {
        let wanted = DatapathRow(programs: 1, uplink: 2, mode: .xdp, reason: .native)
        let instead = DatapathRow(programs: 1, uplink: 2, mode: .tc, reason: .refused)
        let steps =
            Samples.base() + [Samples.attach(Self.uplink, orElse: instead), Samples.row(nil, .datapath(wanted))]
        let store = MemoryStore()
        store.refusesXDP = true
        let outcome = Executor.apply(Samples.plan(steps), to: store)
        #expect(outcome.fellBack == instead)
        #expect(store.observation.image.datapath == instead)
        #expect(store.observation.attachments.isEmpty)
    }
}
