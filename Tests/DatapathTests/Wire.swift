import CBPF
import Glibc

/// What the world's uplink puts on the wire, with the guard in front of it as on a host.
final class Wire {
    private let descriptor: Int32
    private static let everything: UInt16 = 3  // ETH_P_ALL

    /// Attaches the guard to the uplink and listens at the other end.
    init(_ world: World) throws {
        descriptor = try world.namespace.run {
            var hook = bpf_tc_hook()
            hook.sz = MemoryLayout<bpf_tc_hook>.size
            hook.ifindex = Int32(World.uplink)
            hook.attach_point = BPF_TC_EGRESS
            _ = bpf_tc_hook_create(&hook)
            var options = bpf_tc_opts()
            options.sz = MemoryLayout<bpf_tc_opts>.size
            options.handle = 1
            options.priority = 1
            options.flags = UInt32(BPF_TC_F_REPLACE.rawValue)
            options.prog_fd = world.datapath.program(.guardEntry)
            let attached = bpf_tc_attach(&hook, &options)
            guard attached == 0 else { throw Datapath.Failure(description: "attach: \(attached)") }
            return try Self.listen(at: World.uplink + 1)
        }
    }

    /// Listens to what comes in by an interface of the world.
    init(_ world: World, at ifindex: UInt32) throws {
        descriptor = try world.namespace.run { try Self.listen(at: ifindex) }
    }

    private static func listen(at ifindex: UInt32) throws -> Int32 {
        let descriptor = socket(AF_PACKET, Int32(SOCK_RAW.rawValue), Int32(everything.bigEndian))
        guard descriptor >= 0 else { throw Datapath.Failure(description: "socket: \(errno)") }
        var address = sockaddr_ll()
        address.sll_family = UInt16(AF_PACKET)
        address.sll_protocol = everything.bigEndian
        address.sll_ifindex = Int32(ifindex)
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_ll>.size))
            }
        }
        guard bound == 0 else { throw Datapath.Failure(description: "bind: \(errno)") }
        return descriptor
    }

    deinit { close(descriptor) }

    /// The next frame to Geneve's port; nil if none comes within `milliseconds`.
    func next(milliseconds: Int32 = 2000) -> [UInt8]? {
        while let frame = nextFrame(milliseconds: milliseconds) {
            if frame.count >= 42 && frame[12..<14] == [8, 0] && frame[23] == 17 && frame[36..<38] == [0x17, 0xc1] { return frame }
        }
        return nil
    }

    /// The next frame of any kind; nil if none comes within `milliseconds`.
    func nextFrame(milliseconds: Int32 = 2000) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        var watched = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&watched, 1, milliseconds) > 0 else { return nil }
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count > 0 ? Array(buffer[..<count]) : nil
    }
}
