public import Topology

/// What a tree says: a topology, or what is wrong with it.
public struct ReadResult: Sendable {
    /// Nil if there is any error.
    public var topology: Topology?
    /// Errors and warnings, sorted by place; at most `ReadLimits.listed` of each, and then how many there are more.
    public var diagnostics: [Diagnostic]
}

public enum TopologyReader {
    /// Reads and checks all files of a tree; all errors are found in one run.
    ///
    /// Neither the order of `files` nor that of documents changes the topology, apart from the places in it.
    public static func read(_ tree: SourceTree) -> ReadResult {
        TopologyCheck(tree.files.sorted().map(\.parsed), skipped: tree.skipped).run()
    }
}
