import CBPF
import Glibc
import Planner

extension KernelStore {
    /// Loads the embedded programs on the pinned maps and puts them in place of the old ones, at every place at once
    /// where they are already: slots first, then the entries and XDP. Killed in between, the next observation says
    /// that programs do not use the pinned maps.
    func replacePrograms() throws(BPFError) {
        let object = try BPFObject()
        let specs = try BPFObject.embedded.get()
        var created: [String] = []
        for name in specs.keys.sorted() {
            if let table = Table(rawValue: name) {
                if let copy = grown[table] {
                    try object.reuse(name, copy.map.descriptor)
                } else {
                    let map = try need(table)
                    try object.reuse(name, map.descriptor)
                }
            } else if let map = try open(name) {
                try object.reuse(name, map.descriptor)
            } else {
                created.append(name)
            }
        }
        try object.setConstants()
        try object.load()

        if created.contains("mark") { try Self.drawMark(object.map("mark")) }
        for name in created { try check(bpf_obj_pin(object.map(name), path(name)), "pin", "map \(path(name))") }
        try putGrownMapsInPlace()
        let slots = try object.map("programs")
        for name in ProgramName.allCases {
            guard var slot = name.slot else { continue }
            var program = try object.program(name)
            try check(
                bpf_map_update_elem(slots, &slot, &program, UInt64(BPF_ANY)), "replace",
                "program \(name.rawValue)")
        }
        var maps = Set<UInt32>()
        for name in specs.keys { maps.insert(try MapInfo(of: object.map(name), "map \(name)").id) }
        for name in ProgramName.allCases where name.pin != nil { try pinProgram(name, object.program(name), maps) }
        try replaceAttached()
    }

    /// Before it is pinned: a mark is drawn once, and never changes under packets on their way to the guard.
    private static func drawMark(_ map: Int32) throws(BPFError) {
        var key: UInt32 = 0
        var mark = UInt32.random(in: 1...UInt32.max)
        try check(bpf_map_update_elem(map, &key, &mark, UInt64(BPF_ANY)), "write", "map mark")
    }

    private func putGrownMapsInPlace() throws(BPFError) {
        for table in grown.keys.sorted() {
            guard let copy = grown[table] else { continue }
            // What the programs wrote since the first copy.
            if Self.written.contains(table), let old = try open(table) { try Self.copy(old, to: copy.map) }
            try replace(table, with: copy.map)
        }
        grown = [:]
    }

    /// Keeps an attachable program at its pin, unless what is pinned there does the same on the same tables.
    ///
    /// - Parameter maps: ids of the tables. Constants are a map of each load, which libbpf binds to every program; of
    ///   the attachable ones XDP alone reads them.
    private func pinProgram(_ name: ProgramName, _ descriptor: Int32, _ maps: Set<UInt32>) throws(BPFError) {
        guard let pin = name.pin else { return }
        if let pinned = try openProgram(name) {
            let old = try ProgramInfo(of: pinned.raw)
            let new = try ProgramInfo(of: descriptor)
            if name != .xdp, old.tag == new.tag, maps.intersection(old.mapIDs) == maps.intersection(new.mapIDs) {
                return
            }
        }
        let next = path(pin + Self.nextSuffix)
        try BPFFilesystem.unpin(next)
        try check(bpf_obj_pin(descriptor, next), "pin", "program \(name.rawValue)")
        try BPFFilesystem.move(next, over: path(pin))
    }

    /// The pinned program; nil if there is none.
    func openProgram(_ name: ProgramName) throws(BPFError) -> Descriptor? {
        guard let pin = name.pin else { return nil }
        let raw = bpf_obj_get(path(pin))
        if raw < 0, failure(raw) == ENOENT { return nil }
        return Descriptor(owning: try check(raw, "open", "program \(path(pin))"))
    }

    /// The pinned program, which must be there.
    func needProgram(_ name: ProgramName) throws(BPFError) -> Descriptor {
        guard let program = try openProgram(name) else {
            throw BPFError("open", "program \(name.rawValue)", .unavailable("the programs are not loaded yet"))
        }
        return program
    }

    /// Puts the pinned programs in place of those of ours that interfaces carry.
    private func replaceAttached() throws(BPFError) {
        for place in try attachedPlaces() {
            switch place.point {
            case .port, .uplink, .guardEgress, .loopback:
                let program = try needProgram(place.point.program)
                guard try ProgramInfo(of: program.raw).id != place.program else { continue }
                try attachTC(place.point, place.ifindex, program.raw, replace: true, place.interface)
            case .xdp: try refreshXDP(place)
            }
        }
    }
}
