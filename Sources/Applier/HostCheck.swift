import Glibc
public import Topology

/// What a host must have, asked before anything is written.
public enum HostCheck {
    /// Everything that writing takes: the kernel, privileges, and the directory on a bpffs, which is mounted and made
    /// if it is missing.
    public static func prepare(directory: String) throws(BPFError) {
        try kernel()
        try privileges()
        try BPFFilesystem.prepare(directory)
    }

    /// Refuses a kernel older than 6.1.
    public static func kernel() throws(BPFError) {
        let version = kernelVersion()
        guard version < (6, 1) else { return }
        throw BPFError(
            "use", "this kernel", .unavailable("Linux 6.1 or newer is needed, this is \(version.0).\(version.1)"))
    }

    /// Major and minor number of the kernel that runs.
    static func kernelVersion() -> (Int, Int) {
        var name = utsname()
        uname(&name)
        let parts = withUnsafeBytes(of: name.release) { cString($0) }.split { !$0.isNumber }
        return (parts.first.flatMap { Int($0) } ?? 0, parts.dropFirst().first.flatMap { Int($0) } ?? 0)
    }

    /// Refuses a process that may not do what follows.
    ///
    /// CAP_BPF would do for maps and programs of one's own; finding what is attached, by id, takes CAP_SYS_ADMIN.
    public static func privileges() throws(BPFError) {
        let line = "CapEff:"
        let status = (try? text(of: "/proc/thread-self/status")) ?? ""
        let value = status.split(separator: "\n").first { $0.hasPrefix(line) }?.dropFirst(line.count)
        let mask = value.flatMap { UInt64($0.drop { $0 == "\t" || $0 == " " }, radix: 16) } ?? 0
        let needed: [(String, UInt64)] = [("CAP_NET_ADMIN", 12), ("CAP_SYS_ADMIN", 21)]
        let missing = needed.filter { mask >> $0.1 & 1 == 0 }.map(\.0)
        guard !missing.isEmpty else { return }
        throw BPFError(
            "use", "BPF", .unavailable("\(missing.joined(separator: " and ")) missing; run as root"))
    }

    /// Addresses of the interfaces of the thread's network namespace, sorted.
    public static func addresses() throws(BPFError) -> [IPAddress] {
        try NetlinkSocket().addresses().values.joined().sorted()
    }

    /// Who has a UDP port, in a user's words; nil if it is free, or has our own socket.
    ///
    /// The kernel's own tunnels, VXLAN or Geneve, are listed like any socket, but no process holds theirs.
    public static func portTaken(_ port: UInt16) throws(BPFError) -> String? {
        let hexadecimal = String(port, radix: 16, uppercase: true)
        let wanted = String(repeating: "0", count: 4 - hexadecimal.count) + hexadecimal
        // /proc/self/net is the process's first thread's; this thread may have another network namespace.
        for file in ["udp", "udp6"] {
            let path = "/proc/thread-self/net/\(file)"
            guard BPFFilesystem.exists(path) else { continue }
            for line in try text(of: path).split(separator: "\n").dropFirst() {
                let fields = line.split(separator: " ")
                guard fields.count > 9, fields[1].split(separator: ":").last.map(String.init) == wanted else { continue }
                // Beside it nobody gets the port.
                if try ReceiveOffload().port() == port { return nil }
                return holder(ofSocket: String(fields[9])) ?? "the kernel (a tunnel such as VXLAN or Geneve)"
            }
        }
        return nil
    }

    /// The process that has a socket open.
    private static func holder(ofSocket inode: String) -> String? {
        guard inode != "0" else { return nil }
        for pid in (try? BPFFilesystem.names(in: "/proc")) ?? [] where Int(pid) != nil {
            for descriptor in (try? BPFFilesystem.names(in: "/proc/\(pid)/fd")) ?? [] {
                if link("/proc/\(pid)/fd/\(descriptor)") == "socket:[\(inode)]" {
                    return "process \(pid) (\(commandLine(pid)))"
                }
            }
        }
        return nil
    }

    /// How a process was started, words with spaces between.
    static func commandLine(_ pid: String) -> String {
        let words = ((try? text(of: "/proc/\(pid)/cmdline")) ?? "").split(separator: "\0")
        return words.isEmpty ? "unknown" : words.joined(separator: " ")
    }

    /// readlink(2); empty: there is none, or it cannot be read.
    static func link(_ path: String) -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        let length = readlink(path, &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(length, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The whole text of a file of /proc, whose size is known only by reading.
    static func text(of path: String) throws(BPFError) -> String {
        let raw = open(path, O_RDONLY | O_CLOEXEC)
        guard raw >= 0 else { throw BPFError("read", path, .errno(errno)) }
        let file = Descriptor(owning: raw)
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 14)
        while true {
            let count = read(file.raw, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw BPFError("read", path, .errno(errno)) }
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer.prefix(count)
        }
    }
}
