/// One file of a tree: where it lies and what it holds.
public struct SourceFile: Sendable, Hashable {
    /// Relative to the chosen folder, parts joined by `/`.
    public var path: String
    /// At most one more than `YAMLLimits.bytes`, so that a file that is too large can still be reported.
    public var bytes: [UInt8]
    /// The blob's id in hexadecimal; nil outside of git.
    public var id: String?
    /// Why there are no bytes of the file, or of all files of the folder.
    public var obstacle: Obstacle?

    public enum Obstacle: Sendable, Hashable {
        case unreadable(String)
        /// Of a folder below `SourceTree.depthMax` others.
        case tooDeep
    }

    public init(path: String, bytes: [UInt8], id: String? = nil) {
        self.path = path
        self.bytes = bytes
        self.id = id
    }

    public init(path: String, obstacle: Obstacle) {
        self.init(path: path, bytes: [])
        self.obstacle = obstacle
    }
}

extension SourceFile: Comparable {
    /// By path, as bytes; by what they hold if paths that are not UTF-8 are drawn alike.
    public static func < (left: Self, right: Self) -> Bool {
        left.path.utf8.elementsEqual(right.path.utf8)
            ? left.bytes.lexicographicallyPrecedes(right.bytes) : left.path.utf8.lexicographicallyPrecedes(right.path.utf8)
    }
}

/// The topology files of one commit or folder.
public struct SourceTree: Sendable, Hashable {
    public var files: [SourceFile]
    /// The commit's id in hexadecimal; empty for a plain folder.
    public var commit: String

    public init(files: [SourceFile], commit: String = "") {
        self.files = files
        self.commit = commit
    }
}

extension SourceTree {
    /// Folders inside each other, the chosen one included.
    static let depthMax = 64

    /// Whether a folder or file of this name is looked into at all: names beginning with `.` are not.
    static func visits(_ name: String) -> Bool { name.utf8.first != UInt8(ascii: ".") }

    /// Whether a file of this name belongs to a topology.
    static func takes(_ name: String) -> Bool {
        visits(name) && (name.hasSuffix(".yaml") || name.hasSuffix(".yml"))
    }
}
