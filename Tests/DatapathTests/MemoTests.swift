import CBPF
import TestSupport
import Testing
import Topology

private let own = address("10.0.1.10")
private let known = address("10.0.1.20")

private func frame(from: IPAddress = own, to: IPAddress = known, source: MACAddress = World.a1, port: Int = 2000) -> [UInt8] {
    Packet.frame(
        to: World.gateway, from: source, type: Packet.ipv4,
        Packet.ipv4(from: from, to: to, protocol: 17, Packet.udp(from: 1000, to: port, Array(0..<24))))
}

extension World {
    fileprivate func endpoint(_ address: IPAddress) throws -> mzr_endpoint {
        let size = MemoryLayout<mzr_endpoint>.size
        return try #require(datapath.get("endpoints", Self.endpointKey(100, address), size: size))
            .withUnsafeBytes { $0.loadUnaligned(as: mzr_endpoint.self) }
    }

    fileprivate func put(_ address: IPAddress, _ row: mzr_endpoint) throws {
        try datapath.put("endpoints", Self.endpointKey(100, address), Self.raw(row))
    }

    /// Where the frame is sent to, in Geneve.
    fileprivate func target(_ frame: [UInt8]) throws -> IPAddress {
        let outcome = try send(frame)
        #expect(outcome.verdict == Fixture.redirect, "drops: \(drops())")
        return IPAddress(v4: outcome.packet[30..<34].reduce(0) { $0 << 8 | UInt32($1) })
    }
}

extension DatapathTests {
    @Test("what the reconciler writes counts for the next packet, whatever programs remember")
    func writtenRows() throws {
        let world = try World.shared.get()
        try world.reset()
        // Where an endpoint is.
        let row = try world.endpoint(known)
        defer { try? world.put(known, row) }
        #expect(try world.target(frame()) == World.h2)
        #expect(try world.target(frame()) == World.h2)
        var moved = row
        moved.host = World.host(World.h3)
        try world.put(known, moved)
        #expect(try world.target(frame()) == World.h3)
        try world.put(known, row)

        // Whose an address is: who lost it sends nothing more.
        let mine = try world.endpoint(own)
        defer { try? world.put(own, mine) }
        var lost = mine
        lost.ifindex = 99
        try world.put(own, lost)
        #expect(try world.send(frame()).verdict == Fixture.shot)
        #expect(world.drops().mapValues(\.first) == [MZR_DROP_SPOOFED_IP.rawValue: 1])
        try world.put(own, mine)
        #expect(try world.target(frame()) == World.h2)

        // Who is a host: who left the topology is not heard any more.
        let inner = Packet.frame(
            to: World.gateway, from: World.a1, type: Packet.ipv4,
            Packet.ipv4(from: known, to: own, protocol: 17, Packet.udp(from: 1000, to: 2000, [1])))
        let packet = Reference.outer(from: World.h2, to: World.h1, inner)
        try world.reset()
        #expect(try world.receive(packet).verdict == Fixture.redirect)
        let key = World.raw(World.host(World.h2))
        let peer = try #require(world.datapath.get("hosts", key, size: MemoryLayout<mzr_host>.size))
        defer { try? world.datapath.put("hosts", key, peer) }
        world.datapath.remove("hosts", key)
        #expect(try world.receive(packet).verdict == Fixture.shot)
        #expect(world.drops().mapValues(\.first) == [MZR_DROP_FOREIGN_HOST.rawValue: 1])
    }

    @Test("a VNI that no row is for is forgotten as soon as it has one", arguments: [Datapath.Program.uplink, .xdp])
    func unknownVNI(program: Datapath.Program) throws {
        let world = try World.shared.get()
        try world.reset()
        let vni: UInt32 = 999
        let inner = Packet.frame(
            to: World.gateway, from: World.a1, type: Packet.ipv4,
            Packet.ipv4(from: known, to: own, protocol: 17, Packet.udp(from: 1000, to: 2000, [1])))
        let stranger = Reference.outer(from: World.h2, to: World.h1, vni: vni, stage: 3, inner)
        for _ in 0..<3 { _ = try world.receive(stranger, program) }
        #expect(world.drops().mapValues(\.first) == [MZR_DROP_NO_VPC.rawValue: 3])
        // Others from that host go on meanwhile.
        try world.reset()
        let passed = program == .xdp ? Fixture.xdpPass : Fixture.redirect
        #expect(try world.receive(Reference.outer(from: World.h2, to: World.h1, inner), program).verdict == passed)
        let key = World.endpointKey(vni, own)
        try world.datapath.put("endpoints", key, World.raw(world.endpoint(own)))
        try world.datapath.put("vpcs", World.raw(vni), World.raw(mzr_vpc(id: World.vpcID(vni))))
        defer {
            world.datapath.remove("endpoints", key)
            world.datapath.remove("vpcs", World.raw(vni))
        }
        #expect(try world.receive(stranger, program).verdict == passed)
        #expect(world.drops().isEmpty)
    }

    @Test("what one packet left behind is not taken for another's")
    func strangers() throws {
        let world = try World.shared.get()
        try world.reset()
        #expect(try world.target(frame()) == World.h2)
        // Another source address, another MAC, the unspecified address: none of them is the one that passed.
        #expect(try world.send(frame(from: address("10.0.1.11"))).verdict == Fixture.shot)
        #expect(try world.send(frame(from: address("0.0.0.0"))).verdict == Fixture.shot)
        let unspecified = Packet.frame(
            to: World.gateway, from: World.a1, type: Packet.ipv6,
            Packet.ipv6(
                from: address("::"), to: address("fd00:1::20"), next: 17, Packet.udp(from: 1000, to: 2000, Array(0..<24))))
        #expect(try world.send(unspecified).verdict == Fixture.shot)
        #expect(world.drops().mapValues(\.first) == [MZR_DROP_SPOOFED_IP.rawValue: 3])
        // The same flow from another VPC's port.
        try world.reset()
        let other = try world.send(frame(source: World.c1), port: 14)
        #expect(other.verdict == Fixture.shot)
        #expect(try world.target(frame()) == World.h2)
    }
}
