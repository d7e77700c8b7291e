import CBPF
import Glibc

/// Named network namespaces, as ip-netns(8) keeps them: files in /run/netns.
public enum Namespace {
    static let folder = "/run/netns"

    /// The file behind a name.
    public static func path(_ name: String) -> String { folder + "/" + name }

    /// Names that begin with `prefix`, sorted.
    static func names(prefix: String) -> [String] {
        Files.entries(folder).filter { $0.hasPrefix(prefix) }.sorted()
    }

    /// Whether a namespace is behind the name, not only the file that `ip netns add`, killed, leaves.
    static func isAlive(_ name: String) -> Bool {
        mzr_file_system_type(path(name)) == 0x6e73_6673  // NSFS_MAGIC
    }

    /// What the kernel knows the namespace by: equal for the file and for /proc/PID/ns/net of a process inside.
    static func inode(_ path: String) -> UInt64? {
        var status = stat()
        return stat(path, &status) == 0 ? UInt64(status.st_ino) : nil
    }

    /// Runs `body` with this thread in a namespace. Only the network changes: /sys and its pins stay as they are.
    public static func within<Value>(_ name: String, _ body: () -> Value) throws(LabError) -> Value {
        let own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
        guard own >= 0 else { throw LabError("open", "/proc/thread-self/ns/net", cause: Files.errorText()) }
        defer { close(own) }
        try enter(name)
        let value = body()
        if mzr_enter_network_namespace(own) != 0 {
            // A thread that stayed there would do everything else in the wrong network.
            perror("mizar-reconcile: cannot leave a network namespace")
            exit(1)
        }
        return value
    }

    /// Moves this thread into a namespace for good.
    static func enter(_ name: String) throws(LabError) {
        let target = open(path(name), O_RDONLY | O_CLOEXEC)
        guard target >= 0 else { throw LabError("enter", "namespace \(name)", cause: Files.errorText()) }
        defer { close(target) }
        guard mzr_enter_network_namespace(target) == 0 else {
            throw LabError("enter", "namespace \(name)", cause: Files.errorText())
        }
    }

    /// Ends every process in the namespaces, by pid, and waits until they are gone (at most two seconds).
    static func endProcesses(in names: [String]) {
        let inodes = Set(names.filter(isAlive).compactMap { inode(path($0)) })
        guard !inodes.isEmpty else { return }
        for _ in 0..<200 {
            let pids = processes(in: inodes)
            guard !pids.isEmpty else { return }
            for pid in pids { kill(pid, SIGKILL) }
            usleep(10_000)
        }
    }

    private static func processes(in inodes: Set<UInt64>) -> [pid_t] {
        Files.entries("/proc").compactMap { pid_t($0) }.filter { pid in
            guard pid != getpid(), let inode = inode("/proc/\(pid)/ns/net") else { return false }
            return inodes.contains(inode)
        }
    }
}

/// Files, by the plainest of calls.
enum Files {
    static func errorText() -> String { String(cString: strerror(errno)) }

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

    /// How a process was started, words with spaces between.
    static func commandLine(_ pid: pid_t) -> String {
        let descriptor = open("/proc/\(pid)/cmdline", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "unknown" }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(descriptor, &bytes, bytes.count)
        let words = bytes.prefix(max(0, count)).split(separator: 0)
        return words.isEmpty ? "unknown" : words.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
    }

    /// Writes a file that is there, such as a sysctl's; false if that did not work.
    @discardableResult
    static func write(_ text: String, to path: String) -> Bool {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return text.withCString { Glibc.write(descriptor, $0, strlen($0)) } > 0
    }

    /// Removes a folder and all in it, following no symbolic link.
    static func removeTree(_ path: String, depth: Int = 0) {
        var status = stat()
        guard depth < 32, lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            unlink(path)
            return
        }
        for name in entries(path) { removeTree(path + "/" + name, depth: depth + 1) }
        rmdir(path)
    }
}
