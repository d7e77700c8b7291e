import Glibc
import TestSupport
import Testing

@testable import Applier

/// The socket by which the kernel joins Geneve.
@Suite(.enabled(if: NetworkNamespace.isAvailable)) struct ReceiveOffloadTests {
    @Test("one device at the port that is asked for, whatever was left, and none afterwards")
    func listens() async throws {
        try await NetworkNamespace.run { host in
            func port() throws -> UInt16? { try ReceiveOffload().port() }
            #expect(try port() == nil)
            for _ in 0..<2 {
                try ReceiveOffload().listen(at: 6081)
                #expect(try port() == 6081)
            }
            // Ours is nobody who has taken the port.
            #expect(try HostCheck.portTaken(6081) == nil)
            // As a killed call leaves it.
            try host.command("ip", "link", "set", "mizar-gro", "down")
            #expect(try port() == nil)
            try ReceiveOffload().listen(at: 6081)
            #expect(try port() == 6081)
            try ReceiveOffload().listen(at: 7000)
            #expect(try port() == 7000)
            #expect(try HostCheck.portTaken(6081) == nil, "the old one is free")
            #expect(try !host.command("ip", "address", "show", "mizar-gro").contains("inet"))
            let removed = try Detach.run(directory: host.bpffs)
            #expect(removed == ["device mizar-gro"])
            #expect(try ReceiveOffload().found() == nil)
        }
    }

    @Test("a device of somebody else's with its name stays")
    func taken() async throws {
        try await NetworkNamespace.run { host in
            try host.command("ip", "link", "add", "mizar-gro", "type", "vxlan", "id", "7", "local", "127.0.0.1", "dstport", "7001")
            #expect(throws: BPFError.self) { try ReceiveOffload().listen(at: 6081) }
            #expect(try Detach.run(directory: host.bpffs) == [])
            #expect(try host.command("ip", "-d", "link", "show", "mizar-gro").contains("vxlan id 7"))
        }
    }

    @Test("whatever comes to its port without our programs ends there", arguments: [0, 7, 0xff_ffff])
    func takesNothingIn(vni: UInt32) async throws {
        try await NetworkNamespace.run { host in
            try host.command("ip", "link", "set", "lo", "up")
            try ReceiveOffload().listen(at: 6081)
            let sender = Descriptor(owning: socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0))
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = UInt16(6081).bigEndian
            address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            let identifier = [UInt8(vni >> 16 & 255), UInt8(vni >> 8 & 255), UInt8(vni & 255), 0]
            let frame: [UInt8] = Array(repeating: 0xff, count: 6) + [2, 0, 0, 0, 0, 1, 0x08, 0x06] + Array(repeating: 0, count: 46)
            // VXLAN's first word with a VNI, and Geneve's with Ethernet.
            for head: [UInt8] in [[8, 0, 0, 0], [0, 0, 0x65, 0x58]] {
                let packet = head + identifier + frame
                let sent = withUnsafePointer(to: &address) {
                    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        sendto(sender.raw, packet, packet.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                    }
                }
                #expect(sent == packet.count)
            }
            // lo delivers within the call.
            let counters = try host.command("ip", "-s", "-o", "link", "show", "mizar-gro")
            let received = counters.split(separator: "RX:").last?.split { $0 == "\\" || $0 == " " }.dropFirst(6).first
            #expect(received == "0", "\(counters)")
        }
    }
}
