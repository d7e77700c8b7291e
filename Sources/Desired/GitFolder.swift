import Glibc
import SystemPackage

/// What a folder has of a repository, looked at without libgit2: to it, one that is damaged or out of reach is none.
enum GitFolder {
    /// Nil if nothing here says that `path` is a repository; else what keeps it from being one.
    ///
    /// - Parameter message: libgit2's, for a cause that is not found.
    static func obstacle(_ path: String, message: String) -> String? {
        do throws(Obstacle) {
            let entry = "\(path)/.git"
            guard try kind(entry, follow: false) == nil else { return try obstacle(entry: entry) ?? message }
            // A bare one: libgit2 wants all three.
            var count = 0
            for part in parts where try kind("\(path)/\(part)", follow: false) != nil { count += 1 }
            return count < 2 ? nil : try obstacle(store: path) ?? message
        } catch {
            return error.text
        }
    }

    /// What libgit2 takes for a repository, in the order in which it looks.
    private static let parts = ["HEAD", "objects", "refs"]

    /// Of a `.git`, which exists: a folder, a link to one, or a file that names one.
    private static func obstacle(entry: String) throws(Obstacle) -> String? {
        guard let kind = try kind(entry, follow: true) else { return "\(entry) is a link that leads nowhere" }
        if kind == S_IFDIR { return try obstacle(store: entry) }
        guard kind == S_IFREG else { return "\(entry) is neither a folder nor a file" }
        let label = "gitdir: "
        let line = try text(of: entry)
        guard line.hasPrefix(label) else { return "\(entry) is a file that names no repository" }
        let named = beside(entry, line.dropFirst(label.count))
        guard try self.kind(named, follow: true) == S_IFDIR else { return "\(entry) names \(named), which is no folder" }
        return try obstacle(store: named)
    }

    /// What keeps a repository's own folder from being read, the `.git` of a working tree.
    static func obstacle(inStore store: String) -> String? {
        do throws(Obstacle) { return try obstacle(store: FilePath(store).string) } catch { return error.text }
    }

    /// A linked worktree's store has but a `HEAD`, the rest is in the common one.
    private static func obstacle(store: String) throws(Obstacle) -> String? {
        try checkAccess(store, X_OK)
        let link = "\(store)/commondir"
        let common = try kind(link, follow: true) == nil ? store : beside(link, try text(of: link))
        for part in parts {
            let path = "\(part == "HEAD" ? store : common)/\(part)"
            guard let kind = try kind(path, follow: part != "HEAD") else { return "\(path) is missing" }
            switch kind {
            case S_IFDIR where part != "HEAD": try checkAccess(path, R_OK | X_OK)
            case S_IFREG where part == "HEAD": _ = try text(of: path)
            case S_IFLNK where part == "HEAD": break  // to a branch that may be unborn
            default: return "\(path) is no \(part == "HEAD" ? "file" : "folder")"
            }
        }
        return nil
    }

    private static func checkAccess(_ folder: String, _ mode: Int32) throws(Obstacle) {
        guard access(folder, mode) == 0 else { throw Obstacle(folder, Errno(rawValue: errno)) }
    }

    /// What could not be looked at.
    private struct Obstacle: Error {
        let text: String

        init(_ path: String, _ errno: Errno) { text = "\(path): \(errno)" }

        init(_ path: String, text: String) { self.text = "\(path) \(text)" }
    }

    /// The type of the file, or nil if there is none.
    private static func kind(_ path: String, follow: Bool) throws(Obstacle) -> mode_t? {
        var status = stat()
        if fstatat(AT_FDCWD, path, &status, follow ? 0 : AT_SYMLINK_NOFOLLOW) == 0 { return status.st_mode & S_IFMT }
        let cause = Errno(rawValue: errno)
        if cause == .noSuchFileOrDirectory || cause == .notDirectory { return nil }
        throw Obstacle(path, cause)
    }

    /// The first line of a small file.
    private static func text(of path: String) throws(Obstacle) -> String {
        // Of a FIFO nothing would ever come.
        guard try kind(path, follow: true) == S_IFREG else { throw Obstacle(path, text: "is no file") }
        guard let file = fopen(path, "re") else { throw Obstacle(path, Errno(rawValue: errno)) }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: Int(PATH_MAX) + 16)
        guard fgets(&line, Int32(line.count), file) != nil else {
            if ferror(file) != 0 { throw Obstacle(path, Errno(rawValue: errno)) }
            return ""
        }
        return String(decoding: line.prefix { $0 != 0 && $0 != 10 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// `text` as a path, relative to the folder that `file` is in.
    private static func beside(_ file: String, _ text: some StringProtocol) -> String {
        FilePath(file).removingLastComponent().pushing(FilePath(String(text))).string
    }
}
