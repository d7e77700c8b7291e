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
            result[vni] = OpenMap(try PinnedMap(Self.directSpec, owning: table))
        }
        return result
    }

    private static let directSpec = MapSpec(
        name: "direct_table", type: BPF_MAP_TYPE_LRU_HASH.rawValue, keySize: MemoryLayout<mzr_address>.size,
        valueSize: MemoryLayout<mzr_direct>.size, flags: 0)

    func writeDirect(_ steps: ArraySlice<Step>) throws(BPFError) {
        let map = try need(.direct)
        for step in steps {
            guard case .row(let before, let after) = step.change else { continue }
            switch (before, after) {
            case (_, .direct(let vni, let capacity)?):
                let table = try BPFObject().createDirectTable(capacity: capacity)
                try putDirect(vni, table, in: map)
            case (.direct(let vni, _)?, nil):
                try map.remove(Self.key(vni))
                if let copy = grown[.direct] { try copy.map.remove(Self.key(vni)) }
            default: break
            }
        }
    }

    private func putDirect(_ vni: UInt32, _ table: borrowing Descriptor, in map: borrowing PinnedMap) throws(BPFError) {
        let value = withUnsafeBytes(of: table.raw) { Array($0) }
        try map.put(Self.key(vni), value)
        if let copy = grown[.direct] { try copy.map.put(Self.key(vni), value) }
    }

    /// The same tables, with what they have learned, in a map of another capacity.
    func copyDirect(_ old: borrowing PinnedMap, to new: borrowing PinnedMap) throws(BPFError) {
        for (vni, table) in try directTables(old) {
            try new.put(Self.key(vni), withUnsafeBytes(of: table.map.descriptor) { Array($0) })
        }
    }

    private static func key(_ vni: UInt32) -> [UInt8] { withUnsafeBytes(of: vni) { Array($0) } }
}
