import Planner

/// Which row of `traffic` counts for which port. A port's own row says it and keeps it as long as it is there; nobody
/// plans it.
struct TrafficSlots {
    private var slots: [UInt32: UInt32] = [:]
    private var taken: Set<UInt32> = []
    /// None below it is free. Slot 0 is nobody's.
    private var lowest: UInt32 = 1

    init() {}

    /// Those of the rows that a map of ports holds.
    init(reading ports: borrowing PinnedMap) throws(BPFError) {
        var found = Self()
        try ports.forEach { found.keep($0, $1) }
        self = found
    }

    /// A row of the live ports. Two with one slot would each count for both: the second gets another.
    mutating func keep(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        let row = RowBytes(key: Array(key), value: Array(value))
        if row.slot != 0 && taken.insert(row.slot).inserted { slots[row.ifindex] = row.slot }
    }

    /// The rows of ports with their slots; of one that has none, the least that is free.
    ///
    /// - Parameter clear: called for each slot that was free, whose counters are somebody else's of before.
    mutating func place(
        _ rows: [RowBytes], clear: (_ slot: UInt32) throws(BPFError) -> Void
    ) throws(BPFError) -> [RowBytes] {
        var placed: [RowBytes] = []
        for var row in rows {
            if let slot = slots[row.ifindex] {
                row.slot = slot
            } else {
                while !taken.insert(lowest).inserted { lowest += 1 }
                row.slot = lowest
                slots[row.ifindex] = lowest
                try clear(lowest)
            }
            placed.append(row)
        }
        return placed
    }
}

extension RowBytes {
    /// Of a row of `ports`.
    var ifindex: UInt32 { key.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) } }
}
