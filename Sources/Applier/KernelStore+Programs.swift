import CBPF
import Glibc
import Planner

extension KernelStore {
    /// Loads the embedded programs on maps of their layout and puts both in force, in place of the ones before, at every place at
    /// once where programs are already: slots first, then the entries and XDP. Killed in between, the next observation says
    /// that programs do not use the pinned maps.
    func replacePrograms() throws(BPFError) {
        let next = try makeGeneration()
        let object = try BPFObject()
        let specs = try BPFObject.embedded.get()
        var kept: [String: UInt32] = [:]
        for (name, spec) in specs.sorted(by: { $0.key < $1.key }) {
            guard let open = try mapToKeep(spec, kept) else { continue }
            kept[name] = open.map.id
            try object.reuse(name, open.map.descriptor)
        }
        if kept["traffic_before"] == nil { try object.resize("traffic_before", to: slotsOfTraffic()) }
        try object.resize(Self.portDevices, to: slotsOfTraffic())
        let secret = try secret() ?? .drawn()
        try object.setConstants(key: secret)
        try object.load()
        try Self.fillTails(object)
        try secret.write(to: object.map("secret"))
        if kept["mark"] == nil { try Self.drawMark(object.map("mark")) }
        try keepDevices(object)
        try pin(object, next, specs.keys.sorted())
        try copyLearnedMeanwhile()

        making = next
        defer { making = nil }
        try fillSlots(object)
        try replaceAttached()
        try Self.awaitPrograms()
        try clearSlots()
        try carryCounters(but: kept, into: object)
        try next.putInForce(in: directory)
        making = nil
        grown = [:]
        try removeOthers()
    }

    /// The map of that name which the next programs use, too; nil: they get a new one.
    ///
    /// - Parameter kept: ids of those whose names come before.
    private func mapToKeep(_ spec: MapSpec, _ kept: [String: UInt32]) throws(BPFError) -> OpenMap? {
        let table = Table(rawValue: spec.name)
        if let table, let copy = grown[table] { return copy }
        let map = try openMap(spec.name)
        switch spec.mapClass {
        case MZR_CLASS_DESIRED, MZR_CLASS_LEARNED:
            guard let map else {
                throw BPFError("open", "map \(spec.name)", .unavailable("it is not pinned at \(try path(spec.name))"))
            }
            try map.map.mayBeWritten()
            return map
        case MZR_CLASS_COUNTERS, MZR_CLASS_WIRING, MZR_CLASS_NOTES:
            // The capacity of a table is the plan's.
            guard let map, !map.map.isRelaid, table != nil || map.map.capacity >= spec.capacity else { return nil }
            return map
        case MZR_CLASS_SCRATCH, MZR_CLASS_DERIVED: return nil
        case MZR_CLASS_BEFORE:
            let counters = String(spec.name.dropLast(Self.before("").count))
            // Killed in between, a total that was added to would be added to again.
            guard let map, !map.map.isRelaid, try left(counters, but: kept).isEmpty else { return nil }
            return map
        default: throw BPFError("keep", "map \(spec.name)", .unavailable("nothing says what an upgrade does with its class"))
        }
    }

    /// The interfaces of the ports that the next programs have.
    private func keepDevices(_ object: borrowing BPFObject) throws(BPFError) {
        var rows: [RowBytes] = []
        if let copy = grown[.ports] {
            try copy.map.forEach { rows.append(RowBytes(key: Array($0), value: Array($1))) }
        } else {
            try need(.ports).forEach { rows.append(RowBytes(key: Array($0), value: Array($1))) }
        }
        // Those that have gone by now stay gone.
        if let devices = try devices() { rows.removeAll { devices.lacks($0) } }
        try Self.keepDevices(of: rows, in: object.map(Self.portDevices))
    }

    /// Rows of the map of `traffic` that the next programs use.
    private func slotsOfTraffic() throws(BPFError) -> Int {
        if let copy = grown[.traffic] { return copy.map.capacity }
        return try need(.traffic).capacity
    }

    /// Before it is pinned: a mark is drawn once, and never changes under packets on their way to the guard.
    private static func drawMark(_ map: Int32) throws(BPFError) {
        var key: UInt32 = 0
        var mark = UInt32.random(in: 1...UInt32.max)
        try check(bpf_map_update_elem(map, &key, &mark, UInt64(BPF_ANY)), "write", "map mark")
    }

    /// Pins the maps and what can be attached.
    private func pin(_ object: borrowing BPFObject, _ generation: Generation, _ names: [String]) throws(BPFError) {
        let folder = "\(directory)/\(generation.name)"
        var maps = Set<UInt32>()
        for name in names {
            let map = try object.map(name)
            maps.insert(try MapInfo(of: map, "map \(name)").id)
            try check(bpf_obj_pin(map, "\(folder)/\(name)"), "pin", "map \(folder)/\(name)")
        }
        for name in ProgramName.allCases {
            guard let pin = name.pin else { continue }
            let new = try object.program(name)
            let path = "\(folder)/\(pin)"
            if let old = try sameProgram(name, new, maps) {
                try check(bpf_obj_pin(old.raw, path), "pin", "program \(name.rawValue)")
            } else {
                try check(bpf_obj_pin(new, path), "pin", "program \(name.rawValue)")
            }
        }
    }

    /// The program in force if it does the same on the same tables: then nobody's filter is touched.
    ///
    /// - Parameter maps: ids of the tables. Constants are a map of each load, which libbpf binds to every program; of
    ///   the attachable ones XDP alone reads them.
    private func sameProgram(_ name: ProgramName, _ descriptor: Int32, _ maps: Set<UInt32>) throws(BPFError) -> Descriptor? {
        guard name != .xdp, let pinned = try openProgram(name) else { return nil }
        let old = try ProgramInfo(of: pinned.raw)
        let new = try ProgramInfo(of: descriptor)
        let isSame =
            old.tag == new.tag && maps.intersection(old.mapIDs) == maps.intersection(new.mapIDs)
            && old.mapIDs.count == new.mapIDs.count
        if isSame { return pinned }
        return nil
    }

    /// The guard comes first: until all slots are written it sees packets of programs of both versions.
    func fillSlots(_ object: borrowing BPFObject) throws(BPFError) {
        let slots = try object.map("programs")
        for name in [ProgramName.guard] + ProgramName.allCases.filter({ $0 != .guard }) {
            guard var slot = name.slot else { continue }
            var program = try object.program(name)
            try check(
                bpf_map_update_elem(slots, &slot, &program, UInt64(BPF_ANY)), "replace",
                "program \(name.rawValue)")
        }
    }

    /// The programs behind those in slots, in the array that only these have.
    static func fillTails(_ object: borrowing BPFObject) throws(BPFError) {
        let tails = try object.map("tails")
        for name in ProgramName.allCases {
            guard var slot = name.tail else { continue }
            var program = try object.program(name)
            try check(bpf_map_update_elem(tails, &slot, &program, UInt64(BPF_ANY)), "write", "program \(name.rawValue)")
        }
    }

    /// Takes programs of other versions out of slots that this one does not use, when none of theirs runs any more: each holds
    /// the tables that it was loaded on.
    private func clearSlots() throws(BPFError) {
        guard let slots = try openMap("programs") else { return }
        let used = Set(ProgramName.allCases.compactMap(\.slot))
        for slot in 0..<UInt32(slots.map.capacity) where !used.contains(slot) {
            var slot = slot
            let result = bpf_map_delete_elem(slots.map.descriptor, &slot)
            if result < 0, failure(result) != ENOENT { try check(result, "clear", "a slot of programs") }
        }
    }

    /// Until no packet is in a program that was replaced.
    static func awaitPrograms() throws(BPFError) {
        let result = mzr_await_programs()
        guard result < 0 else { return }
        // A kernel whose CPUs are not to be disturbed (nohz_full) does not say when; packets are through in far less than this.
        guard result == -EINVAL || result == -ENOSYS else { throw BPFError("wait for", "the old programs", .errno(-result)) }
        usleep(200_000)
    }

    /// The key of the programs in force; nil: there is none yet.
    func secret() throws(BPFError) -> Secret? {
        guard let map = try open("secret") else { return nil }
        return try Secret(map)
    }

    /// The pinned program, which must be there.
    func needProgram(_ name: ProgramName) throws(BPFError) -> Descriptor {
        guard let program = try openProgram(name) else {
            throw BPFError("open", "program \(name.rawValue)", .unavailable("the programs are not loaded yet"))
        }
        return program
    }

    /// Puts the pinned programs in place of those of ours that interfaces carry.
    func replaceAttached() throws(BPFError) {
        for place in try attachedPlaces() {
            switch place.point {
            case .port, .uplink, .guardEgress, .loopback, .beside, .besideGuard:
                let program = try needProgram(place.point.program)
                guard try ProgramInfo(of: program.raw).id != place.program else { continue }
                try attachTC(place.point, place.ifindex, program.raw, replace: true, place.interface)
            case .xdp: try refreshXDP(place)
            }
        }
    }
}
