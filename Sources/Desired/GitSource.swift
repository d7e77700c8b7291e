import Glibc
import SystemPackage

/// Where a desired state is read from: a commit of a repository, or a plain folder.
public enum Source {
    /// The files of `repo` at `ref` below `path`.
    ///
    /// - Parameter repo: a local repository or folder, or a URL; a folder without a `.git` is read as it stands.
    /// - Parameter ref: nil is `HEAD`.
    /// - Parameter cache: where mirrors of remote repositories are; nil is the default one.
    /// - Parameter fetch: whether a remote repository is asked, or its mirror taken as it is.
    /// - Parameter deadlineSeconds: how long asking may take.
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
                return try SourceTree.folder(below.isEmpty ? folder : "\(folder)/\(below)")
            }
        case .remote(let url):
            if fetch { try Mirror.fetch(url: url, cache: cache, deadlineSeconds: deadlineSeconds) }
        }
        let repository = try Repository.open(repo, cache: cache)
        return try repository.tree(commit: repository.resolve(ref), path: path)
    }
}
