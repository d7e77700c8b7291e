import TestSupport
import Testing
import Topology

/// What an endpoint says of work that it leaves to others (checksums that it owes, frames to be cut up) is judged like
/// the bytes themselves: a packet socket of a container, or a VM, chooses both.
@Suite(.needsRoot) struct HostileOffloadTests {
    private static let a = "acme/prod/web/a", b = "acme/prod/web/b"
    private static let gateway = parse(DatapathFactTests.gatewayMAC), macOfA = parse(DatapathFactTests.macOfA)
    private static let from = IPAddress(v4: 0x0a00_010a), to = IPAddress(v4: 0x0a00_010b)
    /// The port that the lab's listeners have.
    private static let port = 7002
    private static let ip = 14, upper = 34

    private static func parse(_ text: String) -> MACAddress {
        MACAddress(text) ?? MACAddress(bits: 0)
    }

    private static func frame(_ number: UInt8, _ payload: [UInt8], _ change: (inout Packet.IPv4Fields) -> Void = { _ in }) -> [UInt8] {
        Packet.frame(
            to: gateway, from: macOfA, type: Packet.ipv4, Packet.ipv4(from: from, to: to, protocol: number, payload, .init(change)))
    }

    /// Its checksum field holds the pseudo-header's sum, as where the rest is owed.
    private static func datagram(_ size: Int = 64) -> [UInt8] {
        frame(17, udp(from, to, size))
    }

    private static func udp(_ from: IPAddress, _ to: IPAddress, _ size: Int) -> [UInt8] {
        let bytes = from.isIPv4 ? 4 : 16
        let pseudo = from.bytes.suffix(bytes) + to.bytes.suffix(bytes) + Packet.be16(17) + Packet.be16(8 + size)
        return Packet.udp(
            from: 40000, to: port, [UInt8](repeating: 7, count: size), checksum: ~Packet.checksum(Array(pseudo)) & 0xffff)
    }

    /// Uplinks that compute what is owed, as cards do; a veth that hands it on hides what it does.
    private static func with(_ datapath: String, _ body: (LabFixture) async throws -> Void) async throws {
        let fleet = DatapathFactTests.fleet(datapath)
        try await LabFixture.with(fleet) { lab in
            for host in fleet.hosts {
                let outcome = try await lab.on(host.name, "ethtool", "-K", "eth0", "tx", "off")
                #expect(outcome.succeeded, "\(outcome.error)")
            }
            #expect(try await lab.pings(a, "10.0.1.11"))
            try await body(lab)
        }
    }

    private struct Sender {
        var lab: LabFixture

        /// Sends frames out of a; gives where what came of them says that it is from, and how many were neither
        /// `malformed` nor refused by a's own kernel.
        func send(_ frames: [LabFixture.Frame], expect: Int = 0) async throws -> (from: [String], passed: Int, sent: Int) {
            let before = try await lab.drops("h1")["malformed", default: 0]
            let (received, refused) = try await lab.attempt(
                frames, from: lab.namespace(endpoint: a), to: [b, "acme/prod/web/c"], expect: max(1, expect),
                wait: expect > 0 ? 4 : 0.3)
            let after = try await lab.drops("h1")["malformed", default: 0]
            let sent = frames.reduce(0) { $0 + ($1.count ?? 1) } - refused
            return (received.map(\.from), sent - (after - before), sent)
        }
    }

    @Test("a checksum is owed where the packet's own header has it, or nowhere", arguments: datapaths)
    func places(datapath: String) async throws {
        try await Self.with(datapath) { lab in
            let sender = Sender(lab: lab)
            var owed = LabFixture.Frame(Self.datagram(), .init(csumStart: Self.upper, csumOffset: 6))
            owed.count = 3
            let honest = try await sender.send([owed], expect: 3)
            #expect(honest.from == ["10.0.1.10", "10.0.1.10", "10.0.1.10"])
            #expect(honest.passed == honest.sent)

            // Every pair of bytes of the headers that were judged, from wherever the sum may begin.
            var places: [(start: Int, offset: Int)] = stride(from: Self.ip, to: Self.upper, by: 2).map { ($0, 0) }
            places += stride(from: 2, to: Self.upper - Self.ip + 8, by: 2).map { (Self.ip, $0) }
            places += [(Self.upper, 0), (Self.upper, 2), (Self.upper, 4), (Self.upper, 8), (Self.upper + 8, 6), (Self.upper + 2, 4)]
            let lies = places.map { LabFixture.Frame(Self.datagram(), .init(csumStart: $0.start, csumOffset: $0.offset)) }
            let lying = try await sender.send(lies)
            #expect(lying.from == [])
            #expect(lying.passed == 0)
            #expect(lying.sent > 10)

            // Of a protocol that owes none, in fragments, behind the packet's end, and in what is no IP.
            let echo = Self.frame(1, Packet.echo())
            let strange: [LabFixture.Frame] = [
                .init(Self.frame(197, [UInt8](repeating: 0, count: 64)), .init(csumStart: 20, csumOffset: 0)),
                .init(echo, .init(csumStart: Self.upper, csumOffset: 2)),
                .init(
                    Self.frame(17, Packet.udp(from: 40000, to: Self.port, [UInt8](repeating: 7, count: 64))) { $0.moreFragments = true },
                    .init(csumStart: Self.upper, csumOffset: 6)),
                .init(
                    Self.frame(6, Packet.be16(40000) + Packet.be16(Self.port)) + [UInt8](repeating: 0, count: 40),
                    .init(csumStart: Self.upper, csumOffset: 16)),
            ]
            let refused = try await sender.send(strange)
            #expect(refused.from == [])
            #expect(refused.passed == 0)
            #expect(refused.sent == strange.count)
        }
    }

    @Test("a frame stands for no more packets than can be cut up in passing, and is what its type says", arguments: datapaths)
    func segments(datapath: String) async throws {
        try await Self.with(datapath) { lab in
            let sender = Sender(lab: lab)
            func frame(_ bytes: [UInt8], type: Int, size: Int, checksum: Int, header: Int) -> LabFixture.Frame {
                .init(
                    bytes,
                    .init(csumStart: Self.upper, csumOffset: checksum, gsoType: type, gsoSize: size, header: Self.upper + header))
            }
            let honest = try await sender.send(
                [frame(Self.datagram(12_800), type: 5, size: 100, checksum: 6, header: 8)], expect: 128)
            #expect(honest.from == [String](repeating: "10.0.1.10", count: 128))
            #expect(honest.passed == honest.sent)

            let stream = Self.frame(6, Packet.tcp(from: 40000, to: Self.port, [UInt8](repeating: 7, count: 51_200)))
            let lies =
                [1, 16, 99].map { frame(stream, type: 1, size: $0, checksum: 16, header: 20) } + [
                    // The kernel cuts to the frame's end.
                    frame(
                        Self.frame(6, Packet.tcp(from: 40000, to: Self.port, [UInt8](repeating: 7, count: 51_200))) { $0.totalLength = 41 },
                        type: 1, size: 1, checksum: 16, header: 20),
                    // A kernel that looks at these itself sends none of them.
                    frame(Self.datagram(12_801), type: 5, size: 100, checksum: 6, header: 8),
                    frame(stream, type: 5, size: 1000, checksum: 16, header: 20),
                    frame(Self.datagram(12_800), type: 1, size: 1000, checksum: 6, header: 8),
                ]
            let lying = try await sender.send(lies)
            #expect(lying.from == [])
            #expect(lying.passed == 0)
            #expect(lying.sent >= 4)
        }
    }

    /// The control packets of a host are made of copies of its endpoints' packets.
    @Test("no endpoint's packets decide what is known of other hosts", arguments: datapaths)
    func health(datapath: String) async throws {
        try await Self.with(datapath) { lab in
            // Behind an extension header, a checksum is owed further in than a control packet is long.
            let options = [17, 49, 0x1e, 255] + [UInt8](repeating: 0, count: 255) + [0x1e, 139] + [UInt8](repeating: 0, count: 139)
            let (from, to) = (try #require(IPAddress("fd00:1:0:1::10")), try #require(IPAddress("fd00:1:0:1::11")))
            let bytes = Packet.frame(
                to: Self.gateway, from: Self.macOfA, type: Packet.ipv6,
                Packet.ipv6(from: from, to: to, next: 60, options + Self.udp(from, to, 64)))
            var frame = LabFixture.Frame(bytes, .init(csumStart: 14 + 40 + options.count, csumOffset: 6))
            (frame.count, frame.pace) = (60, 0.05)
            let received = try await lab.send([frame], from: lab.namespace(endpoint: Self.a), to: [Self.b], expect: 60, wait: 4)
            #expect(received.count == 60)
            let peers = try await lab.status("h1").hosts
            #expect(peers.first { $0.address == "172.16.0.2" }?.state == "answers", "\(peers)")
            #expect(!peers.contains { $0.state == "silent" }, "\(peers)")
        }
    }
}
