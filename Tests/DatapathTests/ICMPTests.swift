import CBPF
import TestSupport
import Testing
import Topology

private let a1 = address("10.0.1.10")
private let a1v6 = address("fd00:1::10")
private let gateway4 = address("10.0.1.1")
private let gateway6 = address("fd00:1::1")
/// What fits by every way.
private let usable = World.mtu - 62

private func frame4(
    _ to: String, protocol number: UInt8 = 17, _ body: [UInt8] = Packet.udp(from: 1000, to: 2000, Array(0..<24)),
    source: MACAddress = World.a1, destination: MACAddress = World.gateway, _ change: (inout Packet.IPv4Fields) -> Void = { _ in }
) -> [UInt8] {
    Packet.frame(
        to: destination, from: source, type: Packet.ipv4,
        Packet.ipv4(from: a1, to: address(to), protocol: number, body, .init(change)))
}

private func frame6(
    _ to: String, next: UInt8 = 17, _ body: [UInt8] = Packet.udp(from: 1000, to: 2000, Array(0..<24)), hops: UInt8 = 64,
    destination: MACAddress = World.gateway
) -> [UInt8] {
    Packet.frame(
        to: destination, from: World.a1, type: Packet.ipv6,
        Packet.ipv6(from: a1v6, to: address(to), next: next, body, hops: hops))
}

private func bytes(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) } }

private func told(
    _ what: String, _ packet: [UInt8], _ reason: mzr_drop_reason, _ type: UInt8, _ code: UInt8, rest: Int = 0,
    from speaker: IPAddress? = nil, port: UInt32 = 11, gso: UInt32 = 0
) -> Fixture {
    let gateway = packet[12] == 8 ? gateway4 : gateway6
    return Fixture(
        what, .port, packet, port: port, gso: gso,
        .told(reason, Reference.error(type, code, rest: rest, from: speaker ?? gateway, about: packet)))
}

private func silent(_ what: String, _ packet: [UInt8], _ reason: mzr_drop_reason = MZR_DROP_NO_ENDPOINT) -> Fixture {
    Fixture(what, .port, packet, port: 11, .drop(reason))
}

private let big = Packet.udp(from: 1, to: 2, bytes(usable - 27))
private let bigTCP = Packet.tcp(from: 1, to: 2, bytes(3000))

/// With DF.
private func whole(
    _ to: String, protocol number: UInt8 = 17, _ body: [UInt8], _ change: (inout Packet.IPv4Fields) -> Void = { _ in }
) -> [UInt8] {
    frame4(to, protocol: number, body) {
        change(&$0)
        $0.dontFragment = true
    }
}

private let tooBig: [Fixture] = [
    told("one byte too many", whole("10.0.1.20", big), MZR_DROP_TOO_BIG, 3, 4, rest: usable),
    told("by way of a bouncer", whole("10.0.1.99", big), MZR_DROP_TOO_BIG, 3, 4, rest: usable),
    told("to another network, its hops as they were", whole("10.0.2.20", big), MZR_DROP_TOO_BIG, 3, 4, rest: usable),
    told(
        "with IP options", whole("10.0.1.20", big) { $0.options = [1, 1, 1, 0] }, MZR_DROP_TOO_BIG, 3, 4, rest: usable),
    told("a first fragment", whole("10.0.1.20", big) { $0.moreFragments = true }, MZR_DROP_TOO_BIG, 3, 4, rest: usable),
    told("IPv6", frame6("fd00:1::20", big), MZR_DROP_TOO_BIG, 2, 0, rest: usable),
    told("GSO, TCP", whole("10.0.1.20", protocol: 6, bigTCP), MZR_DROP_TOO_BIG, 3, 4, rest: usable, gso: UInt32(usable - 39)),
    told("GSO, TCP in IPv6", frame6("fd00:1::20", next: 6, bigTCP), MZR_DROP_TOO_BIG, 2, 0, rest: usable, gso: UInt32(usable - 59)),
    silent("a later fragment", whole("10.0.1.20", bytes(usable)) { $0.fragmentOffset = 10 }, MZR_DROP_TOO_BIG),
]

private func send(_ what: String, _ packet: [UInt8], _ result: [UInt8], to host: IPAddress? = nil) -> Fixture {
    let sent =
        host.map { host in
            let (from, to) = packet[12] == 8 ? (a1, address("10.0.3.20")) : (a1v6, address("fd00:3::20"))
            return Reference.outer(to: host, stage: 3, flow: Reference.flow(17, from: from, to: to, ports: (1000, 2000)), result)
        } ?? World.a2.bytes + World.gateway.bytes + result.dropFirst(12)
    return Fixture(
        what, .port, packet, port: 11,
        .send(sent, mark: host == nil ? 0 : Datapath.mark, sent: 11, received: host == nil ? 12 : nil))
}

private let hops: [Fixture] =
    [0, 1].flatMap { left in
        [
            told("\(left) hops, to a bouncer", frame4("10.0.2.20") { $0.ttl = left }, MZR_DROP_TIME_EXCEEDED, 11, 0),
            told("\(left) hops, to a divider", frame4("10.9.9.9") { $0.ttl = left }, MZR_DROP_TIME_EXCEEDED, 11, 0),
            told("\(left) hops, to a port here", frame4("10.0.3.10") { $0.ttl = left }, MZR_DROP_TIME_EXCEEDED, 11, 0),
            told("\(left) hops, IPv6", frame6("fd00:3::20", hops: left), MZR_DROP_TIME_EXCEEDED, 3, 0),
        ]
    } + [
        told(
            "too big as well", frame4("10.0.2.20", big) { $0.ttl = 1 }, MZR_DROP_TIME_EXCEEDED, 11, 0),
        send("2 hops", frame4("10.0.3.10") { $0.ttl = 2 }, frame4("10.0.3.10") { $0.ttl = 1 }),
        send("255 hops", frame4("10.0.3.10") { $0.ttl = 255 }, frame4("10.0.3.10") { $0.ttl = 254 }),
        send("2 hops, IPv6", frame6("fd00:3::10", hops: 2), frame6("fd00:3::10", hops: 1)),
        send("to another host", frame4("10.0.3.20") { $0.ttl = 2 }, frame4("10.0.3.20") { $0.ttl = 1 }, to: World.h2),
        send("to another host, IPv6", frame6("fd00:3::20", hops: 2), frame6("fd00:3::20", hops: 1), to: World.h2),
        send("in its network hops are no matter", frame4("10.0.1.11") { $0.ttl = 1 }, frame4("10.0.1.11") { $0.ttl = 1 }),
    ]

private func icmp4(_ type: UInt8) -> [UInt8] { frame4("10.0.3.5", protocol: 1, Packet.echo(type: type)) }

private func icmp6(_ type: UInt8) -> [UInt8] {
    frame6("fd00:1::40", next: 58, Packet.icmp6(from: a1v6, to: address("fd00:1::40"), [type, 0, 0, 0, 0, 7, 0, 1]))
}

private let unreachable: [Fixture] =
    [
        told("nobody, by a table held here", frame4("10.0.3.5"), MZR_DROP_NO_ENDPOINT, 3, 1),
        told("nobody, with one hop left", frame4("10.0.3.5") { $0.ttl = 1 }, MZR_DROP_NO_ENDPOINT, 3, 1),
        told("a host that is down", frame4("10.0.1.40"), MZR_DROP_HOST_DOWN, 3, 1),
        told("a host that is down, IPv6", frame6("fd00:1::40"), MZR_DROP_HOST_DOWN, 1, 3),
        told("the gateway of another network", frame4("10.0.2.1", protocol: 1, Packet.echo()), MZR_DROP_NO_ENDPOINT, 3, 1),
        told(
            "no network, by a table held here; no gateway either", frame4("10.9.9.9", source: World.c1), MZR_DROP_NO_ENDPOINT, 3, 1,
            from: address("10.9.9.9"), port: 15),
        told("a small packet", frame4("10.0.3.5", protocol: 99, []), MZR_DROP_NO_ENDPOINT, 3, 1),
        told("padding is not quoted", frame4("10.0.3.5", protocol: 99, []) + [0, 0, 0, 0, 0, 0, 0], MZR_DROP_NO_ENDPOINT, 3, 1),
        told("a packet larger than its quotation", frame4("10.0.3.5", Packet.udp(from: 1, to: 2, bytes(1400))), MZR_DROP_NO_ENDPOINT, 3, 1),
        told("the same, IPv6", frame6("fd00:1::40", Packet.udp(from: 1, to: 2, bytes(1400))), MZR_DROP_HOST_DOWN, 1, 3),
        told("an odd number of bytes", frame4("10.0.3.5", Packet.udp(from: 1, to: 2, bytes(101))), MZR_DROP_NO_ENDPOINT, 3, 1),
        told("GSO", frame4("10.0.3.5", protocol: 6, bigTCP), MZR_DROP_NO_ENDPOINT, 3, 1, gso: 1000),
        told("behind extension headers", frame6("fd00:1::40", next: 60, [17, 0, 1, 4, 0, 0, 0, 0] + big), MZR_DROP_HOST_DOWN, 1, 3),
        silent("to all by its frame", frame4("10.0.3.5", destination: MACAddress(bits: 0xffff_ffff_ffff))),
        silent("to a group by its frame", frame4("10.0.3.5", destination: mac("01:00:5e:00:00:01"))),
        silent("a later fragment", frame4("10.0.3.5") { $0.fragmentOffset = 1 }),
        silent("ICMP without a type", frame4("10.0.3.5", protocol: 1, [])),
    ]
    + [8, 0, 13, 17].map { told("ICMP type \($0)", icmp4($0), MZR_DROP_NO_ENDPOINT, 3, 1) }
    + [3, 4, 5, 11, 12, 19, 40, 255].map { silent("ICMP type \($0)", icmp4($0)) }
    + [128, 129, 144].map { told("ICMPv6 type \($0)", icmp6($0), MZR_DROP_HOST_DOWN, 1, 3) }
    + [1, 2, 3, 4, 127].map { silent("ICMPv6 type \($0)", icmp6($0), MZR_DROP_HOST_DOWN) }

extension DatapathTests {
    @Test(arguments: tooBig + hops + unreachable)
    func icmp(_ fixture: Fixture) throws { try fixture.check() }

    @Test("a port's errors have a burst and a rate")
    func errorsAreLimited() throws {
        let world = try World.shared.get()
        try world.reset()
        let interval: UInt64 = 15_625_000
        func answered(_ packet: [UInt8] = frame4("10.0.3.5"), port: UInt32 = 11) throws -> Bool {
            let outcome = try world.namespace.run { try world.datapath.run(.port, packet, .init(ifindex: port, ingress: port)) }
            return outcome.verdict == Fixture.redirect
        }
        func full(_ value: UInt64) throws { try world.datapath.put("errors", World.raw(UInt32(11)), World.raw(value)) }
        for _ in 0..<16 { #expect(try answered()) }
        // An error that is not sent is a drop that is counted.
        try full(Reference.time() + 3600 * interval)
        #expect(try !answered())
        #expect(world.drops()[MZR_DROP_NO_ENDPOINT.rawValue]?.first == 17)
        // What is due to be full in 15 intervals has room for one more, and then waits for the next.
        let due = Reference.time() + 15 * interval
        try full(due)
        #expect(try answered())
        let row = try #require(world.datapath.get("errors", World.raw(UInt32(11)), size: 8))
        #expect(row.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) } >= due + interval)
        // Another port has its own.
        try full(Reference.time() + 3600 * interval)
        #expect(try answered(frame4("10.9.9.9", source: World.c1), port: 15))
    }

    @Test("without its program a drop stays a drop")
    func withoutTheProgram() throws {
        let world = try World.shared.get()
        world.datapath.remove("tails", World.raw(MZR_TAIL_ICMP.rawValue))
        defer { try? world.datapath.fillSlots() }
        try silent("", frame4("10.0.3.5")).check()
    }
}
