import CBPF
import TestSupport
import Testing
import Topology

/// What must hold for any bytes at all. The generator is seeded: a failure comes again.
private struct Generator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }
}

private let body: [UInt8] = Array(0..<24)

private func frame4(_ to: String, from: String, source: MACAddress, options: [UInt8] = []) -> [UInt8] {
    Packet.frame(
        to: World.gateway, from: source, type: Packet.ipv4,
        Packet.ipv4(
            from: address(from), to: address(to), protocol: 17, Packet.udp(from: 1000, to: 2000, body),
            .init { $0.options = options }))
}

private func frame6(_ to: String, extensions: [UInt8] = []) -> [UInt8] {
    Packet.frame(
        to: World.gateway, from: World.a1, type: Packet.ipv6,
        Packet.ipv6(
            from: address("fd00:1::10"), to: address(to), next: extensions.isEmpty ? 17 : 0,
            extensions + Packet.udp(from: 1000, to: 2000, body)))
}

private let extensions: [UInt8] = [60, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0]

/// From endpoints, by port.
private let sent: [[UInt8]] = [
    frame4("10.0.1.11", from: "10.0.1.10", source: World.a1), frame4("10.0.1.20", from: "10.0.1.10", source: World.a1),
    frame4("10.0.1.99", from: "10.0.1.10", source: World.a1, options: [1, 1, 1, 0]), frame6("fd00:1::11"),
    frame6("fd00:1::20", extensions: extensions),
    Packet.frame(
        to: World.gateway, from: World.a1, type: Packet.arp,
        Packet.arp(senderMAC: World.a1, sender: address("10.0.1.10"), target: address("10.0.1.1"))),
    Packet.frame(
        to: World.gateway, from: World.a1, type: Packet.ipv6,
        Packet.ipv6(
            from: address("fd00:1::10"), to: address("fd00:1::1"), next: 58,
            Packet.neighbor(from: address("fd00:1::10"), to: address("fd00:1::1"), target: address("fd00:1::1"), option: (1, World.a1)),
            hops: 255)),
    Packet.frame(
        to: World.gateway, from: World.a1, type: Packet.ipv4,
        Packet.ipv4(from: address("10.0.1.10"), to: address("10.0.1.1"), protocol: 1, Packet.echo())),
]

/// From the underlay.
private let received: [[UInt8]] = [
    Reference.outer(from: World.h2, to: World.h1, frame4("10.0.1.11", from: "10.0.1.20", source: World.c1)),
    Reference.outer(from: World.h2, to: World.h1, stage: 2, frame4("10.0.1.11", from: "10.0.1.20", source: World.c1)),
    Reference.outer(from: World.h2, to: World.h1, stage: 1, frame4("10.0.1.99", from: "10.0.1.20", source: World.c1)),
    Reference.outer(from: World.h2, to: World.h1, frame6("fd00:1::11", extensions: extensions)),
    Reference.outer(from: World.h2, to: World.h1, vni: 200, frame4("10.0.1.10", from: "10.0.1.20", source: World.c1)),
]

private func context(_ program: Datapath.Program, port: UInt32) -> Datapath.Context {
    let index = program == .port ? port : World.uplink
    return .init(ifindex: index, ingress: index)
}

/// The port that a frame was delivered to, by its MAC: ports of VNIs 300 and up share one, which is none's here.
private func vni(deliveredTo outcome: Datapath.Outcome) -> UInt32? {
    let to = MACAddress(bytes: outcome.packet.prefix(6))
    let from = MACAddress(bytes: outcome.packet.dropFirst(6).prefix(6))
    guard outcome.verdict == Fixture.redirect, outcome.mark == 0, from == World.gateway else { return nil }
    return World.ports.values.first { $0.mac == to }?.vni
}

extension DatapathTests {
    /// Cut off at any byte, a packet is never delivered or sent on, and it is dropped for one reason, once; or it is
    /// so short that it is nobody's of ours.
    @Test(arguments: [Datapath.Program.port, .uplink, .xdp])
    func truncated(_ program: Datapath.Program) throws {
        let world = try World.shared.get()
        try world.reset()
        try world.namespace.run {
            for packet in program == .port ? sent : received {
                for length in (program == .xdp ? 14 : 34)..<packet.count {
                    let cut = Array(packet.prefix(length))
                    try world.reset()
                    guard let outcome = try? world.datapath.run(program, cut, context(program, port: 11)) else { continue }
                    let drops = world.drops().values.map { $0 }
                    if program == .port {
                        #expect(outcome.verdict == Fixture.shot, "\(length) bytes")
                        #expect(drops == [[1, UInt64(length)]], "\(length) bytes")
                    } else {
                        let pass = program == .xdp ? Fixture.xdpPass : Fixture.unspecified
                        let drop = program == .xdp ? Fixture.xdpDrop : Fixture.shot
                        #expect(outcome.verdict == (length < 42 ? pass : drop), "\(length) bytes")
                        #expect(drops == (length < 42 ? [] : [[1, UInt64(length)]]), "\(length) bytes")
                    }
                }
            }
        }
    }

    /// Whatever an endpoint sends reaches its own VPC or nobody, leaves with its VNI, and always ends at the port.
    @Test func mutatedFramesStayInTheirVPC() throws {
        let world = try World.shared.get()
        try world.reset()
        var generator = Generator(state: 1)
        var sentOn = 0
        var delivered = 0
        try world.namespace.run {
            for _ in 0..<20_000 {
                let packet = mutate(sent.randomElement(using: &generator) ?? [], &generator)
                let outcome = try? world.datapath.run(.port, packet, context(.port, port: 11))
                guard let outcome else { continue }
                #expect(outcome.verdict == Fixture.shot || outcome.verdict == Fixture.redirect)
                guard outcome.verdict == Fixture.redirect else { continue }
                if outcome.mark == Datapath.mark {
                    sentOn += 1
                    #expect(Array(outcome.packet[46..<49]) == [0, 0, 100])
                    #expect(Array(outcome.packet[26..<30]) == [172, 16, 0, 1])
                } else if outcome.packet.prefix(6) != packet[6..<12] {
                    delivered += 1
                    #expect(vni(deliveredTo: outcome) == 100, "\(packet)")
                }
            }
        }
        // The test would be empty if mutation left nothing to forward.
        #expect(sentOn > 100 && delivered > 100)
    }

    /// Whatever comes in by the underlay reaches a port of the VNI that it says, or none.
    @Test(arguments: [Datapath.Program.uplink, .xdp])
    func mutatedTunnelPacketsStayInTheirVPC(_ program: Datapath.Program) throws {
        let world = try World.shared.get()
        try world.reset()
        var generator = Generator(state: 2)
        var accepted = 0
        try world.namespace.run {
            for _ in 0..<20_000 {
                var packet = mutate(received.randomElement(using: &generator) ?? [], &generator)
                // So that more than the checksum is tried.
                if packet.count >= 34, packet[14] == 0x45 {
                    packet.replaceSubrange(24..<26, with: [0, 0])
                    packet.replaceSubrange(24..<26, with: Packet.be16(Packet.checksum(Array(packet[14..<34]))))
                }
                guard let outcome = try? world.datapath.run(program, packet, context(program, port: 0)) else { continue }
                if program == .xdp {
                    #expect([Fixture.xdpPass, Fixture.xdpDrop, Fixture.xdpRedirect].contains(outcome.verdict))
                    if outcome.verdict == Fixture.xdpRedirect { accepted += 1 }
                    if outcome.verdict == Fixture.xdpPass { #expect(outcome.packet == packet) }
                } else if let vni = vni(deliveredTo: outcome) {
                    accepted += 1
                    let udp = 14 + Int(packet[14] & 0xf) * 4
                    #expect(Array(packet[udp + 12..<udp + 15]) == [0, UInt8(vni >> 8), UInt8(vni & 0xff)], "\(packet)")
                }
            }
        }
        #expect(accepted > 100)
    }
}

/// A few bytes changed, sometimes cut or grown.
private func mutate(_ packet: [UInt8], _ generator: inout Generator) -> [UInt8] {
    var packet = packet
    for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let place = Int.random(in: 0..<packet.count, using: &generator)
        let interesting: [UInt8] = [0, 1, 4, 5, 6, 17, 44, 58, 0x7f, 0x80, 0xff, packet[place] ^ 1, packet[place] &+ 1]
        packet[place] =
            Bool.random(using: &generator)
            ? UInt8.random(in: 0...255, using: &generator) : interesting.randomElement(using: &generator) ?? 0
    }
    switch Int.random(in: 0..<8, using: &generator) {
    case 0: packet = Array(packet.prefix(Int.random(in: 34...packet.count, using: &generator)))
    case 1: packet += (0..<Int.random(in: 1...40, using: &generator)).map { UInt8($0) }
    default: break
    }
    return packet
}
