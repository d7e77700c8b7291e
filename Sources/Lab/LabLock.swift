import Glibc

/// One `up` or `down` of a lab at a time: the name of a socket, which ends with its holder and leaves no file.
struct LabLock {
    private let descriptor: Int32

    init(_ lab: Lab) throws(LabError) {
        try lab.check()
        guard geteuid() == 0 else {
            throw LabError("change", "lab \(lab.name)", cause: "network namespaces need root: run it with sudo")
        }
        let made = Self.socket()
        guard made >= 0 else { throw LabError("lock", "lab \(lab.name)", cause: Files.errorText()) }
        var tries = 0
        while Self.withAddress(of: lab, { bind(made, $0, $1) }) != 0 {
            tries += 1
            // A process that the last holder was just starting has the socket, too, until it runs its own program.
            if errno == EADDRINUSE, tries < 100 {
                usleep(10_000)
                continue
            }
            let cause = errno == EADDRINUSE ? "\(Self.holder(of: lab)) is changing this lab" : Files.errorText()
            close(made)
            throw LabError("lock", "lab \(lab.name)", cause: cause)
        }
        // Only so that others can ask who this is.
        listen(made, 1)
        descriptor = made
    }

    func unlock() { close(descriptor) }

    private static func socket() -> Int32 {
        Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
    }

    private static func withAddress(of lab: Lab, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = Array("mizar-lab-\(lab.name)".utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.baseAddress?.advanced(by: 1).copyMemory(from: name, byteCount: name.count) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + 1 + name.count)
        return withUnsafePointer(to: &address) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) } }
    }

    /// Who listens on the lab's socket, by SO_PEERCRED of unix(7).
    private static func holder(of lab: Lab) -> String {
        let asking = socket()
        defer { close(asking) }
        // struct ucred, which Glibc hides from Swift.
        var peer: (pid: pid_t, uid: uid_t, gid: gid_t) = (0, 0, 0)
        var size = socklen_t(MemoryLayout.size(ofValue: peer))
        guard withAddress(of: lab, { connect(asking, $0, $1) }) == 0,
            getsockopt(asking, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0, peer.pid > 0
        else { return "another process" }
        return "process \(peer.pid) (\(Files.commandLine(peer.pid)))"
    }
}
