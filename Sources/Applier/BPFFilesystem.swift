import CBPF
import Glibc

/// The bpffs below which a host's maps and programs have their names.
enum BPFFilesystem {
    static let standard = "/sys/fs/bpf"
    private static let magic: Int = 0xcafe_4a11

    /// Whether `path` exists and lies on a bpffs.
    static func contains(_ path: String) -> Bool { mzr_file_system_type(path) & 0xffff_ffff == magic }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Makes `directory` on a bpffs, which is mounted at /sys/fs/bpf if it is meant and missing.
    static func prepare(_ directory: String) throws(BPFError) {
        if contains(directory) { return }
        let subject = "directory \(directory)"
        if exists(directory), directory != standard { throw BPFError("use", subject, .unavailable(hint(directory))) }
        if directory == standard || directory.hasPrefix(standard + "/"), !contains(standard) { try mountStandard() }
        var parent = directory[...]
        var missing: [String] = []
        while !parent.isEmpty, !exists(String(parent)) {
            missing.append(String(parent))
            parent = parent[..<(parent.lastIndex(of: "/") ?? parent.startIndex)]
        }
        guard contains(parent.isEmpty ? "/" : String(parent)) else {
            throw BPFError("create", subject, .unavailable(hint(directory)))
        }
        for path in missing.reversed() where mkdir(path, 0o700) != 0 && errno != EEXIST {
            // A detach from beside it took the parent, which was empty.
            if errno == ENOENT { return try prepare(directory) }
            throw BPFError("create", "directory \(path)", .errno(errno))
        }
    }

    /// Removes an empty directory, and those above it, up to the root of the bpffs, that are empty then: what `prepare`
    /// made.
    static func removeDirectory(_ directory: String) throws(BPFError) {
        guard directory != standard else { return }
        if rmdir(directory) != 0, errno != ENOENT { throw BPFError("remove", "directory \(directory)", .errno(errno)) }
        var parent = directory[...]
        while let slash = parent.lastIndex(of: "/") {
            parent = parent[..<slash]
            // The root of a bpffs is busy, being mounted on.
            guard parent != standard, contains(String(parent)), rmdir(String(parent)) == 0 else { return }
        }
    }

    /// Two processes may come here at once, and a second mount would hide the first: the mount point is locked.
    private static func mountStandard() throws(BPFError) {
        let subject = "a bpffs at \(standard)"
        let raw = open(standard, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard raw >= 0 else {
            throw BPFError("mount", subject, .unavailable("\(standard) does not exist: is /sys mounted, and BPF in the kernel?"))
        }
        let point = Descriptor(owning: raw)
        while flock(point.raw, LOCK_EX) != 0 {
            guard errno == EINTR else { throw BPFError("mount", subject, .errno(errno)) }
        }
        guard !contains(standard) else { return }
        guard mount("bpf", standard, "bpf", 0, "mode=0700") == 0 else {
            let number = errno
            throw BPFError("mount", subject, .unavailable("\(String(cString: strerror(number))); \(hint(standard))"))
        }
    }

    /// What is wrong with a directory that is on no bpffs, and what to do.
    static func hint(_ directory: String) -> String {
        let mount = "mount one, as root: mount -t bpf bpf \(directory)"
        return "it is not on a bpffs; " + (directory == standard ? mount : "take one below \(standard), or \(mount)")
    }

    /// Names in a directory, sorted; none if it does not exist.
    static func names(in directory: String) throws(BPFError) -> [String] {
        guard let stream = opendir(directory) else {
            if errno == ENOENT { return [] }
            throw BPFError("list", "directory \(directory)", .errno(errno))
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { cString($0) }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Reads where a symbolic link leads. Nil if nothing has that name, or if it is no link.
    static func target(of path: String) throws(BPFError) -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = readlink(path, &buffer, buffer.count)
        if length >= 0 { return buffer.withUnsafeBytes { String(decoding: $0.prefix(length), as: UTF8.self) } }
        guard errno != ENOENT, errno != EINVAL, errno != ENOTDIR else { return nil }
        throw BPFError("read", "link \(path)", .errno(errno))
    }

    static func link(_ path: String, to target: String) throws(BPFError) {
        guard symlink(target, path) != 0 else { return }
        throw BPFError("make", "link \(path)", .errno(errno))
    }

    /// Removes a pin; one that is not there is removed already.
    static func unpin(_ path: String) throws(BPFError) {
        guard unlink(path) != 0, errno != ENOENT else { return }
        throw BPFError("remove", "pin \(path)", .errno(errno))
    }

    /// Gives the object pinned at `from` the name `to`, in place of whatever had it, in one step.
    static func move(_ from: String, over to: String) throws(BPFError) {
        guard rename(from, to) != 0 else { return }
        throw BPFError("rename", "pin \(from)", .errno(errno))
    }
}
