/// One file of a tree: where it lies and what it holds.
public struct SourceFile: Sendable, Hashable {
    /// Relative to the chosen folder, parts joined by `/`.
    public var path: String
    /// At most one more than `YAMLLimits.bytes`, so that a file that is too large can still be reported.
    public var bytes: [UInt8]
    /// The blob's id in hexadecimal; nil outside of git.
    public var id: String?

    public init(path: String, bytes: [UInt8], id: String? = nil) {
        self.path = path
        self.bytes = bytes
        self.id = id
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
    /// Whether a folder or file of this name is looked into at all: names beginning with `.` are not.
    static func visits(_ name: String) -> Bool { name.utf8.first != UInt8(ascii: ".") }

    /// Whether a file of this name belongs to a topology.
    static func takes(_ name: String) -> Bool {
        visits(name) && (name.hasSuffix(".yaml") || name.hasSuffix(".yml"))
    }
}
