import CBPF
import Glibc
import Planner
import Synchronization
import TestSupport
import Testing

@testable import Applier

@Suite(.enabled(if: NetworkNamespace.isAvailable))
struct TrafficTests {
    /// Keeps the kernel from sending anything by the first port of its own accord, which would be counted too.
    private static func quiet(_ host: NetworkNamespace) throws {
        for name in ["port0", "port0p"] {
            try host.command("ip", "link", "set", name, "down")
            try host.command("ip", "link", "set", name, "addrgenmode", "none")
            try host.command("ip", "link", "set", name, "up")
        }
    }

    @Test("while maps grow and programs are replaced, every frame meets exactly one program")
    func replacement() async throws {
        try await NetworkNamespace.run { host in
            let places = try host.makePorts()
            try Self.quiet(host)
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            try store.succeed(Samples.base() + [Samples.attach(places[0])])
            let before = try store.status().drops.reduce(0) { $0 + $1.packets }

            let frames = try FrameSender(interface: "port0p")
            let traffic = Beside { frames.send() }
            defer { traffic.stop() }
            var capacity = 64
            for _ in 0..<3 {
                try host.eventually("frames are sent") { frames.sent > 20 }
                try store.succeed([
                    Samples.capacity(.ports, from: capacity, to: 2 * capacity),
                    Samples.capacity(.portMACs, from: capacity, to: 2 * capacity), Samples.programs,
                ])
                capacity *= 2
            }
            traffic.stop()
            // No endpoint has the port, so whoever gets a frame drops it and counts it.
            try host.eventually("\(frames.sent) frames are counted") {
                try store.status().drops.reduce(0) { $0 + $1.packets } - before == UInt64(frames.sent)
            }
            #expect(try !store.status().drops.contains { $0.word == "no-program" })
        }
    }

    @Test("while ours goes before somebody else's program, every frame meets it", .enabled(if: Hook.ofKernel == .tcx))
    func order() async throws {
        try await NetworkNamespace.run { host in
            let places = try host.makePorts()
            try Self.quiet(host)
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            try store.succeed(Samples.base() + [Samples.attach(places[0])])
            let before = try store.status().drops.reduce(0) { $0 + $1.packets }
            let frames = try FrameSender(interface: "port0p")
            let traffic = Beside { frames.send() }
            defer { traffic.stop() }
            for _ in 0..<5 {
                let (here, count) = (places[0].ifindex, frames.sent)
                try host.eventually("frames are sent") { frames.sent > count + 20 }
                // It leaves each packet to the next.
                let foreign = try ForeignProgram(BPF_PROG_TYPE_SCHED_CLS, "neighbour", verdict: -1)
                try foreign.attachTCX(here)
                try store.succeed([Samples.attach(places[0])])
                #expect(try TCX.programs(here, .ingress).last == foreign.id)
                #expect(try store.observe().attachments == [places[0]])
                try TCX.detach(foreign.id, here, .ingress, "port0")
            }
            traffic.stop()
            try host.eventually("\(frames.sent) frames are counted") {
                try store.status().drops.reduce(0) { $0 + $1.packets } - before == UInt64(frames.sent)
            }
        }
    }
}

/// Sends frames of an Ethernet type for experiments, each after the one before was taken.
private final class FrameSender: Sendable {
    private let descriptor: Int32
    private let count = Atomic<Int>(0)
    private static let frame: [UInt8] =
        [0x0a, 0x58, 0xa9, 0xfe, 0, 1, 0x02, 0, 0, 0, 0, 1, 0x88, 0xb5] + [UInt8](repeating: 0, count: 50)

    var sent: Int { count.load(ordering: .relaxed) }

    init(interface: String) throws {
        descriptor = socket(AF_PACKET, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_ll()
        address.sll_family = UInt16(AF_PACKET)
        address.sll_ifindex = Int32(if_nametoindex(interface))
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_ll>.size))
            }
        }
        guard bound == 0 else { throw NetworkNamespaceError(what: "bind", number: errno) }
    }

    deinit { close(descriptor) }

    func send() {
        if Glibc.send(descriptor, Self.frame, Self.frame.count, 0) > 0 { count.wrappingAdd(1, ordering: .relaxed) }
        // Slower than the receiver, whose queue is 1000 frames.
        usleep(100)
    }
}
