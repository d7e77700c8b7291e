import CBPF
import Glibc
import Planner
// Testing has an Attachment too.
import struct Planner.Attachment
import TestSupport
import Testing
import Topology

@testable import Applier

@Suite(.enabled(if: NetworkNamespace.isAvailable))
struct GrowthTests {
    /// What a host with some rows, which then outgrow their maps, is asked to do.
    private static let growth: [Step] =
        [Samples.capacity(.endpoints, from: 64, to: 256), Samples.capacity(.portMACs, from: 64, to: 128)]
        + [Samples.programs] + Samples.endpoints(60..<200).map { Samples.row(nil, $0) }

    private static func base(_ places: [Attachment]) -> [Step] {
        Samples.base() + Samples.endpoints(0..<60).map { Samples.row(nil, $0) } + [
            Samples.row(nil, .portMAC(7, MACAddress(bits: 0x0200_0000_0001))), Samples.row(nil, Samples.port(7)),
        ] + places.map { Samples.attach($0) }
    }

    @Test("a map grows with its rows, and every program uses the new one")
    func grows() async throws {
        try await NetworkNamespace.run { host in
            let places = try host.makePorts()
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            try store.succeed(Self.base(places))
            let entries = try store.attachedPlaces().filter { $0.point != .xdp }
            let counters = try store.need(.traffic)
            let old = try store.need(.endpoints).id

            try store.succeed(Self.growth)
            let seen = try store.observe()
            #expect(seen.capacities[.endpoints] == 256 && seen.capacities[.portMACs] == 128)
            #expect(seen.capacities[.hosts] == 64)
            #expect(seen.image.endpoints.count == 200)
            #expect(seen.image.portMACs[7] == MACAddress(bits: 0x0200_0000_0001))
            #expect(seen.programsUsePinnedMaps)
            #expect(seen.attachments == Set(places))
            #expect(try store.need(.endpoints).id != old)
            #expect(try store.need(.traffic).id == counters.id)
            // Nobody's filter was touched: the slots changed behind them.
            #expect(try store.attachedPlaces().filter { $0.point != .xdp } == entries)
            // Nothing holds the old map any more, and the kernel frees it a moment later.
            try host.eventually("map \(old) has gone") {
                var next: UInt32 = 0
                return bpf_map_get_next_id(old - 1, &next) < 0 || next != old
            }
        }
    }

    @Test("a table that no program reads grows without loading programs")
    func growsAlone() async throws {
        try await NetworkNamespace.run { host in
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            let names = (0..<100).map { Record.name(UInt64($0), "acme/prod/web-\($0)") }
            try store.succeed(Samples.base() + names.prefix(60).map { Samples.row(nil, $0) })
            try store.succeed([Samples.capacity(.names, from: 64, to: 256)] + names.dropFirst(60).map { Samples.row(nil, $0) })
            let seen = try store.observe()
            #expect(seen.capacities[.names] == 256 && seen.image.names.count == 100)
            #expect(seen.programsUsePinnedMaps)
        }
    }

    @Test("rows written while a copy waits are in both maps")
    func writesInBetween() async throws {
        try await NetworkNamespace.run { host in
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            let rows = Samples.endpoints(0..<3)
            try store.succeed(Samples.base() + rows.prefix(2).map { Samples.row(nil, $0) })
            try store.succeed([
                Samples.capacity(.endpoints, from: 64, to: 256), Samples.row(rows[0], nil), Samples.row(nil, rows[2]),
                Samples.programs,
            ])
            let seen = try store.observe()
            #expect(seen.image.endpoints.count == 2)
            #expect(seen.programsUsePinnedMaps && seen.capacities[.endpoints] == 256)
        }
    }

    @Test("counters go along with their table, all CPUs of them")
    func counters() async throws {
        try await NetworkNamespace.run { host in
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            try store.succeed(Samples.base() + [Samples.row(nil, Samples.port(6)), Samples.row(nil, Samples.port(7))])
            let map = try store.need(.traffic)
            let value = (0..<map.valueSize).map { UInt8(truncatingIfNeeded: $0 / MemoryLayout<mzr_traffic>.size + 1) }
            try map.put([2, 0, 0, 0], value)
            try store.succeed([Samples.capacity(.traffic, from: 64, to: 128), Samples.programs])
            // Programs write to the new one at once: what was counted before goes on beside it.
            #expect(try store.need(.traffic).value(of: [2, 0, 0, 0])?.allSatisfy { $0 == 0 } == true)
            let cpus = map.valueSize / MemoryLayout<mzr_traffic>.size
            let expected = (1...cpus).reduce(UInt64(0)) { $0 + UInt64($1) * 0x0101_0101_0101_0101 }
            #expect(try store.status().traffic.map(\.sentBytes) == [0, expected])
        }
    }

    @Test("killed after any step, the next run finds rows that it can read and completes them")
    func everyFailure() async throws {
        try await NetworkNamespace.run { host in
            let places = try host.makePorts()
            let steps = Self.base(places)
            // Maps are one like another, and so are rows: it is stopped before, within and after them.
            let stops = steps.indices.filter { k in
                switch steps[k].change {
                case .capacity: k < 2
                case .row: k % 40 == 0 || steps[k].batchKey != steps[k - 1].batchKey
                case .programs, .attach, .detach, .device: true
                }
            }
            for k in stops {
                try host.stop(steps, after: k)
                // The next run is another process: it has no copies in memory.
                let next = try KernelStore(directory: host.bpffs, forWriting: true)
                let seen = try next.observe()
                #expect(seen.image.foreign.isEmpty)
                #expect(seen.capacities.count == min(k, Table.allCases.count))
                try next.succeed(Array(steps[k...]))
                let last = try next.observe()
                #expect(last.programsUsePinnedMaps)
                #expect(last.image.endpoints.count == 60 && last.attachments == Set(places))
                _ = try Detach.run(directory: host.bpffs)
                #expect(!BPFFilesystem.exists(host.bpffs))
            }
        }
    }

    @Test("killed after any step of a growth, the next run completes it")
    func everyFailureOfGrowth() async throws {
        try await NetworkNamespace.run { host in
            let places = try host.makePorts()
            try KernelStore(directory: host.bpffs, forWriting: true).succeed(Self.base(places))
            var capacity = 64
            for k in [1, 2, 3, 4] {
                let larger = 2 * capacity
                let grow = [Table.endpoints, .portMACs].map { Samples.capacity($0, from: capacity, to: larger) }
                let rows = [UInt32(60 + 2 * k), UInt32(61 + 2 * k)].flatMap { Samples.endpoints($0..<$0 + 1) }
                let steps = grow + [Samples.programs] + rows.map { Samples.row(nil, $0) }
                try host.stop(steps, after: k)
                let next = try KernelStore(directory: host.bpffs, forWriting: true)
                let seen = try next.observe()
                #expect(seen.programsUsePinnedMaps)
                // Before the programs step the copies were in memory alone, and have gone with their process.
                #expect(seen.capacities[.endpoints] == (k < 3 ? capacity : larger))
                try next.succeed(k < 3 ? steps : Array(steps[k...]))
                let last = try next.observe()
                #expect(last.programsUsePinnedMaps)
                #expect(last.capacities[.endpoints] == larger && last.capacities[.portMACs] == larger)
                #expect(last.image.endpoints.count == 60 + 2 * k && last.attachments == Set(places))
                #expect(try BPFFilesystem.names(in: host.bpffs).allSatisfy { !$0.hasSuffix(KernelStore.nextSuffix) })
                capacity = larger
            }
        }
    }

    @Test("whichever names a killed run left, the programs are put right")
    func halfDone() async throws {
        try await NetworkNamespace.run { host in
            let places = try host.makePorts()
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            try store.succeed(Self.base(places))
            // A name that was not moved yet, programs that are not pinned any more, a slot that is empty.
            try store.need(.endpoints).pin(at: store.path("endpoints_next"))
            for damage in ["entry_port", "xdp", "programs", "tails"] {
                try BPFFilesystem.unpin(store.path(damage))
                let next = try KernelStore(directory: host.bpffs, forWriting: true)
                #expect(try !next.observe().programsUsePinnedMaps)
                try next.succeed([Samples.programs])
                #expect(try next.observe().programsUsePinnedMaps)
                #expect(try next.observe().attachments == Set(places))
            }
            #expect(try !BPFFilesystem.exists(store.path("endpoints_next")))
            let slots = Descriptor(owning: try check(bpf_obj_get(store.path("programs")), "open", "the slots"))
            try check(bpf_map_delete_elem(slots.raw, [1, 0, 0, 0] as [UInt8]), "empty", "a slot")
            #expect(try !store.observe().programsUsePinnedMaps)
            // A map that was put in place before its programs.
            try BPFFilesystem.unpin(store.path("endpoints"))
            try store.succeed([Samples.capacity(.endpoints, to: 64)])
            #expect(try !store.observe().programsUsePinnedMaps)
            try store.succeed([Samples.programs])
            #expect(try store.observe().programsUsePinnedMaps)
            // Detach works on whatever is left.
            try BPFFilesystem.unpin(store.path("programs"))
            try BPFFilesystem.unpin(store.path("entry_uplink"))
            #expect(try Detach.run(directory: host.bpffs).count { $0.hasPrefix("program ") } == places.count)
            #expect(try store.observe().attachments.isEmpty)
            #expect(!BPFFilesystem.exists(host.bpffs))
        }
    }
}

extension NetworkNamespace {
    /// Does `count` steps as a process does that is then killed.
    func stop(_ steps: [Step], after count: Int) throws {
        let store = try KernelStore(directory: bpffs, forWriting: true)
        let outcome = Executor.apply(Samples.plan(steps), to: FailingStore(store, after: count))
        #expect(try #require(outcome.failures.first).step == steps[count])
    }

    /// Waits until the condition holds; the kernel does some things after its answer.
    func eventually(_ what: String, _ condition: () throws -> Bool) throws {
        for _ in 0..<2000 {
            if try condition() { return }
            usleep(5000)
        }
        Issue.record("in vain: \(what)")
    }
}
