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
    /// Reads the files alone that neither of the two has. A wrong commit, which no host applies, is read like any other.
    ///
    /// - Parameter base: the id of a commit; it need not be an ancestor of `head`.
    public static func owners(
        repo: String, path: String? = nil, cache: String? = nil, after base: String, before head: String
    ) throws(DesiredError) -> Set<VNIOwner> {
        let repository = try Repository.open(repo, cache: cache)
        // Hosts are at most as many commits apart as are made in a settle time.
        let commits = try repository.commits(after: base, before: head, most: 256)
        guard !commits.isEmpty else { return [] }
        var known: Set<String> = []
        for commit in [head, base] { known.formUnion(try repository.tree(commit: commit, path: path).files.compactMap(\.id)) }
        var owners: Set<VNIOwner> = []
        for commit in commits {
            for file in try repository.tree(commit: commit, path: path, besides: known).files {
                if let id = file.id { known.insert(id) }
                for vpc in ParsedFile(file).vpcs {
                    if let vni = vpc.vni { owners.insert(VNIOwner(vni: UInt32(vni.value), vpc: vpc.name.text)) }
                }
            }
        }
        return owners
    }
}
