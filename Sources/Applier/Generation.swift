import Glibc

/// A set of maps and the programs on them, pinned whole in a folder of its own below the directory of a host.
///
/// The one in force is what the link `current` names, so one rename puts another in its place: a reader finds all maps of
/// the one or all of the other, and so does who comes after a kill. Beside it each pin has a link of its own name in the directory
/// itself, for people and their tools. A host that has no such link has its pins in the directory itself: layout 0.
struct Generation: Hashable {
    /// MZR_LAYOUT of the maps.
    var layout: Int
    /// Goes up with each that is made on a host.
    var number: Int

    static let current = "current"

    /// The name of its folder. bpffs allows no dots.
    var name: String { "layout\(layout)_\(number)" }

    init(layout: Int, number: Int) {
        self.layout = layout
        self.number = number
    }

    /// The one that a folder of this name holds; nil: none.
    init?(folder name: String) {
        let words = name.split(separator: "_", omittingEmptySubsequences: false)
        guard words.count == 2, words[0].hasPrefix("layout"), let layout = Int(words[0].dropFirst(6)), let number = Int(words[1]),
            layout >= 0, number > 0
        else { return nil }
        self.init(layout: layout, number: number)
        guard self.name == name else { return nil }
    }

    /// The one in force; nil: none yet.
    static func inForce(in directory: String) throws(BPFError) -> Generation? {
        try BPFFilesystem.target(of: "\(directory)/\(current)").flatMap(Generation.init(folder:))
    }

    /// All below the directory, in the order in which they were made.
    static func all(in directory: String) throws(BPFError) -> [Generation] {
        try BPFFilesystem.names(in: directory).compactMap(Generation.init(folder:)).sorted { $0.number < $1.number }
    }

    /// Makes it the one in force.
    func putInForce(in directory: String) throws(BPFError) {
        let link = "\(directory)/\(Self.current)"
        try BPFFilesystem.unpin(link + KernelStore.nextSuffix)
        try BPFFilesystem.link(link + KernelStore.nextSuffix, to: name)
        try BPFFilesystem.move(link + KernelStore.nextSuffix, over: link)
    }

    /// Removes the folder with all of its pins. What still runs on them goes on.
    func remove(from directory: String) throws(BPFError) {
        let folder = "\(directory)/\(name)"
        for pin in try BPFFilesystem.names(in: folder) { try BPFFilesystem.unpin("\(folder)/\(pin)") }
        guard rmdir(folder) != 0, errno != ENOENT else { return }
        throw BPFError("remove", "directory \(folder)", .errno(errno))
    }

    /// Gives each pin of the one in force a name in the directory itself, and takes away those that lead nowhere, and pins of
    /// layout 0.
    static func linkPins(in directory: String) throws(BPFError) {
        let pins = Set(try BPFFilesystem.names(in: "\(directory)/\(current)"))
        let names = try BPFFilesystem.names(in: directory)
        for name in names where name != current && !pins.contains(name) {
            let target = try BPFFilesystem.target(of: "\(directory)/\(name)")
            guard target?.hasPrefix("\(current)/") == true || (target == nil && isOfLayout0(name)) else { continue }
            try BPFFilesystem.unpin("\(directory)/\(name)")
        }
        for pin in pins.sorted() {
            let path = "\(directory)/\(pin)"
            let target = "\(current)/\(pin)"
            guard try BPFFilesystem.target(of: path) != target else { continue }
            try BPFFilesystem.unpin(path + KernelStore.nextSuffix)
            try BPFFilesystem.link(path + KernelStore.nextSuffix, to: target)
            // Over a pin of layout 0: whoever has it open goes on.
            try BPFFilesystem.move(path + KernelStore.nextSuffix, over: path)
        }
    }

    /// The names that layout 0 pinned in the directory itself.
    static let pinsOfLayout0: Set<String> = [
        "applied", "config", "control", "datapath", "direct", "drops", "endpoints", "entry_guard", "entry_port", "entry_uplink",
        "errors", "headings", "hosts", "instants", "loopback", "mark", "names", "networks", "peers", "port_macs", "ports",
        "programs", "quote", "said", "senders", "traffic", "vpcs", "waits", "xdp",
    ]

    static func isOfLayout0(_ name: String) -> Bool {
        pinsOfLayout0.contains(name.hasSuffix(KernelStore.nextSuffix) ? String(name.dropLast(KernelStore.nextSuffix.count)) : name)
    }
}
