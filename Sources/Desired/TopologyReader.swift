public import Topology

/// What a tree says: a topology, or what is wrong with it.
public struct ReadResult: Sendable {
    /// Nil if there is any error.
    public var topology: Topology?
    /// Errors and warnings, sorted by place.
    public var diagnostics: [Diagnostic]
}

public enum TopologyReader {
    /// Reads and checks all files of a tree; all errors are found in one run.
    ///
    /// Neither the order of `files` nor that of documents changes the topology, apart from the places in it.
    public static func read(_ tree: SourceTree) -> ReadResult {
        let files = tree.files.sorted { $0.path < $1.path }
        return TopologyCheck(files.map { ParsedFile(path: $0.path, bytes: $0.bytes) }).run()
    }
}
