import CBPF
import TestSupport
import Testing
import Topology

private let mark = Datapath.mark
private let body: [UInt8] = Array(0..<24)

private func packet(port: Int = 6081, _ change: (inout Packet.IPv4Fields) -> Void = { _ in }) -> [UInt8] {
    Packet.frame(
        to: mac("02:ac:10:00:00:02"), from: mac("02:ac:10:00:00:01"), type: Packet.ipv4,
        Packet.ipv4(from: World.h1, to: World.h2, protocol: 17, Packet.udp(from: 50000, to: port, body), .init(change)))
}

/// Behind tags, outermost first.
private func tagged(_ tags: [(type: Int, tag: Int)], _ frame: [UInt8] = packet()) -> [UInt8] {
    frame.prefix(12) + tags.flatMap { Packet.be16($0.type) + Packet.be16($0.tag) } + frame.dropFirst(12)
}

extension DatapathTests {
    @Test(
        arguments: [Datapath.Program.guard, .guardEntry].flatMap { program in
            [
                Fixture("\(program): from an endpoint", program, packet(), port: World.uplink, ingress: 11, mark: mark, .pass),
                Fixture("\(program): in transit", program, packet(), port: World.uplink, ingress: World.uplink, mark: mark, .pass),
                Fixture("\(program): a process", program, packet(), port: World.uplink, ingress: 0, .drop(MZR_DROP_FOREIGN_SENDER)),
                Fixture(
                    "\(program): a process that marks", program, packet(), port: World.uplink, ingress: 0, mark: mark,
                    .drop(MZR_DROP_FOREIGN_SENDER)),
                Fixture(
                    "\(program): forwarded for a container", program, packet(), port: World.uplink, ingress: 99, mark: mark,
                    .drop(MZR_DROP_FOREIGN_SENDER)),
                Fixture(
                    "\(program): an endpoint's, unmarked", program, packet(), port: World.uplink, ingress: 11,
                    .drop(MZR_DROP_FOREIGN_SENDER)),
                Fixture(
                    "\(program): behind IP options", program, packet { $0.options = [1, 1, 1, 0] }, port: World.uplink, ingress: 0,
                    .drop(MZR_DROP_FOREIGN_SENDER)),
                Fixture(
                    "\(program): a first fragment", program, packet { $0.moreFragments = true }, port: World.uplink, ingress: 0,
                    .drop(MZR_DROP_FOREIGN_SENDER)),
                Fixture("\(program): a later fragment", program, packet { $0.fragmentOffset = 3 }, port: World.uplink, ingress: 0, .pass),
                Fixture("\(program): another port", program, packet(port: 53), port: World.uplink, ingress: 0, .pass),
                Fixture(
                    "\(program): a copy that waits for another version's control packet", program, packet(port: 53), port: World.uplink,
                    ingress: 11, mark: mark, .drop(MZR_DROP_INTERNAL)),
                Fixture(
                    "\(program): another port behind a VLAN tag", program, tagged([(0x8100, 1)], packet(port: 53)), port: World.uplink,
                    ingress: 0, .pass),
                Fixture(
                    "\(program): a later fragment behind a VLAN tag", program, tagged([(0x8100, 1)], packet { $0.fragmentOffset = 3 }),
                    port: World.uplink, ingress: 0, .pass),
                Fixture(
                    "\(program): a VLAN tag on a packet of ours", program, tagged([(0x8100, 1)]), port: World.uplink, ingress: 11,
                    mark: mark, .drop(MZR_DROP_FOREIGN_SENDER)),
            ]
                + [
                    ("802.1Q", [(0x8100, 100)]), ("a priority", [(0x8100, 0xa000)]), ("802.1ad", [(0x88a8, 1)]), ("0x9100", [(0x9100, 1)]),
                    ("QinQ", [(0x88a8, 7), (0x8100, 8)]), ("four", [(0x88a8, 7), (0x8100, 8), (0x8100, 9), (0x8100, 10)]),
                ].map { name, tags in
                    Fixture(
                        "\(program): behind tags: \(name)", program, tagged(tags), port: World.uplink, ingress: 0,
                        .drop(MZR_DROP_FOREIGN_SENDER))
                } + [
                    Fixture(
                        "\(program): behind more tags than anybody looks behind", program,
                        tagged([(Int, Int)](repeating: (0x8100, 7), count: 5), packet(port: 53)), port: World.uplink, ingress: 0,
                        .drop(MZR_DROP_FOREIGN_SENDER))
                ]
        })
    func guards(_ fixture: Fixture) throws {
        try fixture.check()
        guard case .pass = fixture.expected else { return }
        let world = try World.shared.get()
        let outcome = try world.namespace.run { try world.datapath.run(fixture.program, fixture.packet, fixture.context) }
        // Nothing behind the guard sees our mark.
        #expect(outcome.mark == 0)
    }

    /// While the cluster goes from one port to another, nobody else sends to either.
    @Test func whileThePortChangesBothAreGuarded() throws {
        let world = try World.shared.get()
        for port in [6081, 7000, 4789] {
            for (mark, verdict) in [(UInt32(0), Fixture.shot), (mark, Fixture.unspecified)] {
                try world.reset()
                try world.config {
                    $0.port = UInt16(7000).bigEndian
                    $0.other_ports = (UInt16(6081).bigEndian, UInt16(4789).bigEndian)
                }
                let outcome = try world.namespace.run {
                    try world.datapath.run(.guard, packet(port: port), .init(ifindex: World.uplink, ingress: 11, mark: mark))
                }
                #expect(outcome.verdict == verdict, "port \(port), mark \(mark)")
            }
        }
        try world.reset()
    }

    @Test func anEmptySlotHoldsOverlayPacketsAndNothingElse() throws {
        let world = try World.shared.get()
        for slot in 0..<UInt32(MZR_PROGRAM_COUNT.rawValue) { world.datapath.remove("programs", World.raw(slot)) }
        defer { try? world.datapath.fillSlots() }
        for fixture in [
            Fixture("port", .portEntry, packet(), port: 11, .drop(MZR_DROP_NO_PROGRAM)),
            Fixture("uplink, Geneve", .uplinkEntry, packet(), port: World.uplink, .drop(MZR_DROP_NO_PROGRAM)),
            Fixture("uplink, other", .uplinkEntry, packet(port: 53), port: World.uplink, .pass),
            Fixture("guard, Geneve", .guardEntry, packet(), port: World.uplink, ingress: 11, mark: mark, .drop(MZR_DROP_NO_PROGRAM)),
            Fixture("uplink, tagged Geneve", .uplinkEntry, tagged([(0x8100, 1)]), port: World.uplink, .pass),
            Fixture("guard, tagged Geneve", .guardEntry, tagged([(0x8100, 1)]), port: World.uplink, ingress: 0, .drop(MZR_DROP_NO_PROGRAM)),
            Fixture("guard, other", .guardEntry, packet(port: 53), port: World.uplink, ingress: 0, .pass),
        ] { try fixture.check() }
    }

    @Test func entriesRunTheProgramsBehindThem() throws {
        try Fixture("port", .portEntry, packet(), port: 99, .drop(MZR_DROP_UNKNOWN_PORT)).check()
        try Fixture(
            "uplink", .uplinkEntry, Reference.outer(from: address("172.16.0.9"), to: World.h1, body), port: World.uplink,
            .drop(MZR_DROP_FOREIGN_HOST)
        ).check()
    }
}
