import CBPF
import Glibc
public import Planner

extension KernelStore {
    /// The tables by which programs are known: each has them.
    private static let lasting: Set<String> = ["config", "programs"]

    /// Programs of ours in this network namespace that run on other maps than those pinned below the directory.
    public func elsewhere() throws(BPFError) -> MapsElsewhere? {
        try elsewhere(attachedPlaces())
    }

    func elsewhere(_ places: [AttachedPlace]) throws(BPFError) -> MapsElsewhere? {
        var strangers: Set<UInt32> = []
        var ids: Set<UInt32> = []
        // A killed run may have left programs on maps that were not put in force.
        var own = try maps(in: nil)
        for generation in try Generation.all(in: directory) { own.formUnion(try maps(in: generation)) }
        for program in Set(places.map(\.program)).sorted() {
            guard let info = try ProgramInfo.find(program) else { continue }
            for id in info.mapIDs where !own.contains(id) && !ids.contains(id) {
                let raw = bpf_map_get_fd_by_id(id)
                if raw < 0, failure(raw) == ENOENT { continue }
                let map = Descriptor(owning: try check(raw, "open", "map \(id)"))
                guard Self.lasting.contains(try MapInfo(of: map.raw, "map \(id)").name) else { continue }
                ids.insert(id)
            }
            if !ids.isDisjoint(with: info.mapIDs) { strangers.insert(program) }
        }
        guard !strangers.isEmpty else { return nil }
        let interfaces = Set(places.filter { strangers.contains($0.program) }.map(\.interface)).sorted()
        var search = PinSearch(names: Self.lasting, ids: ids)
        if let place = search.run() { return MapsElsewhere(interfaces: interfaces, place: place) }
        // Nobody has their pins: they were removed, and the programs that run are the last to know of the maps.
        return PinSearch.seesEverybody ? nil : MapsElsewhere(interfaces: interfaces, place: nil)
    }
}
