import CGit2
import Glibc
import Topology

/// Bare copies of remote repositories, so that a host has its last commits without the server.
public enum Mirror {
    /// The folder that holds the mirrors: `given`, or by default
    /// `/var/cache/mizar-reconcile` for root; for others `$XDG_CACHE_HOME/mizar-reconcile`, or `~/.cache/mizar-reconcile`.
    ///
    /// - Throws: for a user without any of these: whoever makes a folder that all can guess in /tmp decides what is in it.
    static func cache(_ given: String?) throws(DesiredError) -> String {
        if let given { return given }
        if geteuid() == 0 { return "/var/cache/mizar-reconcile" }
        if let cache = environment("XDG_CACHE_HOME") { return cache + "/mizar-reconcile" }
        if let home = environment("HOME") { return home + "/.cache/mizar-reconcile" }
        throw DesiredError("choose", "a place for the mirror", cause: "neither HOME nor XDG_CACHE_HOME is set; give --cache")
    }

    /// Where the mirror of `url` is: named by the hash of the URL, so that nothing in it can name another folder.
    public static func folder(url: String, cache: String? = nil) throws(DesiredError) -> String {
        guard case .remote = try GitLocation(url) else {
            throw DesiredError("mirror", url, cause: "is a path, not a URL")
        }
        let hex = String(StableHash.id(url), radix: 16)
        return "\(try Self.cache(cache))/\(String(repeating: "0", count: 16 - hex.utf8.count))\(hex).git"
    }

    /// Brings the mirror of `url` up to date in this process, however long it takes; `fetch` bounds the time.
    ///
    /// All branches and tags are taken, and those that the remote has no longer are removed. Only one process at a
    /// time fetches a mirror; others wait for it. Killed at any time, the next fetch goes on from what is there. A mirror that is
    /// damaged is made anew, once; the damaged one stays beside it, as `….git.damaged`.
    ///
    /// - Parameter isSuspect: whether each object that can be asked for is looked at beforehand, since one could not be read.
    /// - Returns: what was damaged.
    @discardableResult
    public static func fetchInProcess(
        url: String, cache: String? = nil, isSuspect: Bool = false
    ) throws(DesiredError) -> String? {
        let subject = GitLocation.redacted(url)
        let folder = try folder(url: url, cache: cache)
        if let seconds = environment(FetchChild.deadlineVariable).flatMap({ UInt32($0) }) { alarm(seconds) }
        if let failure = GitLibrary.started { throw DesiredError("fetch", subject, cause: failure.message) }
        GitLibrary.limitAllocations(false)
        defer { GitLibrary.limitAllocations(true) }
        try makeFolder(try Self.cache(cache))
        let lock = try MirrorLock(folder + ".lock")
        defer { lock.unlock() }
        try MirrorLeftovers.remove(in: folder)
        var fault = MirrorCheck.fault(in: folder, isSuspect ? .objects : .outside)
        if fault == nil {
            var isConnected = false
            do throws(DesiredError) {
                try fetch(url, into: folder, isConnected: &isConnected)
                return nil
            } catch {
                // Only a mirror that takes part in it can be the cause.
                guard isConnected else { throw error }
                fault = MirrorCheck.fault(in: folder, .objects)
                guard fault != nil else { throw error }
            }
        }
        do throws(DesiredError) {
            try MirrorRenewal.run(folder) { fresh throws(DesiredError) in
                var isConnected = false
                try fetch(url, into: fresh, isConnected: &isConnected)
            }
        } catch {
            throw DesiredError("fetch", subject, cause: "\(error.cause); and the mirror is damaged: \(fault ?? "")")
        }
        return fault
    }

    private static func fetch(_ url: String, into folder: String, isConnected: inout Bool) throws(DesiredError) {
        let subject = GitLocation.redacted(url)
        var repository: OpaquePointer?
        try GitLibrary.check(git_repository_init(&repository, folder, 1), "create the mirror of", subject)
        defer { git_repository_free(repository) }
        var remote: OpaquePointer?
        try GitLibrary.check(git_remote_create_anonymous(&remote, repository, url), "fetch", subject)
        defer { git_remote_free(remote) }
        // Not what the user wrote: git's settings may put another address in its place (url.….insteadOf).
        let session: GitSession
        do throws(HTTPFailure) {
            let url = git_remote_url(remote).map { String(cString: $0) } ?? ""
            session = try GitSession(url: url, proxies: HTTPProxies(settingsOf: repository))
        } catch {
            throw DesiredError("fetch", subject, cause: error.message)
        }
        var options = git_fetch_options()
        git_fetch_options_init(&options, UInt32(GIT_FETCH_OPTIONS_VERSION))
        session.install(in: &options.callbacks)
        options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE  // the refspecs name them
        options.prune = GIT_FETCH_PRUNE

        func check(_ code: Int32) throws(DesiredError) {
            if let refusal = session.refusal, code < 0 { throw DesiredError("fetch", subject, cause: refusal) }
            try GitLibrary.check(code, "fetch", subject)
        }
        var connection = git_remote_connect_options()
        git_remote_connect_options_init(&connection, UInt32(GIT_REMOTE_CONNECT_OPTIONS_VERSION))
        connection.callbacks = options.callbacks
        try check(git_remote_connect_ext(remote, GIT_DIRECTION_FETCH, &connection))
        isConnected = true
        let head = defaultBranch(remote)
        try withStringArray(["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]) { refspecs throws(DesiredError) in
            let code = git_remote_download(remote, &refspecs, &options)
            if code == GIT_ENOTFOUND.rawValue, session.refusal == nil {
                // What a commit names is not there: the remote's history ends before its beginning.
                throw DesiredError(
                    "fetch", subject,
                    cause:
                        "\(GitFailure(code: code).message): if the remote is a shallow clone, run “git fetch --unshallow” in it; if it is a partial one, “git fetch --refetch --no-filter”"
                )
            }
            try check(code)
        }
        git_remote_disconnect(remote)
        // First: a branch that is gone may have the name of a folder of new ones, or the other way round.
        try check(git_remote_prune(remote, &options.callbacks))
        try check(git_remote_update_tips(remote, &options.callbacks, 0, GIT_REMOTE_DOWNLOAD_TAGS_NONE, "fetch"))
        try setDefault(head, of: repository, subject)
        withExtendedLifetime(session) {}
    }

    private static func defaultBranch(_ remote: OpaquePointer?) -> String? {
        var name = git_buf()
        guard git_remote_default_branch(&name, remote) == 0, let text = name.ptr else { return nil }
        defer { git_buf_dispose(&name) }
        return String(cString: text)
    }

    static func withStringArray(
        _ strings: [String], _ body: (inout git_strarray) throws(DesiredError) -> Void
    ) throws(DesiredError) {
        var pointers = strings.map { strdup($0) }
        defer { pointers.forEach { free($0) } }
        let count = pointers.count
        try pointers.withUnsafeMutableBufferPointer { buffer throws(DesiredError) in
            var array = git_strarray(strings: buffer.baseAddress, count: count)
            try body(&array)
        }
    }

    static func environment(_ name: String) -> String? {
        guard let value = getenv(name), value.pointee != 0 else { return nil }
        return String(cString: value)
    }

    /// Makes `path` and what is above it, readable by its owner alone: a URL may have a password in it.
    static func makeFolder(_ path: String) throws(DesiredError) {
        var partial = path.hasPrefix("/") ? "" : "."
        for part in path.split(separator: "/") {
            partial += "/" + part
            guard mkdir(partial, 0o700) == 0 || errno == EEXIST || errno == EISDIR || errno == EROFS else {
                throw DesiredError(
                    "create folder", partial,
                    cause: "\(String(cString: strerror(errno))); --cache names another place for the mirror")
            }
        }
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, access(path, W_OK) == 0 else {
            throw DesiredError(
                "create folder", path, cause: "it is no folder that we may write to; --cache names another place for the mirror")
        }
    }
}
