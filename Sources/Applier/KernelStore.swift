import CBPF
import Glibc
public import Planner

/// The live tables and programs of the host whose network namespace the calling thread is in.
///
/// Whoever opens it for writing holds the `HostLock` of the directory.
public final class KernelStore: MapStore {
    let directory: String
    /// How tc can run programs.
    var hook = Hook.ofKernel
    /// Copies of maps in another capacity, until the programs step puts them in their place: nothing but this process
    /// holds them.
    var grown: [Table: OpenMap] = [:]
    /// As the ports' rows say; nil: not read since the last observation.
    var slots: TrafficSlots?

    /// Indices of the ends of host endpoints' devices; nil: not read since the last observation, or since one was changed.
    var ownDevices: Set<UInt32>?

    /// Opens the host's tables, which need not exist yet.
    ///
    /// - Parameters:
    ///   - directory: where the pins are, on a bpffs: `/sys/fs/bpf/mizar`.
    ///   - forWriting: also makes the directory, mounts the bpffs, and removes what a killed predecessor left half done.
    /// - Throws: what is missing, before anything is written: kernel, privileges, bpffs.
    public init(directory: String, forWriting: Bool) throws(BPFError) {
        _ = silenced
        self.directory = directory
        if forWriting {
            try HostCheck.prepare(directory: directory)
            try removeLeftovers()
            return
        }
        try HostCheck.kernel()
        try HostCheck.privileges()
        if BPFFilesystem.exists(directory), !BPFFilesystem.contains(directory),
            directory != BPFFilesystem.standard
        {
            throw BPFError("use", "directory \(directory)", .unavailable(BPFFilesystem.hint(directory)))
        }
    }

    /// What a pin is called until it is renamed over its predecessor. bpffs allows no dots.
    static let nextSuffix = "_next"

    /// The generation that is being made: whoever opens a map or a program meanwhile means its.
    var making: Generation?

    /// Where the pins of the generation in force are.
    private func root() throws(BPFError) -> String {
        if let making { return "\(directory)/\(making.name)" }
        return try Generation.inForce(in: directory).map { "\(directory)/\($0.name)" } ?? directory
    }

    func path(_ name: String) throws(BPFError) -> String { "\(try root())/\(name)" }

    /// What is pinned by this name; nil if nothing is.
    private func openPin(_ name: String, _ kind: String) throws(BPFError) -> Descriptor? {
        while true {
            let path = try path(name)
            let raw = bpf_obj_get(path)
            if raw < 0, failure(raw) == ENOENT {
                // Between the look at the link and the look behind it, another generation may have come into force.
                guard try self.path(name) != path else { return nil }
                continue
            }
            return Descriptor(owning: try check(raw, "open", "\(kind) \(path)"))
        }
    }

    /// The pinned map of a table; nil if there is none.
    func open(_ table: Table) throws(BPFError) -> PinnedMap? { try open(table.rawValue) }

    func open(_ name: String) throws(BPFError) -> PinnedMap? {
        guard let pin = try openPin(name, "map") else { return nil }
        return try PinnedMap(BPFObject.spec(name), owning: pin)
    }

    /// The same for collections.
    func openMap(_ name: String) throws(BPFError) -> OpenMap? {
        guard let map = try open(name) else { return nil }
        return OpenMap(map)
    }

    /// The pinned program; nil if there is none.
    func openProgram(_ name: ProgramName) throws(BPFError) -> Descriptor? {
        guard let pin = name.pin else { return nil }
        return try openPin(pin, "program")
    }

    /// The pinned map of a table that must be there.
    func need(_ table: Table) throws(BPFError) -> PinnedMap {
        guard let map = try open(table) else {
            throw BPFError("open", "map \(table.rawValue)", .unavailable("it is not pinned at \(try path(table.rawValue))"))
        }
        return map
    }

    public func perform(_ steps: ArraySlice<Step>) throws(BPFError) -> DatapathRow? {
        var fallback: DatapathRow?
        let all = Array(steps)
        var start = 0
        while start < all.count {
            let end = Executor.end(of: all, from: start)
            do throws(BPFError) {
                fallback = try perform(batch: all[start..<end]) ?? fallback
            } catch {
                var error = error
                error.completed += start
                throw error
            }
            start = end
        }
        return fallback
    }

    private func perform(batch: ArraySlice<Step>) throws(BPFError) -> DatapathRow? {
        guard let first = batch.first else { return nil }
        switch first.change {
        case .row: try write(batch)
        case .capacity(let table, let from, let to): try resize(table, from: from, to: to)
        case .programs: try replacePrograms()
        case .attach(let attachment, let orElse): return try attach(attachment, orElse: orElse)
        case .detach(let attachment): try detach(attachment)
        case .device(let before, let after):
            ownDevices = nil
            try HostDevices().change(from: before, to: after)
        }
        return nil
    }
}

/// An open map, for collections, which hold no noncopyable values.
final class OpenMap {
    let map: PinnedMap

    init(_ map: consuming PinnedMap) { self.map = map }
}
