import CBPF
import Glibc
import Planner

// The table whose values are maps: VNI -> what the data plane has learned of the VPC's endpoints. A program writes a
// map's descriptor and reads back its id.
extension KernelStore {
    /// VNI -> its table.
    func directTables(_ map: borrowing PinnedMap) throws(BPFError) -> [UInt32: OpenMap] {
        var ids: [UInt32: UInt32] = [:]
        try map.forEach { ids[$0.loadUnaligned(as: UInt32.self)] = $1.loadUnaligned(as: UInt32.self) }
        var result: [UInt32: OpenMap] = [:]
        for (vni, id) in ids {
            let raw = bpf_map_get_fd_by_id(id)
            // It has gone meanwhile.
            if raw < 0, failure(raw) == ENOENT { continue }
            let table = Descriptor(owning: try check(raw, "open", "map \(id)"))
            guard let spec = try BPFObject.facts.get().directTable else { throw BPFError("find", "a direct table", .errno(ENOENT)) }
            result[vni] = OpenMap(try PinnedMap(spec, owning: table))
        }
        return result
    }

    func writeDirect(_ steps: ArraySlice<Step>) throws(BPFError) {
        // Of another layout: only the copy is written to.
        let map = try need(.direct)
        for step in steps {
            guard case .row(let before, let after) = step.change else { continue }
            switch (before, after) {
            case (_, .direct(let vni, let capacity)?):
                let table = try BPFObject().createDirectTable(capacity: capacity)
                try putDirect(vni, table, in: map)
            case (.direct(let vni, _)?, nil):
                if try !isRelaid(.direct, map) { try map.remove(Self.key(vni)) }
                if let copy = grown[.direct] { try copy.map.remove(Self.key(vni)) }
            default: break
            }
        }
    }

    private func putDirect(_ vni: UInt32, _ table: borrowing Descriptor, in map: borrowing PinnedMap) throws(BPFError) {
        let value = withUnsafeBytes(of: table.raw) { Array($0) }
        if try !isRelaid(.direct, map) { try map.put(Self.key(vni), value) }
        if let copy = grown[.direct] { try copy.map.put(Self.key(vni), value) }
    }

    /// The same tables in another map, with what they have learned; those of another layout as tables of this one.
    func copyDirect(_ old: borrowing PinnedMap, to new: borrowing PinnedMap) throws(BPFError) {
        for (vni, table) in try directTables(old) {
            guard table.map.isRelaid else {
                try new.put(Self.key(vni), withUnsafeBytes(of: table.map.descriptor) { Array($0) })
                continue
            }
            let copy = try BPFObject().createDirectTable(capacity: table.map.capacity)
            try new.put(Self.key(vni), withUnsafeBytes(of: copy.raw) { Array($0) })
        }
        try copyLearned(old, to: new)
    }

    /// What tables of another layout have learned, into those in their place.
    func copyLearned(_ old: borrowing PinnedMap, to new: borrowing PinnedMap) throws(BPFError) {
        let copies = try directTables(new)
        for (vni, table) in try directTables(old) {
            guard let copy = copies[vni], copy.map.id != table.map.id else { continue }
            try Self.copy(table.map, to: copy.map)
        }
    }

    private static func key(_ vni: UInt32) -> [UInt8] { withUnsafeBytes(of: vni) { Array($0) } }
}
