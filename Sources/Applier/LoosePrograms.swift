import CBPF
import Glibc
public import Planner

/// The embedded programs over tables of their own, attached to nothing and pinned nowhere: packets go through them by
/// BPF_PROG_TEST_RUN alone.
public final class LoosePrograms {
    /// The programs that see packets first.
    public enum Program: Sendable {
        /// tc ingress of an endpoint's interface.
        case port
        /// tc ingress of the uplink.
        case uplink
        /// XDP of the uplink.
        case xdp
    }

    private let object: BPFObject
    private var slots = TrafficSlots()

    /// Loads the programs.
    ///
    /// - Parameter capacities: rows that a table has room for; of the others as many as an empty host's.
    public init(capacities: [Table: Int] = [:]) throws(BPFError) {
        let object = try BPFObject()
        for (table, capacity) in capacities { try object.resize(table.rawValue, to: capacity) }
        try object.setConstants(key: .drawn())
        try object.load()
        try KernelStore.fillTails(object)
        self.object = object
    }

    /// Writes rows; those of `direct` are tables, see `descriptor(of:)`.
    public func put(_ records: [Record]) throws(BPFError) {
        for (table, records) in Dictionary(grouping: records, by: \.table) {
            let raw = try check(fcntl(descriptor(of: table), F_DUPFD_CLOEXEC, 3), "keep", "map \(table.rawValue)")
            let map = try PinnedMap(BPFObject.spec(table.rawValue), owning: Descriptor(owning: raw))
            var rows = records.compactMap(\.bytes)
            if table == .ports { rows = try slots.place(rows) { _ in } }
            for start in stride(from: 0, to: rows.count, by: PinnedMap.batchSize) {
                try map.put(Array(rows[start..<min(rows.count, start + PinnedMap.batchSize)]))
            }
            if table == .ports { try KernelStore.keepDevices(of: rows, in: object.map(KernelStore.portDevices)) }
        }
    }

    /// A table's map, borrowed: it lives as long as this does.
    public func descriptor(of table: Table) throws(BPFError) -> Int32 { try object.map(table.rawValue) }

    /// A program, borrowed likewise.
    public func descriptor(of program: Program) throws(BPFError) -> Int32 {
        let name: ProgramName =
            switch program {
            case .port: .port
            case .uplink: .uplink
            case .xdp: .xdp
            }
        return try object.program(name)
    }
}
