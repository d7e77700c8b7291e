import CGit2
public import Topology

extension Repository {
    /// The commits that `head` comes after and `base` does not, newest first, without `head` itself.
    ///
    /// - Parameter most: of those nearest to `head`.
    func commits(after base: String, before head: String, most: Int) throws(DesiredError) -> [String] {
        let subject = "the history of \(name)"
        var walk: OpaquePointer?
        try GitLibrary.check(git_revwalk_new(&walk, pointer), "read", subject)
        defer { git_revwalk_free(walk) }
        try GitLibrary.check(git_revwalk_sorting(walk, GIT_SORT_TOPOLOGICAL.rawValue), "read", subject)
        var id = git_oid()
        for (commit, add) in [(head, git_revwalk_push), (base, git_revwalk_hide)] {
            try GitLibrary.check(git_oid_fromstr(&id, commit), "read", subject)
            try GitLibrary.check(add(walk, &id), "read", "commit \(commit) of \(name)")
        }
        var found: [String] = []
        while found.count <= most {
            let code = git_revwalk_next(&id, walk)
            if code == GIT_ITEROVER.rawValue { break }
            try GitLibrary.check(code, "read", subject)
            found.append(Self.hex(&id))
        }
        return Array(found.dropFirst())
    }
}

extension Source {
    /// Who had which VNI in the commits between two, where that is in neither of them: hosts may have applied a commit that
    /// this one has skipped.
    ///
    /// Reads the files alone that neither of the two has, all together within the limits of one read. A wrong commit, which no host applies, is read like any other.
    ///
    /// - Parameter base: the id of a commit; it need not be an ancestor of `head`.
    public static func owners(
        repo: String, path: String? = nil, cache: String? = nil, after base: String, before head: String
    ) throws(DesiredError) -> Set<VNIOwner> {
        let repository = try Repository.open(repo, cache: cache)
        // Hosts are at most as many commits apart as are made in a settle time.
        let commits = try repository.commits(after: base, before: head, most: 256)
        guard !commits.isEmpty else { return [] }
        var history = GitHistoryWalk(
            folder: try Repository.normalized(path), meter: ReadMeter(subject: "the history of \(repository.name)", deadlineSeconds: 60))
        for commit in [head, base] { try history.know(commit, of: repository) }
        for commit in commits { try history.read(commit, of: repository) }
        return history.owners
    }
}

/// Reads of several commits what each has anew: a folder or file that one before has had is not looked at again.
private struct GitHistoryWalk {
    let folder: String
    /// One for all commits.
    var meter: ReadMeter
    private(set) var owners: Set<VNIOwner> = []
    private var known: Set<String> = []

    init(folder: String, meter: ReadMeter) { (self.folder, self.meter) = (folder, meter) }

    /// Takes the commit's folders and files as known, without reading files.
    mutating func know(_ commit: String, of repository: borrowing Repository) throws(DesiredError) {
        try walk(commit, repository, isRead: false)
    }

    mutating func read(_ commit: String, of repository: borrowing Repository) throws(DesiredError) {
        try walk(commit, repository, isRead: true)
    }

    private mutating func walk(_ commit: String, _ repository: borrowing Repository, isRead: Bool) throws(DesiredError) {
        let objects = try GitObjects(repository)
        try repository.withTree(commit: commit) { root throws(DesiredError) in
            try objects.withFolder(folder, of: root, commit: commit) { below throws(DesiredError) in
                try collect(below, objects, depth: 0, isRead: isRead)
            }
        }
    }

    private mutating func collect(
        _ tree: OpaquePointer?, _ objects: borrowing GitObjects, depth: Int, isRead: Bool
    ) throws(DesiredError) {
        guard depth < ReadLimits.depth else { return }
        for index in 0..<git_tree_entrycount(tree) {
            try check(meter.countEntry(), objects.name)
            let entry = git_tree_entry_byindex(tree, index)
            guard let text = git_tree_entry_name(entry) else { continue }
            let name = String(cString: text)
            let id = git_tree_entry_id(entry)
            switch git_tree_entry_filemode(entry) {
            case GIT_FILEMODE_TREE where SourceTree.visits(name):
                guard known.insert(Repository.hex(id)).inserted else { continue }
                try check(meter.count(bytes: try objects.size(id, objects.name)), objects.name)
                try objects.withTree(id, objects.name) { below throws(DesiredError) in
                    try collect(below, objects, depth: depth + 1, isRead: isRead)
                }
            case GIT_FILEMODE_BLOB where SourceTree.takes(name), GIT_FILEMODE_BLOB_EXECUTABLE where SourceTree.takes(name):
                guard known.insert(Repository.hex(id)).inserted, isRead else { continue }
                try read(id, objects)
            default: continue
            }
        }
    }

    private mutating func read(_ id: UnsafePointer<git_oid>?, _ objects: borrowing GitObjects) throws(DesiredError) {
        let size = try objects.size(id, objects.name)
        // No host has applied a commit with such a file.
        guard size <= ReadLimits.objectBytes else { return }
        try check(meter.count(bytes: size), objects.name)
        try objects.withBlob(id, objects.name) {
            for vpc in ParsedFile(path: "", bytes: $0).vpcs {
                if let vni = vpc.vni { owners.insert(VNIOwner(vni: UInt32(vni.value), vpc: vpc.name.text)) }
            }
        }
    }

    private func check(_ excess: String?, _ name: String) throws(DesiredError) {
        if let excess { throw DesiredError("read", "the history of \(name)", cause: "it has \(excess)") }
    }
}
