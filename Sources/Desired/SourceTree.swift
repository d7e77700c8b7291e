import Topology

/// One file of a tree: where it lies and what it says.
public struct SourceFile: Sendable {
    /// Relative to the chosen folder, parts joined by `/`.
    public let path: String
    /// The id that git gives to its content, in hexadecimal; empty if that was not read.
    public let id: String
    let parsed: ParsedFile

    /// Why there is nothing of a file, or of all files of a folder.
    enum Obstacle {
        case unreadable(String)
        /// Of a folder below `ReadLimits.depth` others.
        case tooDeep
        case tooLarge
        /// With what there is too much of.
        case beyondLimits(String)
        case pathTooLong
        /// The path of another file with the same content.
        case copy(String)
    }

    public init(path: String, bytes: [UInt8]) {
        self = bytes.withUnsafeBytes { SourceFile(path: path, bytes: $0, id: GitLibrary.blobID($0)) }
    }

    init(path: String, bytes: UnsafeRawBufferPointer, id: String) {
        self.init(path: path, id: id, parsed: ParsedFile(path: path, bytes: bytes))
    }

    init(path: String, id: String = "", obstacle: Obstacle) {
        self.init(path: path, id: id, parsed: ParsedFile(path: path, obstacle: obstacle))
    }

    init(path: String, id: String, parsed: ParsedFile) {
        (self.path, self.id, self.parsed) = (path, id, parsed)
    }
}

extension SourceFile: Hashable {
    public static func == (left: Self, right: Self) -> Bool {
        left.path == right.path && left.id == right.id && left.parsed.diagnostics == right.parsed.diagnostics
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(path)
        hasher.combine(id)
    }
}

extension SourceFile: Comparable {
    /// By path, as bytes; by content if paths that are not UTF-8 are drawn alike.
    public static func < (left: Self, right: Self) -> Bool {
        left.path.utf8.elementsEqual(right.path.utf8)
            ? left.id < right.id : left.path.utf8.lexicographicallyPrecedes(right.path.utf8)
    }
}

/// The topology files of one commit or folder.
///
/// Each is parsed as it is read, so that no more than one file's content is in memory.
public struct SourceTree: Sendable, Hashable {
    public var files: [SourceFile]
    /// The commit's id in hexadecimal; empty for a plain folder.
    public var commit: String
    /// Warnings about what was skipped and looks like a part of the topology.
    var skipped: [Diagnostic]

    public init(files: [SourceFile], commit: String = "") {
        (self.files, self.skipped, self.commit) = (files, [], commit)
    }

    /// What a walk has taken in.
    init(_ intake: TreeIntake, commit: String = "") {
        (files, skipped, self.commit) = (intake.files.sorted(), intake.skipped, commit)
    }
}

extension SourceTree {
    /// Whether a folder or file of this name is looked into at all: names beginning with `.` are not.
    static func visits(_ name: some StringProtocol) -> Bool { name.utf8.first != UInt8(ascii: ".") }

    /// Whether a file of this name belongs to a topology.
    static func takes(_ name: some StringProtocol) -> Bool {
        visits(name) && (name.hasSuffix(".yaml") || name.hasSuffix(".yml"))
    }
}
