import CGit2
public import Topology

/// The commits by which a host gets from one that it applied to another: by first parents, so that a merge is one step.
public final class CommitLine {
    /// How the line begins.
    public enum Start: Hashable, Sendable {
        /// With the base, which is the head or one of its first parents.
        case base
        /// The base is unknown or gone: some first parents back.
        case window
        /// With the base, which is not among the first parents of the head: a branch took the base in and was pushed in its place, somebody
        /// rewrote the history, or the head is older. It has those two commits and none between: what lies there was judged by guards
        /// of a time before the base, and is nothing that a host with the base went through.
        case aside
        /// With the base, and what lies between is too much to be read: as `aside`.
        case whole
    }

    public private(set) var start: Start
    /// Oldest first; the last one is the head.
    public private(set) var commits: [String]

    private let repository: Repository
    private let path: String?
    private let deadlineSeconds: Int
    /// Of `aside` and `whole`: the commits that the head has and the base has not. Their messages are about the step from the one to
    /// the other.
    private var brought: [String]
    private var spent = ReadCost()
    var limits = ReadLimits.Line()
    /// The commit that was read last, so that of the next one only what differs is read.
    private var last: (tree: SourceTree, topology: Topology?)?

    /// First parents that are looked at where the base is unknown.
    static let window = 256
    /// Of commits that are only walked over, not read.
    static let reach = 10_000

    /// - Parameters:
    ///   - base: the id of the commit that was applied; nil: unknown.
    ///   - head: the id of a commit.
    ///   - deadlineSeconds: how long one commit may take to be read.
    public init(
        repo: String, path: String? = nil, cache: String? = nil, from base: String?, to head: String, deadlineSeconds: Int = 60
    ) throws(DesiredError) {
        repository = try Repository.open(repo, cache: cache)
        self.path = path
        self.deadlineSeconds = deadlineSeconds
        let back = try repository.firstParents(of: head, until: base, most: Self.reach)
        if let base, back.last == base {
            (start, commits, brought) = (.base, back.reversed(), [])
            return
        }
        guard let base, repository.has(base) else {
            (start, commits, brought) = (.window, back.prefix(Self.window + 1).reversed(), [])
            return
        }
        (start, commits) = (.aside, [base, head])
        brought = try repository.walk(from: [head], without: [base], most: Self.reach)
    }

    /// Nil if the commit has errors, or no such folder, or cannot be read whole: no host has ever applied it. Whoever compares goes
    /// on from the commit before it, so nothing that it takes away passes unseen.
    ///
    /// - Throws: if it takes too long.
    public func topology(of commit: String) throws(DesiredError) -> Topology? {
        let tree: SourceTree
        do throws(DesiredError) {
            tree = try repository.tree(
                commit: commit, path: path, reusing: last?.tree, deadlineSeconds: deadlineSeconds, spending: &spent)
        } catch {
            if error.isTooSlow { throw error }
            return nil
        }
        // Most commits of a repository that has more in it change nothing here.
        if let last, !tree.files.isEmpty, tree.files == last.tree.files { return last.topology }
        let topology = TopologyReader.read(tree).topology
        last = (tree, topology)
        return topology
    }

    /// Whether the commits that were read so far are more than a line may have: a fixed measure, the same on every machine.
    public var isTooMuch: Bool { start != .whole && spent.isBeyond(limits) }

    /// For a line whose beginning was read as another's.
    public func goOn(from other: CommitLine) { (spent, last) = (other.spent, other.last) }

    /// Makes it a line of two, the base and the head; of the head alone where the base is unknown.
    public func shorten() throws(DesiredError) {
        guard let head = commits.last, let first = commits.first else { return }
        (spent, last) = (ReadCost(), nil)
        switch start {
        case .window: commits = [head]
        case .base, .aside, .whole:
            (start, commits) = (.whole, first == head ? [head] : [first, head])
            brought = try repository.walk(from: [head], without: [first], most: Self.reach)
        }
    }

    /// Whether the commit, or one that it merges, has the trailer `name: value` in its message.
    public func has(trailer name: String, _ value: String, _ commit: String) throws(DesiredError) -> Bool {
        let concerned = start == .aside || start == .whole ? brought : try repository.merged(by: commit, most: Self.reach)
        return concerned.contains { repository.message(of: $0, says: name, value) }
    }
}

extension Repository {
    /// `commit`, its first parent, and so on until `last` or where the history or the clone ends, newest first.
    func firstParents(of commit: String, until last: String?, most: Int) throws(DesiredError) -> [String] {
        var found: [String] = []
        var next: String? = commit
        while let id = next, found.count < most {
            if !found.isEmpty, !has(id) { break }  // a shallow clone
            found.append(id)
            if id == last { break }
            next = try parents(of: id).first
        }
        return found
    }

    /// `commit`, and the commits that it brings in by its further parents.
    func merged(by commit: String, most: Int) throws(DesiredError) -> [String] {
        let parents = try parents(of: commit)
        guard parents.count > 1, parents.allSatisfy({ has($0) }) else { return [commit] }
        return try [commit] + walk(from: Array(parents.dropFirst()), without: Array(parents.prefix(1)), most: most)
    }

    /// The commits that `heads` come after and `hidden` do not; they themselves included. It ends where a shallow clone does.
    func walk(from heads: [String], without hidden: [String], most: Int) throws(DesiredError) -> [String] {
        let subject = "the history of \(name)"
        var walk: OpaquePointer?
        try GitLibrary.check(git_revwalk_new(&walk, pointer), "read", subject)
        defer { git_revwalk_free(walk) }
        var id = git_oid()
        for (commits, add) in [(heads, git_revwalk_push), (hidden, git_revwalk_hide)] {
            for commit in commits {
                try GitLibrary.check(git_oid_fromstr(&id, commit), "read", subject)
                try GitLibrary.check(add(walk, &id), "read", "commit \(commit) of \(name)")
            }
        }
        var found: [String] = []
        while found.count < most, git_revwalk_next(&id, walk) == 0 { found.append(Self.hex(&id)) }
        return found
    }

    fileprivate func has(_ commit: String) -> Bool {
        guard let object = try? lookup(commit) else { return false }
        git_commit_free(object)
        return true
    }

    private func parents(of commit: String) throws(DesiredError) -> [String] {
        let object = try lookup(commit)
        defer { git_commit_free(object) }
        return (0..<git_commit_parentcount(object)).map { Self.hex(git_commit_parent_id(object, $0)) }
    }

    func lookup(_ commit: String) throws(DesiredError) -> OpaquePointer? {
        let subject = "commit \(commit) of \(name)"
        var id = git_oid()
        try GitLibrary.check(git_oid_fromstr(&id, commit), "read", subject)
        var object: OpaquePointer?
        try GitLibrary.check(git_commit_lookup(&object, pointer, &id), "read", subject)
        return object
    }

    /// Whether the trailers of the commit's message, as git takes them, have `name: value`; names in any case.
    func message(of commit: String, says name: String, _ value: String) -> Bool {
        guard let object = try? lookup(commit) else { return false }
        defer { git_commit_free(object) }
        var trailers = git_message_trailer_array()
        guard let message = git_commit_message(object), git_message_trailers(&trailers, message) == 0 else { return false }
        defer { git_message_trailer_array_free(&trailers) }
        return (0..<trailers.count).contains { index in
            guard let key = trailers.trailers[index].key, let text = trailers.trailers[index].value else { return false }
            return String(cString: key).lowercased() == name.lowercased() && String(cString: text).trimmed == value
        }
    }
}

extension String {
    /// Without spaces, tabs and ends of lines around it.
    fileprivate var trimmed: Substring {
        let blank: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\n" || $0 == "\r" || $0 == "\r\n" }
        var text = self[...].drop(while: blank)
        while let last = text.last, blank(last) { text.removeLast() }
        return text
    }
}
