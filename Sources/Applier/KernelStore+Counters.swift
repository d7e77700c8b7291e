import CBPF
import Glibc
import Planner

// Counters never go back. Those of a map that another takes the place of cannot be added to the other's, which programs write
// at the same moment, on every CPU: their total goes on in a map beside, and whoever asks for a counter adds both up.
extension KernelStore {
    /// Where the totals of a map of counters go on.
    static func before(_ counters: String) -> String { "\(counters)_before" }

    static let counters = ["traffic", "drops"]

    /// The maps of a name that nobody counts in any more once another generation is in force: the one of before, and those of killed
    /// runs whose programs went on.
    ///
    /// - Parameter kept: id of the map of each name that counts on.
    func left(_ name: String, but kept: [String: UInt32]) throws(BPFError) -> [OpenMap] {
        var seen: Set<UInt32> = kept[name].map { [$0] } ?? []
        var found: [OpenMap] = []
        for folder in [try folderInForce()] + (try unfinished().map { "\(directory)/\($0.name)" }) {
            guard let map = try PinnedMap.open(BPFObject.spec(name), at: "\(folder)/\(name)"), seen.insert(map.id).inserted else {
                continue
            }
            found.append(OpenMap(map))
        }
        return found
    }

    private func folderInForce() throws(BPFError) -> String {
        try Generation.inForce(in: directory).map { "\(directory)/\($0.name)" } ?? directory
    }

    /// Writes the totals of maps that are given up, and those of before, into the object's new maps.
    func carryCounters(but kept: [String: UInt32], into object: borrowing BPFObject) throws(BPFError) {
        for name in Self.counters where kept[Self.before(name)] == nil {
            var sums: [[UInt64]] = []
            let before = Self.before(name)
            if let map = try PinnedMap.open(BPFObject.spec(before), at: "\(folderInForce())/\(before)") {
                try Self.add(map, to: &sums)
            }
            for one in try left(name, but: kept) { try Self.add(one.map, to: &sums) }
            let target = try object.map(before)
            for (index, sum) in sums.enumerated() where sum.contains(where: { $0 != 0 }) {
                var (index, sum) = (UInt32(index), sum)
                try check(bpf_map_update_elem(target, &index, &sum, UInt64(BPF_ANY)), "write a row to", "map \(before)")
            }
        }
    }

    private static func add(_ map: borrowing PinnedMap, to sums: inout [[UInt64]]) throws(BPFError) {
        for index in 0..<map.capacity {
            guard let value = try map.value(of: withUnsafeBytes(of: UInt32(index)) { Array($0) }) else { continue }
            let row = sum(value, valueSize: map.spec.valueSize, isPerCPU: map.spec.isPerCPU)
            while sums.count <= index { sums.append([]) }
            sums[index] = sum(sums[index], row)
        }
    }

    /// The counters of all CPUs together: a row is of 64-bit counters alone.
    static func sum(_ value: [UInt8], valueSize: Int, isPerCPU: Bool) -> [UInt64] {
        let stride = isPerCPU ? RowShape.aligned(valueSize) : max(value.count, 1)
        var total = [UInt64](repeating: 0, count: valueSize / 8)
        value.withUnsafeBytes { bytes in
            for start in Swift.stride(from: 0, to: bytes.count, by: stride) {
                for field in total.indices { total[field] &+= bytes.loadUnaligned(fromByteOffset: start + 8 * field, as: UInt64.self) }
            }
        }
        return total
    }

    private static func sum(_ left: [UInt64], _ right: [UInt64]) -> [UInt64] {
        (0..<max(left.count, right.count)).map { (($0 < left.count) ? left[$0] : 0) &+ (($0 < right.count) ? right[$0] : 0) }
    }

    /// One row of counters, with what was counted in maps before; nil: there is no such row.
    func counter(_ name: String, _ row: UInt32, _ map: borrowing PinnedMap, _ before: OpenMap?) throws(BPFError) -> [UInt64]? {
        let key = withUnsafeBytes(of: row) { Array($0) }
        guard let value = try map.value(of: key) else { return nil }
        let now = Self.sum(value, valueSize: map.spec.valueSize, isPerCPU: map.spec.isPerCPU)
        guard let before, row < before.map.capacity, let value = try before.map.value(of: key) else { return now }
        return Self.sum(now, Self.sum(value, valueSize: before.map.spec.valueSize, isPerCPU: false))
    }

    /// Forgets what was counted in a row of `traffic`, which gets another port.
    func clearTraffic(_ slot: UInt32) throws(BPFError) {
        if let map = try open(.traffic) { try map.clear(slot) }
        if let copy = grown[.traffic] { try copy.map.clear(slot) }
        if let before = try openMap(Self.before("traffic")) { try before.map.clear(slot) }
    }
}
