import Glibc
import Planner

extension KernelStore {
    /// Tables that the programs write too.
    static let written: [Table] = [.portMACs, .traffic]

    /// Creates a table's map, or a copy of another capacity, which waits for the programs step if they read it.
    func resize(_ table: Table, from: Int, to: Int) throws(BPFError) {
        guard let old = try open(table) else {
            guard from == 0 else { throw BPFError("resize", "map \(table.rawValue)", .errno(ENOENT)) }
            return try create(table, capacity: to).pin(at: path(table.rawValue))
        }
        // Done already.
        if old.capacity == to { return }
        let new = try create(table, capacity: to)
        if table == .direct { try copyDirect(old, to: new) } else { try Self.copy(old, to: new) }
        if table.isReadByPrograms { grown[table] = OpenMap(new) } else { try replace(table, with: new) }
    }

    /// Pins a map in place of the table's, in one step for whoever opens it.
    func replace(_ table: Table, with map: borrowing PinnedMap) throws(BPFError) {
        let next = path(table.rawValue + Self.nextSuffix)
        try BPFFilesystem.unpin(next)
        try map.pin(at: next)
        try BPFFilesystem.move(next, over: path(table.rawValue))
    }

    private func create(_ table: Table, capacity: Int) throws(BPFError) -> PinnedMap {
        let descriptor = try BPFObject().createMap(table.rawValue, capacity: capacity)
        return try PinnedMap(BPFObject.spec(table.rawValue), owning: descriptor)
    }

    /// Copies every row, counters included.
    static func copy(_ old: borrowing PinnedMap, to new: borrowing PinnedMap) throws(BPFError) {
        if old.spec.isArray {
            for index in 0..<UInt32(min(old.capacity, new.capacity)) {
                let key = withUnsafeBytes(of: index) { Array($0) }
                if let value = try old.value(of: key) { try new.put(key, value) }
            }
            return
        }
        var rows: [RowBytes] = []
        try old.forEach { rows.append(RowBytes(key: Array($0), value: Array($1))) }
        var start = 0
        while start < rows.count {
            let end = min(start + PinnedMap.batchSize, rows.count)
            try new.put(Array(rows[start..<end]))
            start = end
        }
    }
}
