import CGit2
public import Topology

/// What changes between two commits, and how that was found.
public struct ChangeSet: Sendable {
    public enum Kind: String, Sendable {
        /// After: what merging the head into the base will give.
        case merge
        /// After: the head, which the base comes after. There is nothing to merge.
        case back
        /// After: the head as it is.
        case trees
    }

    public let kind: Kind
    public let before: SourceTree
    /// `commit` is the head's id, also where the files are a merge's.
    public let after: SourceTree
    /// An error for each path that a merge leaves to somebody; then `after` has no files.
    public let conflicts: [Diagnostic]
}

extension Source {
    /// The files of `base`, and those that merging `head` into it will give.
    ///
    /// Nothing is written: what a merge makes is kept in memory.
    ///
    /// - Parameter exact: compares the two commits as they are.
    public static func change(
        repo: String, base: String, head: String?, exact: Bool, path: String? = nil, cache: String? = nil,
        deadlineSeconds: Int = 60
    ) throws(DesiredError) -> ChangeSet {
        let before = try load(repo: repo, ref: base, path: path, cache: cache, deadlineSeconds: deadlineSeconds)
        let repository = try Repository.open(repo, cache: cache)
        let commit = try repository.resolve(head)
        let common = exact ? nil : try repository.mergeBase(before.commit, commit)
        // Where one comes after the other, a merge gives the later one: nothing to merge.
        if common == nil || common == commit || common == before.commit {
            let kind: ChangeSet.Kind = exact || before.commit == commit ? .trees : common == commit ? .back : .merge
            let after = try repository.tree(commit: commit, path: path)
            return ChangeSet(kind: kind, before: before, after: after, conflicts: [])
        }
        let merge = try Merge(of: commit, into: before.commit, in: consume repository)
        let conflicts = try merge.conflicts(below: path)
        guard conflicts.isEmpty else {
            return ChangeSet(kind: .merge, before: before, after: SourceTree(files: [], commit: commit), conflicts: conflicts)
        }
        return ChangeSet(kind: .merge, before: before, after: try merge.tree(path: path), conflicts: [])
    }

    /// Whether one of the commits that `head` brings to `base` has the trailer `name: value` in its message.
    public static func has(
        trailer name: String, _ value: String, repo: String, cache: String? = nil, after base: String, upTo head: String
    ) throws(DesiredError) -> Bool {
        let repository = try Repository.open(repo, cache: cache)
        return try repository.walk(from: [head], without: [base], most: CommitLine.reach).contains {
            repository.message(of: $0, says: name, value)
        }
    }
}

extension Repository {
    /// The best common ancestor.
    fileprivate func mergeBase(_ base: String, _ head: String) throws(DesiredError) -> String {
        let subject = "\(head.prefix(12)) into \(base.prefix(12)) of \(name)"
        var (one, two, common) = (git_oid(), git_oid(), git_oid())
        try GitLibrary.check(git_oid_fromstr(&one, base), "merge", subject)
        try GitLibrary.check(git_oid_fromstr(&two, head), "merge", subject)
        let code = git_merge_base(&common, pointer, &one, &two)
        guard code != 0 else { return Self.hex(&common) }
        let failure = GitFailure(code: code)
        // In a shallow clone libgit2 looks for parents that are not there.
        if git_repository_is_shallow(pointer) == 1 {
            throw DesiredError(
                "merge", subject,
                cause: "this clone is shallow and lacks the history in which the two meet; fetch all of it (`fetch-depth: 0` of "
                    + "actions/checkout, `GIT_DEPTH: 0` of GitLab, `git fetch --unshallow`), or compare the two as they are "
                    + "(`--exact`)")
        }
        guard failure.isNotFound else { throw DesiredError("merge", subject, cause: failure.message) }
        throw DesiredError(
            "merge", subject,
            cause: "the two have no common ancestor; compare them as they are (`--exact`), or fetch all of the history "
                + "(`fetch-depth: 0`) if this clone was cut off")
    }
}

/// A merge that is only looked at: the repository gets a store in memory, which takes what the merge makes.
private struct Merge: ~Copyable {
    private let repository: Repository
    private let index: OpaquePointer
    private let head: String

    init(of head: String, into base: String, in repository: consuming Repository) throws(DesiredError) {
        let subject = "\(head.prefix(12)) into \(base.prefix(12)) of \(repository.name)"
        var odb: OpaquePointer?
        try GitLibrary.check(git_repository_odb(&odb, repository.pointer), "merge", subject)
        defer { git_odb_free(odb) }
        var memory: OpaquePointer?
        try GitLibrary.check(git_mempack_new(&memory), "merge", subject)
        // Before all others, which are files.
        try GitLibrary.check(git_odb_add_backend(odb, memory, 999), "merge", subject)
        var options = git_merge_options()
        try GitLibrary.check(git_merge_options_init(&options, UInt32(GIT_MERGE_OPTIONS_VERSION)), "merge", subject)
        options.flags = GIT_MERGE_FIND_RENAMES.rawValue
        options.target_limit = 1000
        options.recursion_limit = 32
        let (ours, theirs) = (try repository.lookup(base), try repository.lookup(head))
        defer {
            git_commit_free(ours)
            git_commit_free(theirs)
        }
        var made: OpaquePointer?
        try GitLibrary.check(git_merge_commits(&made, repository.pointer, ours, theirs, &options), "merge", subject)
        guard let made else { throw DesiredError("merge", subject, cause: "libgit2 gave no index") }
        index = made
        self.repository = repository
        self.head = head
    }

    deinit { git_index_free(index) }

    /// One for each path, where the first of its conflicts is.
    func conflicts(below path: String?) throws(DesiredError) -> [Diagnostic] {
        guard git_index_has_conflicts(index) == 1 else { return [] }
        let folder = try Repository.normalized(path)
        var iterator: OpaquePointer?
        try GitLibrary.check(git_index_conflict_iterator_new(&iterator, index), "merge", repository.name)
        defer { git_index_conflict_iterator_free(iterator) }
        var found: [Diagnostic] = []
        var (ancestor, ours, theirs): (Entry, Entry, Entry)
        (ancestor, ours, theirs) = (nil, nil, nil)
        while git_index_conflict_next(&ancestor, &ours, &theirs, iterator) == 0 {
            guard let name = (ours ?? theirs ?? ancestor)?.pointee.path else { continue }
            let file = String(cString: name)
            let isBelow = !folder.isEmpty && file.hasPrefix(folder + "/")
            found.append(
                Diagnostic(
                    .error, "MZ504",
                    at: SourceLocation(
                        file: isBelow ? String(file.dropFirst(folder.utf8.count + 1)) : file, line: line(ancestor, ours, theirs),
                        column: 1),
                    Self.words(ancestor, ours, theirs), hint: "merge the base into the branch, or rebase it, and resolve this"))
        }
        return found.sorted()
    }

    private typealias Entry = UnsafePointer<git_index_entry>?

    private static func words(_ ancestor: Entry, _ ours: Entry, _ theirs: Entry) -> String {
        switch (ancestor, ours, theirs) {
        case (_, nil, _): "the merge conflicts: the base removes or renames this file, and the branch changes it"
        case (_, _, nil): "the merge conflicts: the branch removes or renames this file, and the base changes it"
        case (nil, _, _): "the merge conflicts: both sides add this file, and differ here"
        case (_?, _?, _?): "the merge conflicts: both sides change this"
        }
    }

    /// Of the first conflict in the file; 1 where it is about the file as a whole.
    private func line(_ ancestor: Entry, _ ours: Entry, _ theirs: Entry) -> Int {
        guard let ours, let theirs else { return 1 }
        var result = git_merge_file_result()
        guard git_merge_file_from_index(&result, repository.pointer, ancestor, ours, theirs, nil) == 0 else { return 1 }
        defer { git_merge_file_result_free(&result) }
        let text = UnsafeRawBufferPointer(start: result.ptr, count: result.len)
        let marker = Array("<<<<<<< ".utf8)
        var number = 0
        for line in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            if line.starts(with: marker) { return number }
        }
        return 1
    }

    /// The files that the merge gives.
    func tree(path: String?) throws(DesiredError) -> SourceTree {
        var id = git_oid()
        try GitLibrary.check(git_index_write_tree_to(&id, index, repository.pointer), "merge", repository.name)
        return try repository.tree(id: &id, path: path, commit: head)
    }
}
