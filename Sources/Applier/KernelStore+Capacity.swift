import CBPF
import Glibc
import Planner

extension KernelStore {
    /// Creates a table's map, or one of another capacity or layout with the same rows, which waits for the programs step where
    /// programs read it.
    func resize(_ table: Table, from: Int, to: Int) throws(BPFError) {
        guard let old = try open(table) else {
            guard from == 0 else { throw BPFError("resize", "map \(table.rawValue)", .errno(ENOENT)) }
            let map = try create(table, capacity: to)
            if try prepareGeneration() {
                try map.pin(at: path(table.rawValue))
                try Generation.linkPins(in: directory)
            } else {
                grown[table] = OpenMap(map)
            }
            return
        }
        let isRelaid = try isRelaid(table, old)
        // Done already.
        if old.capacity == to, !isRelaid { return }
        let new = try create(table, capacity: to)
        switch table {
        case .direct: try copyDirect(old, to: new)
        // What was counted is added up when nobody counts there any more.
        case .traffic: break
        case .config, .hosts, .vpcs, .networks, .endpoints, .ports, .portMACs, .names, .waits, .datapath, .applied:
            try Self.copy(old, to: new)
        }
        // All maps of a generation are of one layout.
        if table.isReadByPrograms || isRelaid { grown[table] = OpenMap(new) } else { try replace(table, with: new) }
    }

    /// Pins a map in place of the table's, in one step for whoever opens it.
    private func replace(_ table: Table, with map: borrowing PinnedMap) throws(BPFError) {
        let next = try path(table.rawValue + Self.nextSuffix)
        try BPFFilesystem.unpin(next)
        try map.pin(at: next)
        try BPFFilesystem.move(next, over: path(table.rawValue))
    }

    private func create(_ table: Table, capacity: Int) throws(BPFError) -> PinnedMap {
        let descriptor = try BPFObject().createMap(table.rawValue, capacity: capacity)
        return try PinnedMap(BPFObject.spec(table.rawValue), owning: descriptor)
    }

    /// What programs have written to tables since they were copied. Those of the copies write nothing yet.
    func copyLearnedMeanwhile() throws(BPFError) {
        for (table, copy) in grown where mzr_map_class(table.rawValue) == MZR_CLASS_LEARNED {
            guard let old = try open(table) else { continue }
            if table == .direct { try copyLearned(old, to: copy.map) } else { try Self.copy(old, to: copy.map) }
        }
    }

    /// Copies every row; what says more than this version knows is left out.
    static func copy(_ old: borrowing PinnedMap, to new: borrowing PinnedMap) throws(BPFError) {
        if new.spec.isArray {
            for index in 0..<UInt32(min(old.capacity, new.capacity)) {
                let key = withUnsafeBytes(of: index) { Array($0) }
                if let value = try old.value(of: key) { try new.put(key, value) }
            }
            return
        }
        var rows: [RowBytes] = []
        // What a host takes back meanwhile, it takes back from the old map alone: in the copy it has to prove it once more.
        let isProven = old.spec.name == Table.endpoints.rawValue
        try old.forEach {
            let row = RowBytes(key: Array($0), value: Array($1))
            rows.append(isProven ? row.unproven : row)
        }
        var start = 0
        while start < rows.count {
            let end = min(start + PinnedMap.batchSize, rows.count)
            try new.put(Array(rows[start..<end]))
            start = end
        }
    }
}
