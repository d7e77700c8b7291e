import CBPF
import TestSupport
import Testing
import Topology

@testable import Applier

private let sender = address("10.0.1.20")
private let here = address("10.0.1.11")
private let payload: [UInt8] = Array(0..<24)
private let mark = Datapath.mark

private func inner(
    to: String = "10.0.1.11", from: IPAddress = sender, tos: UInt8 = 0, source: Int = 1000,
    _ change: (inout Packet.IPv4Fields) -> Void = { _ in }
) -> [UInt8] {
    Packet.frame(
        to: World.gateway, from: mac("02:00:00:00:00:20"), type: Packet.ipv4,
        Packet.ipv4(
            from: from, to: address(to), protocol: 17, Packet.udp(from: source, to: 2000, payload),
            .init {
                $0.tos = tos
                change(&$0)
            }))
}

private func inner6(to: String = "fd00:1::11", tos: UInt8 = 0) -> [UInt8] {
    Packet.frame(
        to: World.gateway, from: mac("02:00:00:00:00:20"), type: Packet.ipv6,
        Packet.ipv6(from: address("fd00:1::20"), to: address(to), next: 17, Packet.udp(from: 1000, to: 2000, payload), tos: tos))
}

private func outer(
    _ inner: [UInt8] = inner(), from: IPAddress = World.h2, to: IPAddress = World.h1, vni: UInt32 = 100, stage: UInt8 = 0,
    tag: UInt32? = nil, tos: UInt8 = 0
) -> [UInt8] {
    Reference.outer(from: from, to: to, vni: vni, stage: stage, tag: tag, origin: World.h3, tos: tos, sourcePort: 50000, inner)
}

/// Any Geneve header before any bytes.
private func geneve(
    options: [UInt8] = [], version: UInt8 = 0, flags: UInt8? = nil, protocol number: Int = 0x6558, optionWords: Int? = nil,
    udpLength: Int? = nil, checksum: Int = 0, _ inner: [UInt8] = inner(), _ change: (inout Packet.IPv4Fields) -> Void = { _ in }
) -> [UInt8] {
    Packet.frame(
        to: mac("02:ac:10:00:00:01"), from: mac("02:ac:10:00:00:02"), type: Packet.ipv4,
        Packet.ipv4(
            from: World.h2, to: World.h1, protocol: 17,
            Packet.udp(
                from: 50000, to: 6081,
                Packet.geneve(
                    vni: 100, options: options, version: version, flags: flags, protocol: number, optionWords: optionWords, inner),
                length: udpLength, checksum: checksum),
            .init(change)))
}

private func delivered(_ frame: [UInt8], to: MACAddress = World.a2) -> [UInt8] {
    to.bytes + World.gateway.bytes + frame.dropFirst(12)
}

/// The UDP checksum that `geneve()` with these bytes must have.
private func rightChecksum(_ inner: [UInt8]) -> Int {
    let datagram = Packet.udp(from: 50000, to: 6081, Packet.geneve(vni: 100, inner))
    let pseudo = Array(World.h2.bytes.suffix(4)) + World.h1.bytes.suffix(4) + [0, 17] + Packet.be16(datagram.count)
    return Packet.checksum(pseudo + datagram)
}

private let stage3 = Packet.stage(3, origin: World.h3)

/// Both programs drop these alike.
private let garbage: [(String, [UInt8], mzr_drop_reason)] = [
    ("a host that is none of the topology", outer(from: address("172.16.0.9")), MZR_DROP_FOREIGN_HOST),
    ("this host's own address as source", outer(from: World.h1), MZR_DROP_FOREIGN_HOST),
    ("a first fragment", geneve { $0.moreFragments = true }, MZR_DROP_OUTER_FRAGMENT),
    (
        "a wrong IP checksum",
        {
            var p = outer(); p[24] ^= 1; return p
        }(), MZR_DROP_OUTER_CHECKSUM
    ),
    (
        "a wrong IP checksum with options",
        {
            var p = geneve { $0.options = [1, 1, 1, 0] }; p[24] ^= 1; return p
        }(), MZR_DROP_OUTER_CHECKSUM
    ),
    ("an IP length beyond the frame", geneve { $0.totalLength = 1000 }, MZR_DROP_MALFORMED),
    ("a UDP length beyond the packet", geneve(udpLength: 1000), MZR_DROP_MALFORMED),
    ("a UDP length too short for Geneve", geneve(udpLength: 15), MZR_DROP_MALFORMED),
    ("a UDP length that cuts the inner header", geneve(udpLength: 8 + 8 + 13), MZR_DROP_MALFORMED),
    ("a UDP length that cuts the inner packet", geneve(udpLength: 8 + 8 + 14 + 30), MZR_DROP_MALFORMED),
    ("Geneve version 1", geneve(version: 1), MZR_DROP_GENEVE_VERSION),
    ("options beyond the packet", geneve(optionWords: 63), MZR_DROP_MALFORMED),
    ("an option beyond the options", geneve(options: [0, 1, 2, 2, 0, 0, 0, 0]), MZR_DROP_GENEVE_OPTION),
    ("an unknown critical option", geneve(options: [0, 1, 0x82, 0]), MZR_DROP_GENEVE_OPTION),
    ("a critical option without the flag", geneve(options: stage3, flags: 0), MZR_DROP_GENEVE_OPTION),
    ("two stage options", geneve(options: stage3 + stage3), MZR_DROP_GENEVE_OPTION),
    ("a stage option of another length", geneve(options: [0xff, 0x6d, 0x81, 1, 3, 0, 0, 0]), MZR_DROP_GENEVE_OPTION),
    (
        "a stage option of another length, as long", geneve(options: [0xff, 0x6d, 0x81, 1, 3, 0, 0, 0, 0, 1, 2, 0]),
        MZR_DROP_GENEVE_OPTION
    ),
    ("stage 0", geneve(options: Packet.stage(0, origin: World.h3)), MZR_DROP_GENEVE_OPTION),
    ("stage 8", geneve(options: Packet.stage(8, origin: World.h3)), MZR_DROP_GENEVE_OPTION),
    ("a control packet without an option", geneve(flags: 0x80), MZR_DROP_GENEVE_CONTROL),
    ("a control packet with another option", geneve(options: stage3 + stage3, flags: 0xc0), MZR_DROP_GENEVE_CONTROL),
    ("IP without Ethernet inside", geneve(protocol: 0x0800), MZR_DROP_GENEVE_PROTOCOL),
    ("a VLAN inside", geneve(Packet.frame(to: World.a2, from: World.a1, type: 0x8100, payload)), MZR_DROP_VLAN),
    ("ARP inside", geneve(Packet.frame(to: World.a2, from: World.a1, type: Packet.arp, payload)), MZR_DROP_ETHERTYPE),
    ("a bad inner version", geneve(inner { $0.version = 5 }), MZR_DROP_MALFORMED),
    ("a bad inner length", geneve(inner { $0.totalLength = 500 }), MZR_DROP_MALFORMED),
    ("inner multicast", outer(inner(to: "224.0.0.1")), MZR_DROP_MULTICAST),
    ("inner IPv6 multicast", outer(inner6(to: "ff02::1")), MZR_DROP_MULTICAST),
    ("inner limited broadcast", outer(inner(to: "255.255.255.255")), MZR_DROP_BROADCAST),
    ("the network's broadcast address", outer(inner(to: "10.0.1.255")), MZR_DROP_BROADCAST),
    ("a gateway", outer(inner(to: "10.0.1.1"), stage: 3), MZR_DROP_NO_ENDPOINT),
    ("an interface that is awaited", outer(inner(to: "10.0.1.30")), MZR_DROP_PENDING),
    ("a host that is down", outer(inner(to: "10.0.1.40"), stage: 3), MZR_DROP_HOST_DOWN),
    ("of another VPC, as host", outer(stage: 3, tag: World.tag(101)), MZR_DROP_OTHER_VPC),
    ("of another VPC, as bouncer", outer(inner(to: "10.0.1.20"), stage: 2, tag: World.tag(101)), MZR_DROP_OTHER_VPC),
    ("of another VPC, as divider", outer(inner(to: "10.0.1.99"), stage: 1, tag: World.tag(101)), MZR_DROP_OTHER_VPC),
    ("of who knows not, in a VNI that is handed over", outer(vni: 600, stage: 3, tag: 0), MZR_DROP_OTHER_VPC),
    ("a row of a later version", outer(inner(to: "10.0.1.70"), stage: 3), MZR_DROP_ENDPOINT_KIND),
    ("a row that points back here", outer(inner(to: "10.0.1.50")), MZR_DROP_STAGE),
    ("a VNI that this host has no row for", outer(vni: 999, stage: 3), MZR_DROP_NO_VPC),
    ("as host, for nobody here", outer(inner(to: "10.0.1.99"), stage: 3), MZR_DROP_NOT_HERE),
    ("as bouncer of a table not held", outer(inner(to: "10.0.1.99"), stage: 2), MZR_DROP_NOT_HERE),
    ("as bouncer of a table held", outer(inner(to: "10.0.3.9"), stage: 2), MZR_DROP_NO_ENDPOINT),
    ("as divider of a table not held", outer(inner(to: "10.9.9.9"), stage: 1), MZR_DROP_NOT_HERE),
    ("as divider of a table held", outer(inner(to: "10.9.9.9"), vni: 400, stage: 1), MZR_DROP_NO_ENDPOINT),
    ("moved once too often", outer(inner(to: "10.0.1.20"), stage: 7), MZR_DROP_STAGE),
]

/// Both programs leave these to the stack, untouched.
private let others: [(String, [UInt8])] = [
    ("ARP", Packet.frame(to: World.a1, from: World.a2, type: Packet.arp, payload + payload)),
    ("IPv6", inner6()),
    (
        "TCP",
        Packet.frame(
            to: World.a1, from: World.a2, type: Packet.ipv4,
            Packet.ipv4(from: World.h2, to: World.h1, protocol: 6, Packet.tcp(from: 1, to: 6081)))
    ),
    (
        "another UDP port",
        Packet.frame(
            to: World.a1, from: World.a2, type: Packet.ipv4,
            Packet.ipv4(from: World.h2, to: World.h1, protocol: 17, Packet.udp(from: 6081, to: 6082, payload)))
    ),
    (
        "another UDP port behind IP options that look like the port",
        Packet.frame(
            to: World.a1, from: World.a2, type: Packet.ipv4,
            Packet.ipv4(
                from: World.h2, to: World.h1, protocol: 17, Packet.udp(from: 1, to: 53, payload), .init { $0.options = [1, 1, 0x17, 0xc1] })
        )
    ),
    ("another address", outer(to: address("172.16.0.77"))),
    ("a later fragment", geneve { $0.fragmentOffset = 4 }),
    ("half a UDP header", Array(geneve().prefix(14 + 20 + 6))),
    ("a VLAN tag", Packet.frame(to: World.a1, from: World.a2, type: 0x8100, [0, 1] + outer().dropFirst(12))),
]

private func onward(to: IPAddress, stage: UInt8, _ frame: [UInt8], tos: UInt8 = 0, origin: IPAddress = World.h3) -> [UInt8] {
    Reference.outer(to: to, stage: stage, origin: origin, tos: tos, sourcePort: 50000, frame)
}

private let dividing: [(String, [UInt8], [UInt8])] = (0..<4).map { index in
    let frame = inner(to: "10.0.1.99", source: 3000 + index)
    let flow = Reference.flow(17, from: sender, to: address("10.0.1.99"), ports: (3000 + index, 2000))
    return (
        "divider to bouncer, flow \(index)", outer(frame, stage: 1),
        onward(to: Reference.choose([World.h2, World.h3], flow: flow) ?? World.h1, stage: 2, frame)
    )
}

/// Sent on by new addresses and a new stage alone.
private let transit: [(String, [UInt8], [UInt8])] =
    dividing + [
        ("bouncer to host", outer(inner(to: "10.0.1.20"), stage: 2), onward(to: World.h2, stage: 3, inner(to: "10.0.1.20"))),
        ("divider to host", outer(inner(to: "10.0.1.20"), stage: 1), onward(to: World.h2, stage: 3, inner(to: "10.0.1.20"))),
        (
            "bouncer to host, IPv6, congested", outer(inner6(to: "fd00:1::20"), stage: 2, tos: 3),
            onward(to: World.h2, stage: 3, inner6(to: "fd00:1::20"), tos: 3)
        ),
        ("moved on", outer(inner(to: "10.0.1.20"), stage: 3), onward(to: World.h2, stage: 4, inner(to: "10.0.1.20"))),
        ("moved on again", outer(inner(to: "10.0.1.20"), stage: 6), onward(to: World.h2, stage: 7, inner(to: "10.0.1.20"))),
    ]

private let deliveries: [Fixture] = {
    func send(_ what: String, _ packet: [UInt8], _ result: [UInt8]) -> Fixture {
        Fixture(what, .uplink, packet, port: World.uplink, .send(result, received: 12))
    }
    let echoed = inner()
    return [
        send("plain", outer(), delivered(echoed)),
        send("as host", outer(stage: 3), delivered(echoed)),
        send("as host, from a version that knows no tags", outer(stage: 3, tag: 0), delivered(echoed)),
        send("in a VNI that is handed over", outer(vni: 600, stage: 3), delivered(echoed)),
        send("as bouncer that has the endpoint", outer(stage: 2), delivered(echoed)),
        send("IPv6", outer(inner6()), delivered(inner6())),
        send("IPv6 with an option", outer(inner6(), stage: 3), delivered(inner6())),
        send("IP options outside", geneve { $0.options = [1, 1, 1, 1, 1, 1, 1, 0] }, delivered(echoed)),
        send("IP options inside", outer(inner { $0.options = [1, 1, 1, 0] }), delivered(inner { $0.options = [1, 1, 1, 0] })),
        send("options that need not be known", geneve(options: [0, 9, 1, 1, 1, 2, 3, 4, 0, 9, 2, 0]), delivered(echoed)),
        send("our option among others", geneve(options: [0, 9, 1, 0] + stage3 + [0, 9, 2, 0]), delivered(echoed)),
        send("the longest options", geneve(options: (0..<63).flatMap { _ in [0, 9, 1, 0] as [UInt8] }), delivered(echoed)),
        send("a right UDP checksum", geneve(checksum: rightChecksum(echoed)), delivered(echoed)),
        send("a later fragment inside", outer(inner { $0.fragmentOffset = 5 }), delivered(inner { $0.fragmentOffset = 5 })),
        send("congestion passed in", outer(inner(tos: 2), tos: 3), delivered(inner(tos: 3))),
        send("congestion passed in, ECT(1)", outer(inner(tos: 0x29), tos: 3), delivered(inner(tos: 0x2b))),
        send("congestion passed in, IPv6", outer(inner6(tos: 0x2a), tos: 3), delivered(inner6(tos: 0x2b))),
        send("ECT(1) passed in", outer(inner(tos: 2), tos: 1), delivered(inner(tos: 1))),
        send("congestion there already", outer(inner(tos: 3), tos: 1), delivered(inner(tos: 3))),
        send("ECT outside alone", outer(inner(tos: 0), tos: 2), delivered(inner(tos: 0))),
        Fixture(
            "congestion for who does not know it", .uplink, outer(inner(tos: 0), tos: 3), port: World.uplink, .drop(MZR_DROP_CONGESTED)),
        Fixture(
            "a wrong UDP checksum", .uplink, geneve(checksum: rightChecksum(echoed) ^ 1), port: World.uplink, .drop(MZR_DROP_OUTER_CHECKSUM)
        ),
        Fixture("a port whose MAC is not known", .uplink, outer(inner(to: "10.0.1.60")), port: World.uplink, .drop(MZR_DROP_PENDING)),
        Fixture(
            "plain, moved away: gets an option", .uplink, outer(inner(to: "10.0.1.20")), port: World.uplink,
            .send(onward(to: World.h2, stage: 4, inner(to: "10.0.1.20"), origin: World.h2), mark: mark)),
        Fixture(
            "plain with IP options, moved away: they go", .uplink,
            geneve(inner(to: "10.0.1.20")) {
                $0.options = [1, 1, 1, 0]; $0.dontFragment = true
            },
            port: World.uplink, .send(onward(to: World.h2, stage: 4, inner(to: "10.0.1.20"), origin: World.h2), mark: mark)),
        Fixture(
            "plain, moved away, with no room for the option", .uplink, outer(inner(to: "10.0.1.20") + [UInt8](repeating: 0, count: 1491)),
            port: World.uplink, .drop(MZR_DROP_TOO_BIG)),
    ]
}()

extension DatapathTests {
    @Test(
        arguments: garbage.flatMap { what, packet, reason in
            [Datapath.Program.uplink, .xdp].map { Fixture("\($0): \(what)", $0, packet, port: World.uplink, .drop(reason)) }
        })
    func garbageEnds(_ fixture: Fixture) throws {
        try fixture.check()
    }

    @Test(
        arguments: others.flatMap { what, packet in
            [Datapath.Program.uplink, .uplinkEntry, .xdp].map { Fixture("\($0): \(what)", $0, packet, port: World.uplink, .pass) }
        })
    func allElseIsTheStacks(_ fixture: Fixture) throws { try fixture.check() }

    @Test(arguments: deliveries)
    func uplink(_ fixture: Fixture) throws { try fixture.check() }

    @Test(.enabled(if: HostCheck.kernelVersion() >= (6, 3)), arguments: deliveries)
    func uplinkOfANewerKernel(_ fixture: Fixture) throws { try fixture.check(in: World.newer) }

    @Test(arguments: transit.map { Fixture($0.0, .uplink, $0.1, port: World.uplink, .send($0.2, mark: mark)) })
    func transitByTC(_ fixture: Fixture) throws { try fixture.check() }

    /// One in 1024 passes to the stack, so a few tries are as good as certain.
    @Test(arguments: transit.map { Fixture($0.0, .xdp, $0.1, port: World.uplink, .pass) })
    func transitByXDP(_ fixture: Fixture) throws {
        let world = try World.shared.get()
        try world.reset()
        let entry = try #require(transit.first { $0.0 == fixture.testDescription })
        // Here the Ethernet header is the program's to write.
        var expected = entry.2
        let hop: [UInt8] = Array(expected[30..<34]) == [172, 16, 0, 2] ? [2] : [3]
        expected.replaceSubrange(0..<12, with: [0x02, 0xac, 0x10, 0, 0] + hop + [0x02, 0xac, 0x10, 0, 0, 1])
        var outcome: Datapath.Outcome?
        for _ in 0..<4 where outcome?.verdict != Fixture.xdpRedirect {
            outcome = try world.namespace.run { try world.datapath.run(.xdp, fixture.packet, fixture.context) }
        }
        #expect(outcome?.verdict == Fixture.xdpRedirect)
        #expect(outcome?.packet == expected)
        #expect(world.drops().isEmpty)
    }

    @Test(arguments: [
        // The kernel itself refuses to run tc programs on that.
        Fixture("half an IP header", .xdp, Array(outer().prefix(30)), port: World.uplink, .pass),
        Fixture("for a port here", .xdp, outer(), port: World.uplink, .pass),
        Fixture("a checksum to verify", .xdp, geneve(checksum: 1), port: World.uplink, .pass),
        Fixture("that needs an option", .xdp, outer(inner(to: "10.0.1.20")), port: World.uplink, .pass),
        Fixture("on another interface than the uplink", .xdp, outer(inner(to: "10.0.1.20"), stage: 2), port: 1, .pass),
    ])
    func xdpPassesUnchanged(_ fixture: Fixture) throws { try fixture.check() }

    @Test func xdpPassesWhatHasNoNeighbour() throws {
        let world = try World.shared.get()
        try world.reset()
        try world.namespace.shell("ip neigh del 172.16.0.2 dev up0")
        defer { try? world.namespace.shell("ip neigh replace 172.16.0.2 lladdr 02:ac:10:00:00:02 dev up0 nud permanent") }
        try Fixture("", .xdp, outer(inner(to: "10.0.1.20"), stage: 2), port: World.uplink, .pass).check()
    }

    @Test(arguments: [Datapath.Program.uplink, .xdp])
    func withoutAnUplinkNothingGoesOn(_ program: Datapath.Program) throws {
        let world = try World.shared.get()
        try world.reset()
        try world.config { $0.uplink = 0 }
        let packet = outer(inner(to: "10.0.1.20"), stage: 2)
        _ = try world.namespace.run { try world.datapath.run(program, packet, .init(ifindex: World.uplink, ingress: World.uplink)) }
        #expect(world.drops() == [MZR_DROP_PENDING.rawValue: [1, UInt64(packet.count)]])
        try world.reset()
    }

    @Test(arguments: [Datapath.Program.uplink, .xdp])
    func anotherGenevePortIsTheOnlyOne(_ program: Datapath.Program) throws {
        let world = try World.shared.get()
        try world.reset()
        try world.config { $0.port = UInt16(7000).bigEndian }
        let context = Datapath.Context(ifindex: World.uplink, ingress: World.uplink)
        let outcome = try world.namespace.run { try world.datapath.run(program, outer(from: address("172.16.0.9")), context) }
        #expect(outcome.verdict == (program == .xdp ? Fixture.xdpPass : Fixture.unspecified))
        #expect(world.drops().isEmpty)
        try world.reset()
    }

    /// While the cluster goes from 6081 to 7000: packets to either are taken, and what goes on goes to this host's own.
    @Test(arguments: [Datapath.Program.uplink, .xdp])
    func whileThePortChangesBothAreTaken(_ program: Datapath.Program) throws {
        let world = try World.shared.get()
        let destination = 36..<38
        let (old, new): ([UInt8], [UInt8]) = ([0x17, 0xc1], [0x1b, 0x58])
        let packets = [outer(inner(to: "10.0.1.20"), stage: 2)] + (program == .uplink ? [outer(), outer(inner(to: "10.0.1.20"))] : [])
        for others in [(UInt16(6081), UInt16(0)), (4789, 6081)] {
            for port in [old, new] {
                for var packet in packets {
                    try world.reset()
                    try world.config {
                        $0.port = UInt16(7000).bigEndian
                        $0.other_ports = (others.0.bigEndian, others.1.bigEndian)
                    }
                    packet.replaceSubrange(destination, with: port)
                    var outcome: Datapath.Outcome?
                    // One in 1024 passes to the stack.
                    for _ in 0..<4 where ![Fixture.redirect, Fixture.xdpRedirect].contains(outcome?.verdict) || outcome == nil {
                        outcome = try world.namespace.run {
                            try world.datapath.run(program, packet, .init(ifindex: World.uplink, ingress: World.uplink))
                        }
                    }
                    let result = try #require(outcome)
                    #expect(result.verdict == (program == .xdp ? Fixture.xdpRedirect : Fixture.redirect), "\(world.drops())")
                    #expect(world.drops().isEmpty)
                    if packet.count <= result.packet.count { #expect(Array(result.packet[destination]) == new) }
                }
            }
        }
        try world.reset()
    }
}

extension DatapathTests {
    @Test("plain packets in a VNI that is handed over are taken from who was told whose it is, after its answer")
    func handedOver() throws {
        let world = try World.shared.get()
        try world.reset()
        let key = World.raw(mzr_told_key(host: World.host(World.h2), vni: 600))
        world.datapath.remove("told", key)
        defer { world.datapath.remove("told", key) }
        let packet = outer(vni: 600)
        func isTaken(from host: IPAddress = World.h2) throws -> Bool {
            #expect(try world.receive(packet, .xdp).verdict == Fixture.xdpPass)
            try world.reset()
            let outcome = try world.receive(outer(from: host, vni: 600))
            #expect((outcome.verdict == Fixture.redirect) == world.drops().isEmpty)
            if outcome.verdict != Fixture.redirect { #expect(world.drops().keys.elementsEqual([MZR_DROP_OTHER_VPC.rawValue])) }
            return outcome.verdict == Fixture.redirect
        }
        func ask(_ vpc: UInt64) throws {
            _ = try world.receive(
                Reference.control(
                    MZR_MESSAGE_ASK, from: World.h3, to: World.h1, vni: 600, stage: 3, origin: World.h2, about: here, network: vpc, nonce: 1
                ))
        }
        #expect(try !isTaken())
        // Who asks for another VPC, or does not say for which, is told nothing.
        try ask(World.vpcID(601))
        try ask(0)
        #expect(try !isTaken())
        try ask(World.vpcID(600))
        #expect(try isTaken())
        // Nobody else was told, not even for the same flow in the same tick.
        #expect(try !isTaken(from: World.h3))
        // What it was told of another VPC counts no more.
        try world.datapath.put("told", key, World.raw(World.vpcID(601)))
        #expect(try !isTaken())
    }
}
