import Glibc

/// One `up` or `down` of a lab at a time: the name of a socket, which ends with its holder and leaves no file.
struct LabLock {
    private let descriptor: Int32

    init(_ lab: Lab) throws(LabError) {
        try lab.check()
        guard geteuid() == 0 else {
            throw LabError("change", "lab \(lab.name)", cause: "network namespaces need root: run it with sudo")
        }
        let made = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard made >= 0 else { throw LabError("lock", "lab \(lab.name)", cause: Files.errorText()) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = Array("mizar-lab-\(lab.name)".utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.baseAddress?.advanced(by: 1).copyMemory(from: name, byteCount: name.count) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + 1 + name.count)
        var tries = 0
        while withUnsafePointer(
            to: &address, { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(made, $0, length) } }) != 0
        {
            tries += 1
            // A process that the last holder was just starting has the socket, too, until it runs its own program.
            if errno == EADDRINUSE, tries < 100 {
                usleep(10_000)
                continue
            }
            let cause = errno == EADDRINUSE ? "another process is changing this lab" : Files.errorText()
            close(made)
            throw LabError("lock", "lab \(lab.name)", cause: cause)
        }
        descriptor = made
    }

    func unlock() { close(descriptor) }
}
