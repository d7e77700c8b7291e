import CBPF
import Glibc
import Planner
import TestSupport
import Testing

@testable import Applier

/// Each port counts in a slot of `traffic` that is nobody else's, and keeps it.
@Suite(.enabled(if: NetworkNamespace.isAvailable))
struct TrafficSlotsTests {
    /// Slots by interface, as the map says.
    private static func slots(_ store: KernelStore) throws -> [UInt32: UInt32] {
        var found: [UInt32: UInt32] = [:]
        try store.need(.ports).forEach { key, value in
            found[key.loadUnaligned(as: UInt32.self)] = RowBytes(key: Array(key), value: Array(value)).slot
        }
        return found
    }

    private static func bytes(_ slot: UInt32) -> [UInt8] { withUnsafeBytes(of: slot) { Array($0) } }

    /// Counters of the slot that say its number on each CPU.
    private static func count(_ store: KernelStore, _ slot: UInt32) throws {
        let map = try store.need(.traffic)
        try map.put(bytes(slot), [UInt8](repeating: UInt8(slot), count: map.valueSize))
    }

    @Test("a port that changes keeps its slot and counters; one that comes begins at nothing")
    func slotsComeAndGo() async throws {
        try await NetworkNamespace.run { host in
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            try store.succeed(Samples.base() + (11...14).map { Samples.row(nil, Samples.port($0)) })
            let first = try Self.slots(store)
            #expect(first.values.sorted() == [1, 2, 3, 4])
            for slot in first.values { try Self.count(store, slot) }

            try store.succeed([
                Samples.row(Samples.port(12), Samples.port(12, macFixed: true)), Samples.row(Samples.port(11), nil),
            ])
            let other = try KernelStore(directory: host.bpffs, forWriting: true)
            try other.succeed([Samples.row(nil, Samples.port(15)), Samples.row(nil, Samples.port(16))])
            let second = try Self.slots(other)
            #expect(second == [12: first[12], 13: first[13], 14: first[14], 15: first[11], 16: 5])
            let sent = Dictionary(uniqueKeysWithValues: try other.status().traffic.map { ($0.ifindex, $0.sentBytes) })
            #expect(sent[15] == 0 && sent[16] == 0)
            for ifindex: UInt32 in 12...14 { #expect(sent[ifindex] ?? 0 > 0, "port \(ifindex)") }
        }
    }

    @Test("as many ports as there is room for, and what grows for more of them, have a slot each")
    func many() async throws {
        try await NetworkNamespace.run { host in
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            let ports = (1...200).map { Samples.port(UInt32($0)) }
            try store.succeed(Samples.base() + ports.prefix(60).map { Samples.row(nil, $0) })
            try Self.count(store, 7)
            try store.succeed(
                [Samples.capacity(.ports, from: 64, to: 512), Samples.capacity(.traffic, from: 64, to: 512)]
                    + ports.dropFirst(60).prefix(4).map { Samples.row(nil, $0) } + [Samples.programs]
                    + ports.dropFirst(64).map { Samples.row(nil, $0) })
            let slots = try Self.slots(store)
            #expect(Set(slots.values) == Set(1...200))
            let counted = try store.status().traffic.filter { $0.sentBytes > 0 }.map(\.ifindex)
            #expect(counted == slots.filter { $0.value == 7 }.map(\.key))
        }
    }

    @Test("of two rows with one slot the next write of one gives it another")
    func doubled() async throws {
        try await NetworkNamespace.run { host in
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            try store.succeed(Samples.base() + [Samples.row(nil, Samples.port(11)), Samples.row(nil, Samples.port(12))])
            let map = try store.need(.ports)
            for ifindex: UInt32 in [11, 12] {
                var row = try #require(Samples.port(ifindex).bytes)
                row.slot = 1
                try map.put(row.key, row.value)
            }
            let next = try KernelStore(directory: host.bpffs, forWriting: true)
            try next.succeed([11, 12].map { Samples.row(Samples.port($0), Samples.port($0, macFixed: true)) })
            #expect(try Self.slots(next).values.sorted() == [1, 2])
        }
    }
}
