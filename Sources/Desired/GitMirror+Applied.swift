import CGit2

// What a host applied last is remembered as a reference of the mirror: it keeps the commit from being collected, and names
// it when neither the server nor, after a reboot, the maps are there. It decides nothing while the server answers.
extension Mirror {
    /// The reference of the commit that `host` applied last.
    public static func appliedRef(host: String) -> String { "refs/mizar/applied/\(host)" }

    /// What `host` applied last, as far as the mirror of a remote repository remembers it.
    public static func applied(repo: String, cache: String?, host: String) -> String? {
        guard case .remote? = try? GitLocation(repo), let repository = try? Repository.open(repo, cache: cache) else { return nil }
        return try? repository.resolve(appliedRef(host: host))
    }

    /// Points the reference at `commit`. Of a local repository or a folder nothing is remembered: it is there anyway.
    public static func rememberApplied(repo: String, cache: String?, commit: String, host: String) throws(DesiredError) {
        guard case .remote = try GitLocation(repo), !commit.isEmpty else { return }
        let repository = try Repository.open(repo, cache: cache)
        let name = appliedRef(host: host)
        if (try? repository.resolve(name)) == commit { return }
        var id = git_oid()
        try GitLibrary.check(git_oid_fromstr(&id, commit), "remember", commit)
        var reference: OpaquePointer?
        try GitLibrary.check(git_reference_create(&reference, repository.pointer, name, &id, 1, nil), "remember", commit)
        git_reference_free(reference)
    }
}

extension Mirror {
    /// What to read in place of `repo` once it was fetched: the mirror of a remote one, any other as it is.
    public static func local(_ repo: String, cache: String?) throws(DesiredError) -> String {
        guard case .remote(let url) = try GitLocation(repo) else { return repo }
        return try folder(url: url, cache: cache)
    }
}

extension DesiredError {
    /// Whether the remote could not be asked: a mirror may serve then.
    public var isFetch: Bool { operation == "fetch" }
}
