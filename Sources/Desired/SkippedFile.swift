/// Why a walk skips what looks like a part of the topology.
enum SkippedFile {
    /// Its name does not end as a topology file's does, or not in lower case.
    case ending
    /// It, or a folder that it lies in, has a name that begins with `.`.
    case hidden
    case link(target: String)
    case submodule
    /// A FIFO, a socket or a device.
    case special

    var message: String {
        switch self {
        case .ending: "this looks like a topology file and is skipped: its name ends in neither .yaml nor .yml"
        case .hidden: "this looks like a topology file and is skipped: its path has a name that begins with “.”"
        case .link(let target): "this is a symbolic link (to \(target)) and is skipped"
        case .submodule: "this is a submodule and is skipped: what is in it is not in this commit"
        case .special: "this is a FIFO, socket or device and is skipped"
        }
    }

    var hint: String {
        switch self {
        case .ending: "rename it if it belongs to the topology"
        case .hidden: "move it if it belongs to the topology"
        case .link: "put the file itself here if it belongs to the topology"
        case .submodule: "copy the files here if they belong to the topology"
        case .special: "only plain files are read"
        }
    }

    /// Of a name that is not taken.
    static func named(isHidden: Bool) -> SkippedFile { isHidden ? .hidden : .ending }

    /// Whether a name is a topology file's to a human reader.
    static func isLikely(_ name: some StringProtocol) -> Bool {
        let lower = name.lowercased()
        return lower.hasSuffix(".yaml") || lower.hasSuffix(".yml")
    }

    /// Where a symbolic link leads, as far as a walk can tell.
    enum Target {
        /// To what the walk reads anyway.
        case read
        /// To a folder that it does not read.
        case folder
        /// To a file that it does not read.
        case file
        /// Out of what can be looked at, or nowhere.
        case unknown
    }

    /// Whether to warn of a symbolic link: what it stands for may be a part of the topology.
    static func warns(of link: some StringProtocol, to target: String, _ kind: Target) -> Bool {
        switch kind {
        case .read: false
        case .folder: true
        case .file: isLikely(link) || isLikely(target)
        case .unknown: isLikely(link) || !link.utf8.dropFirst().contains(UInt8(ascii: "."))
        }
    }

    /// - Parameter path: what a link leads to.
    /// - Parameter base: the chosen folder with a slash; empty is the root.
    static func kind(_ path: String, below base: String, isFolder: Bool) -> Target {
        let below = path.hasPrefix(base) ? path.dropFirst(base.count) : path + "/" == base ? "" : nil
        let parts = below?.split(separator: "/")
        guard let parts, parts.allSatisfy(SourceTree.visits) else { return isFolder ? .folder : .file }
        if isFolder { return .read }
        return parts.last.map(SourceTree.takes) ?? false ? .read : .file
    }

    /// The path that a link's target is, without `.` and `..`; nil if it is absolute or leads out.
    ///
    /// - Parameter folder: the folder that the link lies in; empty for the root.
    static func resolve(_ target: String, from folder: String) -> String? {
        guard !target.hasPrefix("/") else { return nil }
        var parts = folder.split(separator: "/")
        for part in target.split(separator: "/") where part != "." {
            if part != ".." {
                parts.append(part)
            } else if parts.popLast() == nil {
                return nil
            }
        }
        return parts.joined(separator: "/")
    }

    /// Whether the beginning of a file is that of a topology file: `apiVersion: mizar/…` stands in it at the beginning of a
    /// line, in YAML or JSON, and nothing before it that is neither.
    static func looksLikeTopology(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let prefix = UnsafeRawBufferPointer(rebasing: bytes.prefix(ReadLimits.Skipped.prefixBytes))
        // Nearly every file that is not one ends here.
        guard prefix.firstIndex(of: "mizar/") != nil else { return false }
        for line in prefix.split(separator: UInt8(ascii: "\n")) {
            let text = String(decoding: line, as: UTF8.self).filter { !" \t\r\"'\u{feff}".contains($0) }
            let bare = text.drop { "{[-".contains($0) }
            if bare.hasPrefix("apiVersion:mizar/") || bare.contains("{apiVersion:mizar/") || bare.contains(",apiVersion:mizar/") {
                return true
            }
            let isYAML =
                text.isEmpty || text.hasPrefix("#") || text.hasPrefix("%") || text.hasPrefix("---") || bare.isEmpty
                || bare.contains(":") || "}]".contains(text.prefix(1))
            guard isYAML else { return false }
        }
        return false
    }
}
