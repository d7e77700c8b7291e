import CGit2

/// A git repository that is read: a local one, or the mirror of a remote one. Freed when it goes out of scope.
public struct Repository: ~Copyable {
    let pointer: OpaquePointer
    /// How messages name it.
    let name: String

    private init(pointer: OpaquePointer, name: String) {
        self.pointer = pointer
        self.name = name
    }

    deinit { git_repository_free(pointer) }

    /// Opens a local repository (bare, working tree, or linked worktree) or the mirror of a remote one in `cache`.
    ///
    /// - Throws: if a path is no repository (`isRepository` tells beforehand), or a remote one was never fetched.
    public static func open(_ location: String, cache: String? = nil) throws(DesiredError) -> Repository {
        switch try GitLocation(location) {
        case .path(let path):
            return try openPath(path, name: path)
        case .remote(let url):
            let folder = try Mirror.folder(url: url, cache: cache)
            guard try isRepository(folder) else {
                throw DesiredError(
                    "open", GitLocation.redacted(url), cause: "was never fetched: there is no mirror of it at \(folder)")
            }
            return try openPath(folder, name: GitLocation.redacted(url))
        }
    }

    /// Whether `path` is itself a repository: a subfolder of one is not.
    ///
    /// - Throws: if it is one that cannot be opened: whoever took it for a plain folder would apply what nobody committed.
    public static func isRepository(_ path: String) throws(DesiredError) -> Bool {
        try find(path, name: path) != nil
    }

    /// Whether `path` is a repository without a working tree.
    public static func isBare(_ path: String) -> Bool {
        // Whoever reads the files as they stand does not care what a `.git` beside them is worth.
        guard let repository = try? find(path, name: path) else { return false }
        return git_repository_is_bare(repository.pointer) == 1
    }

    static func openPath(_ path: String, name: String) throws(DesiredError) -> Repository {
        guard let repository = try find(path, name: name) else {
            throw DesiredError("open", name, cause: "is no git repository")
        }
        return repository
    }

    private static func find(_ path: String, name: String) throws(DesiredError) -> Repository? {
        do {
            return Repository(pointer: try openPointer(path), name: name)
        } catch {
            let message = error.message
            guard error.isNotFound else { throw DesiredError("open", name, cause: message) }
            guard let obstacle = GitFolder.obstacle(path, message: message) else { return nil }
            throw DesiredError("open the repository", name, cause: obstacle)
        }
    }

    private static func openPointer(_ path: String) throws(GitFailure) -> OpaquePointer {
        if let failure = GitLibrary.started { throw failure }
        var pointer: OpaquePointer?
        // Not upwards: a folder in a working tree is that folder, as it stands.
        try GitLibrary.check(git_repository_open_ext(&pointer, path, GIT_REPOSITORY_OPEN_NO_SEARCH.rawValue, nil))
        guard let pointer else { throw GitFailure(code: -1) }
        return pointer
    }

    static func hex(_ id: UnsafePointer<git_oid>?) -> String {
        guard let id, let text = git_oid_tostr_s(id) else { return "" }
        return String(cString: text)
    }
}
