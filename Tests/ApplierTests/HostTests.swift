import Applier
import Glibc
import Planner
import TestSupport
import Testing
import Topology

@Suite(.enabled(if: NetworkNamespace.isAvailable))
struct HostTests {
    @Test("a second reconciler is told who holds the lock, and gets it when the holder dies")
    func lock() async throws {
        try await NetworkNamespace.run { host in
            do {
                let first = try HostLock(directory: host.bpffs)
                let error = try #require(throws: LockError.self) { _ = try HostLock(directory: host.bpffs) }
                #expect(error.holder == getpid())
                first.release()
            }
            let other = try host.spawn("flock", "--no-fork", host.bpffs, "sleep", "600")
            defer { other.end() }
            // The child has the lock a moment after it was made, and becomes its command a moment after that.
            var seen: LockError?
            for _ in 0..<2000 where seen?.holder != other.pid || seen?.command != "sleep 600" {
                do throws(LockError) {
                    _ = try HostLock(directory: host.bpffs)
                    usleep(1000)
                } catch {
                    seen = error
                }
            }
            let error = try #require(seen)
            #expect(error.holder == other.pid)
            #expect(error.command == "sleep 600")
            #expect(error.description.contains("process \(other.pid) (sleep 600) holds the lock"))
            #expect(throws: LockError.self) { try Detach.run(directory: host.bpffs) }
            other.end()
            _ = try HostLock(directory: host.bpffs)
        }
    }

    @Test("the port's holder is named: a process, or the kernel's tunnel; and only in this namespace")
    func port() async throws {
        try await NetworkNamespace.run { host in
            #expect(try HostCheck.portTaken(6081) == nil)
            let descriptor = socket(AF_INET6, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = UInt16(6081).bigEndian
            let bound = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
                }
            }
            try #require(bound == 0)
            #expect(try #require(try HostCheck.portTaken(6081)).contains("process \(getpid()) ("))
            close(descriptor)
            // Another test's child has the socket too, until it runs its program.
            try host.eventually("the port is free") { try HostCheck.portTaken(6081) == nil }
            try host.command(
                "ip", "link", "add", "vx0", "type", "vxlan", "id", "7", "local", "127.0.0.1", "dstport", "6081")
            try host.command("ip", "link", "set", "vx0", "up")
            #expect(try #require(try HostCheck.portTaken(6081)).contains("kernel"))
        }
    }

    @Test("addresses are those of the namespace")
    func addresses() async throws {
        try await NetworkNamespace.run { host in
            try host.command("ip", "address", "add", "172.16.0.1/24", "dev", "lo")
            #expect(try HostCheck.addresses().contains(Samples.h1))
            #expect(try !HostCheck.addresses().contains(Samples.h2))
        }
    }
}
