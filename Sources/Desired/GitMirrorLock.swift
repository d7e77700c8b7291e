import Glibc

/// One fetch of a mirror at a time; the lock ends with its holder, however that ends.
struct MirrorLock {
    private let descriptor: Int32

    /// Waits until the lock file `path` is ours.
    init(_ path: String) throws(DesiredError) {
        let opened = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard opened >= 0 else { throw DesiredError("open", path, cause: String(cString: strerror(errno))) }
        while flock(opened, LOCK_EX) != 0 {
            guard errno == EINTR else {
                let cause = String(cString: strerror(errno))
                close(opened)
                throw DesiredError("lock", path, cause: cause)
            }
        }
        descriptor = opened
    }

    func unlock() { close(descriptor) }
}

/// What a fetch that was killed leaves in a mirror. Only whoever holds the mirror's lock may remove it.
enum MirrorLeftovers {
    /// Removes libgit2's lock files, which would make every later fetch fail, and its unfinished packs.
    static func remove(in folder: String) throws(DesiredError) {
        for name in entries(folder) where name.hasSuffix(".lock") { unlink(folder + "/" + name) }
        removeLocks(below: folder + "/refs", depth: 0)
        for name in entries(folder + "/objects/pack") where name.contains("_git2_") || name.hasPrefix("tmp_") {
            unlink(folder + "/objects/pack/" + name)
        }
    }

    private static func removeLocks(below folder: String, depth: Int) {
        guard depth < 64 else { return }
        for name in entries(folder) {
            let path = folder + "/" + name
            var status = stat()
            guard lstat(path, &status) == 0 else { continue }
            if status.st_mode & S_IFMT == S_IFDIR {
                removeLocks(below: path, depth: depth + 1)
            } else if name.hasSuffix(".lock") {  // git itself allows no reference of such a name
                unlink(path)
            }
        }
    }

    /// The names in a folder; none if it cannot be read.
    static func entries(_ folder: String) -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
