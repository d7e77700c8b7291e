import Glibc
import SystemPackage

/// Where a desired state is read from: a commit of a repository, or a plain folder.
public enum Source {
    /// The id of the commit that `ref` means, after a remote repository was asked for it; nil for a plain folder.
    ///
    /// Parameters and errors are those of `load`.
    public static func commit(
        repo: String, ref: String? = nil, cache: String? = nil, deadlineSeconds: Int = 60
    ) throws(DesiredError) -> String? {
        switch try GitLocation(repo) {
        case .path(let folder):
            guard try Repository.isRepository(folder) else { return nil }
        case .remote(let url):
            try Mirror.fetch(url: url, cache: cache, deadlineSeconds: deadlineSeconds)
        }
        return try reading(repo, cache, fetch: true, deadlineSeconds) { repository throws(DesiredError) in
            try repository.resolve(ref)
        }
    }

    /// The files of `repo` at `ref` below `path`.
    ///
    /// - Parameter repo: a local repository or folder, or a URL; a folder without a `.git` is read as it stands.
    /// - Parameter ref: nil is `HEAD`.
    /// - Parameter cache: where mirrors of remote repositories are; nil is the default one.
    /// - Parameter fetch: whether a remote repository is asked, or its mirror taken as it is.
    /// - Parameter deadlineSeconds: how long asking may take, and how long reading: both say nothing about the tree.
    /// - Throws: with `operation` “fetch” where the remote could not be asked: a mirror may serve then.
    public static func load(
        repo: String, ref: String? = nil, path: String? = nil, cache: String? = nil, fetch: Bool = true,
        deadlineSeconds: Int = 60
    ) throws(DesiredError) -> SourceTree {
        switch try GitLocation(repo) {
        case .path(let folder):
            guard try Repository.isRepository(folder) else {
                guard ref == nil else {
                    let isThere = access(folder, F_OK) == 0
                    let cause = isThere ? "is a plain folder, no git repository" : "\(Errno(rawValue: errno))"
                    throw DesiredError("resolve", "\(ref ?? "") in \(folder)", cause: cause)
                }
                let below = try Repository.normalized(path)
                return try SourceTree.folder(below.isEmpty ? folder : "\(folder)/\(below)", deadlineSeconds: deadlineSeconds)
            }
        case .remote(let url):
            if fetch { try Mirror.fetch(url: url, cache: cache, deadlineSeconds: deadlineSeconds) }
        }
        return try reading(repo, cache, fetch: fetch, deadlineSeconds) { repository throws(DesiredError) in
            try repository.tree(commit: repository.resolve(ref), path: path, deadlineSeconds: deadlineSeconds)
        }
    }

    /// Reads a repository. If that fails in a mirror that is damaged, it is made anew, once.
    private static func reading<Result>(
        _ repo: String, _ cache: String?, fetch: Bool, _ deadlineSeconds: Int,
        _ body: (borrowing Repository) throws(DesiredError) -> Result
    ) throws(DesiredError) -> Result {
        do throws(DesiredError) {
            return try body(try Repository.open(repo, cache: cache))
        } catch {
            if case .path(let path) = try GitLocation(repo) { throw error.explained(by: GitClone.lack(of: path)) }
            guard case .remote(let url) = try GitLocation(repo), fetch,
                MirrorCheck.fault(in: try Mirror.folder(url: url, cache: cache), .objects) != nil
            else { throw error }
            try Mirror.fetch(url: url, cache: cache, deadlineSeconds: deadlineSeconds, isSuspect: true)
        }
        return try body(try Repository.open(repo, cache: cache))
    }
}
