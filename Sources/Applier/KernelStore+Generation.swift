import CBPF
import Glibc
import Planner

// Which of the generations below the directory counts, and what a killed run has left of others.
extension KernelStore {
    /// The layout of the pinned maps; nil: there are none.
    func foundLayout() throws(BPFError) -> Int? {
        if let generation = try Generation.inForce(in: directory) { return generation.layout }
        return try BPFFilesystem.names(in: directory).contains { Generation.pinsOfLayout0.contains($0) } ? 0 : nil
    }

    /// Makes a folder for another generation, after all that are there.
    func makeGeneration() throws(BPFError) -> Generation {
        let number = (try Generation.all(in: directory).last?.number ?? 0) + 1
        let generation = Generation(layout: try BPFObject.facts.get().layout, number: number)
        let folder = "\(directory)/\(generation.name)"
        guard mkdir(folder, 0o700) == 0 else { throw BPFError("create", "directory \(folder)", .errno(errno)) }
        return generation
    }

    /// For the first map of a host: the folder that it is pinned in.
    ///
    /// - Returns: false: the pins are of layout 0, and another generation must come first.
    func prepareGeneration() throws(BPFError) -> Bool {
        switch try foundLayout() {
        case nil:
            try makeGeneration().putInForce(in: directory)
            return true
        case .some: return try Generation.inForce(in: directory) != nil
        }
    }

    /// Whether a table's map, or a map in it, is of another layout than this version's.
    func isRelaid(_ table: Table, _ map: borrowing PinnedMap) throws(BPFError) -> Bool {
        if map.isRelaid { return true }
        // Nobody tells what maps a map takes.
        guard table == .direct, let found = try foundLayout() else { return false }
        return try found != BPFObject.facts.get().layout
    }

    /// Generations that a killed run made and did not put in force, though programs of theirs may run.
    func unfinished() throws(BPFError) -> [Generation] {
        let inForce = try Generation.inForce(in: directory)?.number ?? 0
        return try Generation.all(in: directory).filter { $0.number > inForce && $0 != making }
    }

    /// Removes what a killed predecessor left: names that were not moved yet, generations that others took the place of, and those
    /// of which nothing runs.
    func removeLeftovers() throws(BPFError) {
        let inForce = try Generation.inForce(in: directory)
        if let inForce {
            for one in try Generation.all(in: directory) where one.number < inForce.number { try one.remove(from: directory) }
            try Generation.linkPins(in: directory)
        }
        for folder in [directory] + (inForce.map { ["\(directory)/\($0.name)"] } ?? []) {
            for name in try BPFFilesystem.names(in: folder) where name.hasSuffix(Self.nextSuffix) {
                try BPFFilesystem.unpin("\(folder)/\(name)")
            }
        }
        let unfinished = try unfinished()
        guard !unfinished.isEmpty else { return }
        let running = try runningMaps()
        let kept = try maps(in: inForce)
        for one in unfinished where try maps(in: one).subtracting(kept).isDisjoint(with: running) { try one.remove(from: directory) }
    }

    /// Removes all but the one in force. No program may run on the others' maps any more.
    func removeOthers() throws(BPFError) {
        let inForce = try Generation.inForce(in: directory)
        for one in try Generation.all(in: directory) where one != inForce { try one.remove(from: directory) }
        try Generation.linkPins(in: directory)
    }

    /// Ids of the maps that are pinned in a generation's folder; without one, in the directory itself.
    func maps(in generation: Generation?) throws(BPFError) -> Set<UInt32> {
        let folder = generation.map { "\(directory)/\($0.name)" } ?? directory
        var found: Set<UInt32> = []
        for name in try BPFFilesystem.names(in: folder) where generation != nil || Generation.isOfLayout0(name) {
            let raw = bpf_obj_get("\(folder)/\(name)")
            guard raw >= 0 else { continue }
            let pin = Descriptor(owning: raw)
            // The kernel describes a program to whoever asks for a map.
            guard HostCheck.link("/proc/self/fd/\(pin.raw)") == "anon_inode:bpf-map" else { continue }
            found.insert(try MapInfo(of: pin.raw, name).id)
        }
        return found
    }

    /// Ids of the maps that our attached programs use, and those in their slots.
    private func runningMaps() throws(BPFError) -> Set<UInt32> {
        var programs = Set(try attachedPlaces().map(\.program))
        var arrays: Set<UInt32> = []
        var maps: Set<UInt32> = []
        var open = programs
        while !open.isEmpty {
            programs.formUnion(open)
            var next: Set<UInt32> = []
            for program in open {
                guard let info = try ProgramInfo.find(program) else { continue }
                maps.formUnion(info.mapIDs)
                for id in info.mapIDs where arrays.insert(id).inserted { next.formUnion(try Self.slots(of: id)) }
            }
            open = next.subtracting(programs)
        }
        return maps
    }

    /// Ids of the programs in an array of programs; none of any other map.
    private static func slots(of id: UInt32) throws(BPFError) -> Set<UInt32> {
        let raw = bpf_map_get_fd_by_id(id)
        if raw < 0, failure(raw) == ENOENT { return [] }
        let map = Descriptor(owning: try check(raw, "open", "map \(id)"))
        let info = try MapInfo(of: map.raw, "map \(id)")
        guard info.type == BPF_MAP_TYPE_PROG_ARRAY.rawValue else { return [] }
        var found: Set<UInt32> = []
        for slot in 0..<UInt32(info.capacity) {
            var (slot, program) = (slot, UInt32(0))
            if bpf_map_lookup_elem(map.raw, &slot, &program) == 0 { found.insert(program) }
        }
        return found
    }
}
