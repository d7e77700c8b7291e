import CGit2
import Topology

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

    /// The id of the commit that `ref` means, in hexadecimal.
    ///
    /// Takes a branch, a tag (annotated or not), a full or short id, `refs/…`, or anything of gitrevisions(7) that
    /// names one commit (`main~1`). Nil is `HEAD`: of a mirror, the remote's default branch.
    public func resolve(_ ref: String? = nil) throws(DesiredError) -> String {
        let text = ref ?? "HEAD"
        guard !text.isEmpty else { throw DesiredError("resolve", "“” in \(name)", cause: "the name is empty") }
        var object: OpaquePointer?
        let found = git_revparse_single(&object, pointer, text)
        guard found == 0 else { throw unresolved(text, GitFailure(code: found)) }
        defer { git_object_free(object) }
        var commit: OpaquePointer?
        guard git_object_peel(&commit, object, GIT_OBJECT_COMMIT) == 0 else {
            throw DesiredError("resolve", "\(text) in \(name)", cause: "is a \(Self.typeName(object)), not a commit")
        }
        defer { git_object_free(commit) }
        return Self.hex(git_object_id(commit))
    }

    private func unresolved(_ text: String, _ failure: GitFailure) -> DesiredError {
        let subject = "\(text) in \(name)"
        if failure.isAmbiguous {
            return DesiredError("resolve", subject, cause: "more than one object begins like this: write more of the id")
        }
        // What libgit2 may not read does not exist to it.
        if let store = git_repository_path(pointer), let obstacle = GitFolder.obstacle(inStore: String(cString: store)) {
            return DesiredError("resolve", subject, cause: obstacle)
        }
        let names = refNames()
        guard failure.isNotFound || failure.isUnborn || text == "HEAD" else {
            return DesiredError("resolve", subject, cause: failure.message)
        }
        if names.isEmpty { return DesiredError("resolve", subject, cause: "the repository has no commits yet") }
        var cause = "no such branch, tag or commit"
        let near = Suggestion.near(text, among: names, most: 3)
        if !near.isEmpty {
            cause += "; did you mean \(near.joined(separator: ", "))?"
        } else {
            cause += "; there are \(names.prefix(8).joined(separator: ", "))\(names.count > 8 ? ", …" : "")"
        }
        if git_repository_is_shallow(pointer) == 1 {
            cause += " (the clone is shallow: older commits are not in it)"
        }
        return DesiredError("resolve", subject, cause: cause)
    }

    /// Branches, then remote branches, then tags, as users write them; each sort in order.
    func refNames() -> [String] {
        var list = git_strarray()
        guard git_reference_list(&list, pointer) == 0 else { return [] }
        defer { git_strarray_dispose(&list) }
        let all = (0..<list.count).compactMap { list.strings[$0].map { String(cString: $0) } }.sorted()
        var names: [String] = []
        for prefix in ["refs/heads/", "refs/remotes/", "refs/tags/"] {
            names += all.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
        }
        return names
    }

    static func hex(_ id: UnsafePointer<git_oid>?) -> String {
        guard let id, let text = git_oid_tostr_s(id) else { return "" }
        return String(cString: text)
    }

    private static func typeName(_ object: OpaquePointer?) -> String {
        git_object_type2string(git_object_type(object)).map { String(cString: $0) } ?? "thing"
    }
}
