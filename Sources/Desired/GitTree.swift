import CGit2

extension Repository {
    /// Every `*.yaml` and `*.yml` file below `path` of a commit, sorted by path, each parsed, with the id of its blob.
    ///
    /// Names beginning with `.` are skipped, as are symbolic links and submodules; what looks like a part of the topology
    /// among them is a warning. Paths are relative to `path`. What is beyond `ReadLimits` is a finding, and ends the walk.
    ///
    /// - Parameter commit: an id as `resolve` gives it.
    /// - Parameter path: a folder of the commit; nil or `.` is its root.
    /// - Parameter held: the same folder of another commit: a file that it has alike is not read again.
    /// - Parameter deadlineSeconds: how long it may take; nil: as long as the limits let it.
    public func tree(
        commit: String, path: String? = nil, reusing held: SourceTree? = nil, deadlineSeconds: Int? = nil
    ) throws(DesiredError) -> SourceTree {
        var spent = ReadCost()
        return try tree(commit: commit, path: path, reusing: held, deadlineSeconds: deadlineSeconds, spending: &spent)
    }

    /// The same, and adds what it cost.
    func tree(
        commit: String, path: String?, reusing held: SourceTree?, deadlineSeconds: Int?, spending spent: inout ReadCost
    ) throws(DesiredError) -> SourceTree {
        let object = try lookup(commit)
        defer { git_commit_free(object) }
        return try tree(
            id: git_commit_tree_id(object), path: path, commit: commit, reusing: held, deadlineSeconds: deadlineSeconds,
            spending: &spent)
    }

    /// The same of a tree that need not be a commit's; `commit` is what the result says it is of.
    func tree(
        id: UnsafePointer<git_oid>?, path: String?, commit: String, reusing held: SourceTree? = nil, deadlineSeconds: Int? = nil
    ) throws(DesiredError) -> SourceTree {
        var spent = ReadCost()
        return try tree(id: id, path: path, commit: commit, reusing: held, deadlineSeconds: deadlineSeconds, spending: &spent)
    }

    private func tree(
        id: UnsafePointer<git_oid>?, path: String?, commit: String, reusing held: SourceTree?, deadlineSeconds: Int?,
        spending spent: inout ReadCost
    ) throws(DesiredError) -> SourceTree {
        let folder = try Self.normalized(path)
        var intake = TreeIntake(subject: "commit \(commit) of \(name)", deadlineSeconds: deadlineSeconds)
        defer { spent.add(intake) }
        try GitObjects(self).withSmallTree(id, "commit \(commit) of \(name)") { root throws(DesiredError) in
            try GitTreeWalk(try GitObjects(self), root: root, folder: folder, held: held).run(commit: commit, &intake)
        }
        return SourceTree(intake, commit: commit)
    }

    /// Calls `body` with the root folder of a commit.
    func withTree(
        commit: String, _ body: (OpaquePointer?) throws(DesiredError) -> Void
    ) throws(DesiredError) {
        let subject = "commit \(commit) of \(name)"
        let object = try lookup(commit)
        defer { git_commit_free(object) }
        try GitObjects(self).withSmallTree(git_commit_tree_id(object), subject, body)
    }

    /// `path` without `.` parts and surplus slashes; empty is the root.
    static func normalized(_ path: String?) throws(DesiredError) -> String {
        let parts = (path ?? "").split(separator: "/").filter { $0 != "." }
        guard !parts.contains("..") else {
            throw DesiredError("read", path ?? "", cause: "the folder must be inside the commit: no “..”")
        }
        return parts.joined(separator: "/")
    }
}

/// What reading several commits has cost.
struct ReadCost: Hashable, Sendable {
    private(set) var bytes = 0
    private(set) var entries = 0

    mutating func add(_ intake: TreeIntake) {
        bytes += intake.parsedBytes
        entries += intake.meter.entries
    }

    func isBeyond(_ limits: ReadLimits.Line) -> Bool { bytes > limits.bytes || entries > limits.entries }
}
