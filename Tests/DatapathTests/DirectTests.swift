import CBPF
import TestSupport
import Testing
import Topology

private let endpoint = address("10.0.1.10")
private let endpoint6 = address("fd00:1::10")
private let far = address("10.0.1.99")
private let nonce: UInt64 = 0x1122_3344_5566_7788

private func frame(from: IPAddress = endpoint, to: IPAddress = far, source: MACAddress = World.a1, hops: UInt8 = 64, size: Int = 52)
    -> [UInt8]
{
    let datagram = Packet.udp(from: 1000, to: 2000, (0..<size - 28).map { UInt8(truncatingIfNeeded: $0) })
    return from.isIPv4
        ? Packet.frame(
            to: World.gateway, from: source, type: Packet.ipv4,
            Packet.ipv4(
                from: from, to: to, protocol: 17, datagram,
                .init {
                    $0.ttl = hops
                    $0.dontFragment = true
                }))
        : Packet.frame(to: World.gateway, from: source, type: Packet.ipv6, Packet.ipv6(from: from, to: to, next: 17, datagram, hops: hops))
}

/// A question that comes to h1.
private func question(
    _ about: String, stage: UInt8 = 2, origin: IPAddress = World.h3, vni: UInt32 = 100, from: IPAddress = World.h2
) -> [UInt8] {
    Reference.control(
        MZR_MESSAGE_ASK, from: from, to: World.h1, vni: vni, stage: stage, origin: origin, about: address(about),
        network: World.vpcID(vni), nonce: nonce)
}

extension World {
    fileprivate func entry(_ address: IPAddress, vni: UInt32 = 100) throws -> mzr_direct? {
        try datapath.withDirectTable(vni) { table in
            var entry = mzr_direct()
            return bpf_map_lookup_elem(table, address.bytes, &entry) == 0 ? entry : nil
        }
    }

    fileprivate func put(_ address: IPAddress, _ entry: mzr_direct) throws {
        var entry = entry
        try datapath.withDirectTable(100) { _ = bpf_map_update_elem($0, address.bytes, &entry, 0) }
        datapath.countGeneration()
    }

    /// An entry that was proven just now.
    fileprivate static func proven() -> mzr_direct {
        var entry = mzr_direct()
        entry.host = host(h3)
        entry.network = 1
        entry.proven = Reference.tick()
        return entry
    }

    /// Where a port's packet goes, and its stage (0: plain).
    fileprivate func way(_ packet: [UInt8]) throws -> (host: IPAddress, stage: UInt8) {
        let outcome = try send(packet)
        #expect(outcome.verdict == Fixture.redirect, "drops: \(drops())")
        let bytes = outcome.packet
        return (IPAddress(v4: bytes[30..<34].reduce(0) { $0 << 8 | UInt32($1) }), bytes[42] == 0 ? 0 : bytes[54])
    }

    fileprivate func have(
        _ about: IPAddress = far, from: IPAddress = World.h3, vni: UInt32 = 100, network: UInt64 = 7, nonce: UInt64
    ) throws {
        let packet = Reference.control(
            MZR_MESSAGE_HAVE, from: from, to: World.h1, vni: vni, about: about, network: network, nonce: nonce)
        let outcome = try receive(packet)
        #expect(outcome.verdict == Fixture.shot)
    }
}

extension DatapathTests {
    /// The nonce of a question on the wire, which must be what a packet for `about` makes h1 ask.
    private func asked(_ wire: Wire, _ about: IPAddress, of hosts: [IPAddress], stage: mzr_stage) throws -> UInt64 {
        let told = try #require(wire.next())
        let period = Reference.period()
        let candidates = [period, period - 1].flatMap { period in
            hosts.map { host in
                let nonce = Reference.nonce(100, about, period: period)
                return (
                    nonce,
                    Reference.control(
                        MZR_MESSAGE_ASK, to: host, stage: UInt8(stage.rawValue), origin: World.h1, about: about,
                        network: World.vpcID(100), nonce: nonce)
                )
            }
        }
        let found = candidates.first { Array($0.1.dropFirst(12)) == Array(told.dropFirst(12).prefix($0.1.count - 12)) }
        return try #require(found).0
    }

    @Test(
        "the first packet to an address asks for its host, by the table that it goes to itself",
        arguments: ["10.0.1.99", "10.9.9.9", "fd00:1::99"])
    func ask(_ text: String) throws {
        let world = try World.shared.get()
        try world.reset()
        let wire = try Wire(world)
        let to = address(text)
        let packet = frame(from: to.isIPv4 ? endpoint : endpoint6, to: to)
        let outcome = try world.send(packet)
        #expect(outcome.verdict == Fixture.redirect)
        // The packet itself is whole, and goes by the table without a word of it.
        let isInOtherNetwork = text == "10.9.9.9"
        #expect(
            outcome.packet.suffix(packet.count)
                == frame(from: to.isIPv4 ? endpoint : endpoint6, to: to, hops: isInOtherNetwork ? 63 : 64)[...])
        #expect(outcome.packet.count == packet.count + Int(MZR_OVERHEAD_STAGED))
        if isInOtherNetwork {
            _ = try asked(wire, to, of: [World.h2], stage: MZR_STAGE_DIVIDER)
        } else {
            _ = try asked(wire, to, of: [World.h2, World.h3], stage: MZR_STAGE_BOUNCER)
        }
        #expect(world.drops().isEmpty)
    }

    @Test("packets to ever new addresses lead to questions at a rate, and go by tables all the same")
    func questionsHaveARate() throws {
        let world = try World.shared.get()
        try world.reset()
        let wire = try Wire(world)
        let start = ContinuousClock.now
        for number in 0..<1000 {
            let outcome = try world.send(frame(from: endpoint6, to: address("fd00:1::1:\(String(number, radix: 16))")))
            #expect(outcome.verdict == Fixture.redirect)
        }
        let milliseconds = Int((ContinuousClock.now - start) / .milliseconds(1))
        var questions = 0
        while wire.next(milliseconds: 200) != nil { questions += 1 }
        #expect(questions > 0 && questions <= 129 + milliseconds, "\(questions) in \(milliseconds) ms")
        #expect(milliseconds > 800 || questions < 1000, "1,000 packets took \(milliseconds) ms")
    }

    @Test(
        "a question goes the way of its address, and who has it answers the origin",
        arguments: [
            ("10.0.1.11", 2, nil), ("fd00:1::11", 1, nil), ("10.0.1.11", 3, nil),
            ("10.0.1.20", 1, (World.h2, 3)), ("10.0.1.20", 2, (World.h2, 3)), ("fd00:1::20", 4, (World.h2, 5)),
            ("10.0.2.20", 1, (World.h3, 2)),
        ] as [(String, UInt8, (IPAddress, UInt8)?)])
    func answers(_ text: String, stage: UInt8, onward: (IPAddress, UInt8)?) throws {
        let world = try World.shared.get()
        try world.reset()
        let outcome = try world.receive(question(text, stage: stage))
        #expect(outcome.verdict == Fixture.redirect)
        let expected =
            if let onward {
                Reference.control(
                    MZR_MESSAGE_ASK, to: onward.0, stage: onward.1, origin: World.h3, about: address(text),
                    network: World.vpcID(100), nonce: nonce)
            } else {
                Reference.control(
                    MZR_MESSAGE_HAVE, to: World.h3, stage: stage, origin: IPAddress(v4: UInt32(World.mtu)), about: address(text),
                    network: 1, nonce: nonce)
            }
        #expect(Array(outcome.packet.dropFirst(12)) == Array(expected.dropFirst(12)))
        #expect(outcome.mark == Datapath.mark)
        #expect(world.drops().isEmpty)
    }

    @Test(
        "a question about another VPC than has the VNI here is not answered, nor sent on",
        arguments: ["10.0.1.11", "10.0.1.20", "10.0.3.9"])
    func otherVPC(_ text: String) throws {
        let world = try World.shared.get()
        try world.reset()
        let packet = Reference.control(
            MZR_MESSAGE_ASK, from: World.h2, to: World.h1, stage: 2, origin: World.h3, about: address(text), network: World.vpcID(101),
            nonce: nonce)
        #expect(try world.receive(packet).verdict == Fixture.shot)
        #expect(world.drops().keys.elementsEqual([MZR_DROP_OTHER_VPC.rawValue]))
    }

    @Test("a question that nobody can answer ends without a word", arguments: ["10.0.1.30", "10.0.1.50", "10.0.1.255"])
    func unanswered(_ text: String) throws {
        let world = try World.shared.get()
        try world.reset()
        #expect(try world.receive(question(text)).verdict == Fixture.shot)
        #expect(world.drops().isEmpty)
    }

    @Test(
        "who knows that nobody has it says so",
        arguments: [("10.0.3.9", MZR_DROP_NO_ENDPOINT), ("10.0.1.40", MZR_DROP_HOST_DOWN), ("10.0.1.1", MZR_DROP_NO_ENDPOINT)])
    func nobody(_ text: String, _ reason: mzr_drop_reason) throws {
        let world = try World.shared.get()
        try world.reset()
        let outcome = try world.receive(question(text))
        #expect(outcome.verdict == Fixture.redirect)
        let expected = Reference.control(
            MZR_MESSAGE_NONE, to: World.h3, stage: 2, reason: reason, origin: World.h3, about: address(text),
            network: World.vpcID(100), nonce: nonce)
        #expect(Array(outcome.packet.dropFirst(12)) == Array(expected.dropFirst(12)))
        #expect(outcome.mark == Datapath.mark)
        #expect(world.drops().isEmpty)
    }

    @Test(
        "who learns that nobody has it tells its senders, until somebody has",
        arguments: [MZR_DROP_NO_ENDPOINT, MZR_DROP_HOST_DOWN], [false, true])
    func learningOfNobody(_ reason: mzr_drop_reason, isIPv6: Bool) throws {
        let world = try World.shared.get()
        try world.reset()
        let (from, to) = isIPv6 ? (endpoint6, address("fd00:1::99")) : (endpoint, far)
        let packet = frame(from: from, to: to)
        let wire = try Wire(world)
        #expect(try world.way(packet).stage == UInt8(MZR_STAGE_BOUNCER.rawValue))
        let nonce = try asked(wire, to, of: [World.h2, World.h3], stage: MZR_STAGE_BOUNCER)
        let none = Reference.control(MZR_MESSAGE_NONE, from: World.h3, to: World.h1, reason: reason, about: to, nonce: nonce)
        #expect(try world.receive(none).verdict == Fixture.shot)
        #expect(world.drops().isEmpty)
        let outcome = try world.send(packet)
        #expect(
            outcome.packet
                == Reference.error(isIPv6 ? 1 : 3, isIPv6 ? 3 : 1, from: address(isIPv6 ? "fd00:1::1" : "10.0.1.1"), about: packet))
        #expect(world.drops() == [reason.rawValue: [1, UInt64(packet.count)]])
        #expect(wire.next(milliseconds: 0) == nil)
        // An older answer is asked for again, while it still holds.
        var entry = try #require(try world.entry(to))
        entry.asked &-= 20
        try world.put(to, entry)
        world.unsay()
        #expect(try world.send(packet).packet.count < 200)
        _ = try asked(wire, to, of: [World.h2, World.h3], stage: MZR_STAGE_BOUNCER)
        // An old one holds no more.
        entry.proven = Reference.tick() &- 193
        try world.put(to, entry)
        #expect(try world.way(packet).stage == UInt8(MZR_STAGE_BOUNCER.rawValue))
        // And one that has it is believed at once, also against who still says no.
        try world.reset()
        try world.receive(none)
        try world.have(to, nonce: nonce)
        #expect(try world.way(packet).host == World.h3)
        try world.receive(none)
        #expect(try world.way(packet).host == World.h3)
        #expect(world.drops().isEmpty)
    }

    @Test("that nobody has it is believed of an answer alone")
    func forgedNobody() throws {
        let world = try World.shared.get()
        try world.reset()
        try world.receive(Reference.control(MZR_MESSAGE_NONE, from: World.h3, to: World.h1, about: far, nonce: 1))
        #expect(world.drops().keys.elementsEqual([MZR_DROP_GENEVE_CONTROL.rawValue]))
        #expect(try world.entry(far) == nil)
    }

    @Test(
        "a question that makes no sense is dropped and counted",
        arguments: [
            question("10.0.1.11", stage: 0), question("10.0.1.11", stage: 8), question("10.0.1.11", origin: World.h1),
            question("10.0.1.11", origin: address("172.16.0.9")),
        ])
    func nonsense(_ packet: [UInt8]) throws {
        try Fixture("", .uplink, packet, port: World.uplink, .drop(MZR_DROP_GENEVE_CONTROL)).check()
    }

    /// Sent on to another host; dropped, because nobody has it, its host is down, or it is a gateway now; of a VPC that this host has
    /// nothing of any more.
    private static let elsewhere: [(String, UInt32)] = [
        ("10.0.1.20", 100), ("fd00:1::20", 100), ("10.0.1.97", 100), ("10.0.1.40", 100), ("10.0.1.1", 100), ("10.0.1.20", 999),
    ]

    @Test("who sends straight to the wrong host is told", arguments: elsewhere)
    func gone(_ text: String, vni: UInt32) throws {
        let world = try World.shared.get()
        try world.reset()
        let wire = try Wire(world)
        let from = address(address(text).isIPv4 ? "10.0.1.77" : "fd00:1::77")
        let packet = Reference.outer(from: World.h3, to: World.h1, vni: vni, frame(from: from, to: address(text)))
        // XDP leaves what must be answered to tc.
        #expect(try world.receive(packet, .xdp).verdict == Fixture.xdpPass)
        let outcome = try world.receive(packet)
        #expect(outcome.verdict == (text.hasSuffix("20") && vni == 100 ? Fixture.redirect : Fixture.shot))
        let told = try #require(wire.next())
        let expected = Reference.control(MZR_MESSAGE_GONE, to: World.h3, vni: vni, about: address(text))
        #expect(Array(told.dropFirst(12).prefix(expected.count - 12)) == Array(expected.dropFirst(12)))
    }

    @Test("a proven answer makes the way direct, and the host that gave it can end that", arguments: [false, true])
    func learning(isIPv6: Bool) throws {
        let world = try World.shared.get()
        try world.reset()
        let (from, to) = isIPv6 ? (endpoint6, address("fd00:1::99")) : (endpoint, far)
        let wire = try Wire(world)
        let packet = frame(from: from, to: to)
        #expect(try world.way(packet).stage == UInt8(MZR_STAGE_BOUNCER.rawValue))
        try world.have(to, nonce: try asked(wire, to, of: [World.h2, World.h3], stage: MZR_STAGE_BOUNCER))
        #expect(world.drops().isEmpty)
        let entry = try #require(try world.entry(to))
        #expect(entry.host == World.host(World.h3) && entry.network == 7)
        let second = try world.way(packet)
        #expect(second.host == World.h3 && second.stage == 0)
        let counters = world.datapath.counters("traffic", 11, count: World.trafficFields)
        #expect(counters[4...] == [1, 1, 0])
        // Another host cannot take it back.
        try world.receive(Reference.control(MZR_MESSAGE_GONE, from: World.h2, to: World.h1, about: to))
        #expect(try world.way(packet).stage == 0)
        try world.receive(Reference.control(MZR_MESSAGE_GONE, from: World.h3, to: World.h1, about: to))
        Reference.awaitNextTick()
        #expect(try world.way(packet).stage == UInt8(MZR_STAGE_BOUNCER.rawValue))
        #expect(world.drops().isEmpty)
    }

    @Test("a full table gives up what was used least, of its own VPC alone, and packets go on by the tables")
    func full() throws {
        let world = try World.shared.get()
        try world.reset()
        let other = address("10.0.1.77")
        try world.datapath.makeDirectTable(200)
        defer { try? world.reset() }
        try world.have(other, vni: 200, nonce: Reference.nonce(200, other, period: Reference.period()))
        let addresses = (0..<4000).map { IPAddress(bits: address("fd00:1::1:0").bits + UInt128($0)) }
        for one in addresses { try world.have(one, nonce: Reference.nonce(100, one, period: Reference.period())) }
        #expect(world.drops().isEmpty)
        #expect(try world.entry(other, vni: 200) != nil)
        // Finding the table takes kernels before 6.8 some ms.
        let kept = try world.datapath.withDirectTable(100) { table in
            var entry = mzr_direct()
            return addresses.filter { bpf_map_lookup_elem(table, $0.bytes, &entry) == 0 }
        }
        #expect(kept.count > 0 && kept.count <= 1024)
        let gone = try #require(addresses.first { !kept.contains($0) })
        let last = try #require(kept.last)
        #expect(try world.way(frame(from: endpoint6, to: last)).stage == 0)
        #expect(try world.way(frame(from: endpoint6, to: gone)).stage == UInt8(MZR_STAGE_BOUNCER.rawValue))
        // It is learned again in the place of another.
        try world.have(gone, nonce: Reference.nonce(100, gone, period: Reference.period()))
        #expect(try world.way(frame(from: endpoint6, to: gone)).stage == 0)
    }

    @Test("a table row comes before what was learned")
    func rowsFirst() throws {
        let world = try World.shared.get()
        try world.reset()
        try world.put(
            address("10.0.1.20"), World.proven())
        let way = try world.way(frame(to: address("10.0.1.20")))
        #expect(way.host == World.h2 && way.stage == UInt8(MZR_STAGE_HOST.rawValue))
    }

    @Test("packets by a table row bear the VPC's tag until its host has proven that it has the endpoint")
    func rowsAreProven() throws {
        let world = try World.shared.get()
        let to = address("10.0.1.20")
        try world.resetRows()
        func stage() throws -> UInt8? {
            let way = try world.way(frame(to: to))
            #expect(way.host == World.h2)
            return way.stage
        }
        try world.reset()
        #expect(try stage() == UInt8(MZR_STAGE_HOST.rawValue))
        // Another host's answer is not this row's.
        try world.have(to, from: World.h3, nonce: Reference.nonce(100, to, period: Reference.period()))
        try world.reset()
        #expect(try stage() == UInt8(MZR_STAGE_HOST.rawValue))
        try world.have(to, from: World.h2, nonce: Reference.nonce(100, to, of: World.vpcID(101), period: Reference.period()))
        try world.reset()
        #expect(try stage() == UInt8(MZR_STAGE_HOST.rawValue), "proven for another VPC")
        try world.have(to, from: World.h2, nonce: Reference.nonce(100, to, period: Reference.period()))
        try world.reset()
        #expect(try stage() == 0)
        try world.receive(Reference.control(MZR_MESSAGE_GONE, from: World.h3, to: World.h1, about: to))
        try world.reset()
        #expect(try stage() == 0)
        try world.receive(Reference.control(MZR_MESSAGE_GONE, from: World.h2, to: World.h1, about: to))
        try world.reset()
        #expect(try stage() == UInt8(MZR_STAGE_HOST.rawValue))
        try world.resetRows()
    }

    @Test("what the underlay of another host takes is kept with its answers, and its sender hears where that is less")
    func unlikeMTUs() throws {
        let world = try World.shared.get()
        let key = World.raw(World.host(World.h3))
        world.datapath.remove("mtus", key)
        try world.datapath.put("hosts", key, World.raw(World.peer(3)))
        defer { world.datapath.remove("mtus", key) }
        func answer(_ mtu: IPAddress) throws -> UInt32? {
            try world.reset()
            try world.receive(
                Reference.control(
                    MZR_MESSAGE_HAVE, from: World.h3, to: World.h1, origin: mtu, about: far, network: 1,
                    nonce: Reference.nonce(100, far, period: Reference.period())))
            return world.datapath.get("mtus", key, size: 4)?.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
        }
        // Not said, as by earlier versions: nothing, or who asked.
        #expect(try answer(IPAddress(v4: 0)) == nil)
        #expect(try answer(World.h1) == nil)
        #expect(try answer(IPAddress(v4: 100)) == 1342, "what leaves IPv6's least")
        #expect(try answer(IPAddress(v4: 1400)) == 1400)
        let fits = frame(to: far, size: 1338), isTooBig = frame(to: far, size: 1339)
        // What the programs remember of a host, they do for the rest of a tick.
        world.datapath.countGeneration()
        let way = try world.way(fits)
        #expect(way.host == World.h3 && way.stage == 0, "\(way)")
        let outcome = try world.namespace.run { try world.datapath.run(.port, isTooBig, .init(ifindex: 11, ingress: 11)) }
        #expect(outcome.verdict == Fixture.redirect && world.drops().keys.elementsEqual([MZR_DROP_TOO_BIG.rawValue]))
        #expect(Array(outcome.packet[34..<42].prefix(2)) == [3, 4] && Array(outcome.packet[40..<42]) == Packet.be16(1338))
        // A larger one than this host's own changes nothing.
        #expect(try answer(IPAddress(v4: 9000)) == 9000)
        world.datapath.countGeneration()
        #expect(try world.way(isTooBig).host == World.h3)
    }

    struct Forgery: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var vni: UInt32 = 100
        /// The nonce by the period of now.
        var nonce: @Sendable (UInt64) -> UInt64
    }

    @Test(
        "answers that prove nothing are dropped, counted and learned from by nobody",
        arguments: [
            Forgery(testDescription: "no nonce") { _ in 0 },
            Forgery(testDescription: "a guessed one") { _ in 0x0123_4567_89ab_cdef },
            Forgery(testDescription: "one of another address") { Reference.nonce(100, address("10.0.1.98"), period: $0) },
            Forgery(testDescription: "one of another VPC") { Reference.nonce(200, far, period: $0) },
            Forgery(testDescription: "one of who meant another VPC by the VNI") {
                Reference.nonce(100, far, of: World.vpcID(101), period: $0)
            },
            Forgery(testDescription: "one of another key") { Reference.nonce(100, far, period: $0, key: (0, 0)) },
            Forgery(testDescription: "an old one, replayed") { Reference.nonce(100, far, period: $0 - 2) },
            Forgery(testDescription: "one of a time to come") { Reference.nonce(100, far, period: $0 + 2) },
            Forgery(testDescription: "a right one, of a VPC without endpoints here", vni: 999) { Reference.nonce(999, far, period: $0) },
        ])
    func forged(_ forgery: Forgery) throws {
        let world = try World.shared.get()
        try world.reset()
        try world.have(vni: forgery.vni, nonce: forgery.nonce(Reference.period()))
        #expect(world.drops().keys.elementsEqual([MZR_DROP_GENEVE_CONTROL.rawValue]))
        #expect(try world.entry(far) == nil)
    }

    @Test("a nonce holds for its period and the next")
    func previousPeriod() throws {
        let world = try World.shared.get()
        try world.reset()
        try world.have(nonce: Reference.nonce(100, far, period: Reference.period() - 1))
        #expect(try world.entry(far) != nil || !world.drops().isEmpty)
        // The clock may have stepped on between the two looks; not twice in a row.
        if try world.entry(far) == nil { try world.have(nonce: Reference.nonce(100, far, period: Reference.period() - 1)) }
        #expect(try world.entry(far) != nil)
    }

    @Test("a control packet from no host of the topology is dropped", arguments: [MZR_MESSAGE_HAVE, MZR_MESSAGE_GONE])
    func foreign(_ message: mzr_message) throws {
        let world = try World.shared.get()
        for program in [Datapath.Program.uplink, .xdp] {
            try Fixture(
                "", program, Reference.control(message, from: address("172.16.0.9"), to: World.h1, about: far), port: World.uplink,
                .drop(MZR_DROP_FOREIGN_HOST)
            ).check()
        }
        try Fixture(
            "", .uplink, Reference.control(mzr_message(9), from: World.h2, to: World.h1, about: far), port: World.uplink,
            .drop(MZR_DROP_GENEVE_CONTROL)
        ).check()
        try Fixture(
            "", .xdp, Reference.control(message, from: World.h2, to: World.h1, about: far), port: World.uplink, .pass
        ).check()
        #expect(try world.entry(far) == nil)
    }

    @Test("direct.after packets go by way of tables before one asks")
    func after() throws {
        let world = try World.shared.get()
        try world.reset()
        try world.config { $0.direct_after = 3 }
        let wire = try Wire(world)
        for number in 1...3 {
            #expect(try world.way(frame()).stage == UInt8(MZR_STAGE_BOUNCER.rawValue))
            #expect(try world.entry(far)?.packets == UInt32(number))
        }
        // The third alone asked.
        try world.have(nonce: try asked(wire, far, of: [World.h2, World.h3], stage: MZR_STAGE_BOUNCER))
        #expect(try world.way(frame()).stage == 0)
        #expect(wire.next(milliseconds: 0) == nil)
        try world.reset()
    }

    @Test("an entry asks again by way of the tables when it is a quarter old, ends when it is old, and with its host")
    func ages() throws {
        let world = try World.shared.get()
        try world.reset()
        let wire = try Wire(world)
        func entry(age: UInt32, asked: UInt32) -> mzr_direct {
            var entry = World.proven()
            entry.asked = entry.proven &- asked
            entry.proven &-= age
            return entry
        }
        try world.put(far, entry(age: 200, asked: 200))
        #expect(try world.way(frame()).stage == 0)
        #expect(wire.next(milliseconds: 0) == nil)
        // The packets go on straight while the question is on its way.
        try world.put(far, entry(age: 300, asked: 300))
        #expect(try world.way(frame()).stage == 0)
        _ = try asked(wire, far, of: [World.h2, World.h3], stage: MZR_STAGE_BOUNCER)
        #expect(try world.entry(far)?.asked != Reference.tick() &- 300)
        #expect(try world.way(frame()).stage == 0)
        #expect(wire.next(milliseconds: 0) == nil)
        // Proven and asked for by a CPU whose clock is ahead.
        try world.put(far, entry(age: 0 &- 1, asked: 0 &- 1))
        #expect(try world.way(frame()).stage == 0)
        #expect(wire.next(milliseconds: 0) == nil)
        try world.put(far, entry(age: 1100, asked: 300))
        #expect(try world.way(frame()).stage == UInt8(MZR_STAGE_BOUNCER.rawValue))
        // Its host has left the topology.
        try world.put(far, entry(age: 0, asked: 0))
        world.datapath.remove("hosts", World.raw(World.host(World.h3)))
        defer { try? world.datapath.put("hosts", World.raw(World.host(World.h3)), World.raw(World.peer(2))) }
        #expect(try world.way(frame()).stage == UInt8(MZR_STAGE_BOUNCER.rawValue))
    }

    @Test("a packet with our mark is no control packet unless one was laid down")
    func markAlone() throws {
        let packet = Reference.outer(to: World.h2, frame())
        for ingress: UInt32 in [0, 99] {
            try Fixture(
                "", .guard, packet, port: World.uplink, ingress: ingress, mark: Datapath.mark, .drop(MZR_DROP_FOREIGN_SENDER)
            ).check()
        }
    }
}
