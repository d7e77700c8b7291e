import CBPF
import TestSupport
import Testing
import Topology

private let flows = 4000

extension World {
    /// The bouncer of each of many flows from one endpoint to one address.
    fileprivate func bouncersOfFlows(_ bouncers: [IPAddress]) throws -> [IPAddress] {
        try network(100, "10.0.4.0", 120, id: 4, bouncers)
        datapath.countGeneration()
        return try (0..<flows).map { flow in
            let frame = Packet.frame(
                to: Self.gateway, from: Self.a1, type: Packet.ipv4,
                Packet.ipv4(
                    from: address("10.0.1.10"), to: address("10.0.4.7"), protocol: 17, Packet.udp(from: 1024 + flow, to: 53, [1])))
            let outcome = try send(frame)
            guard outcome.verdict == Fixture.redirect else { throw FixtureError(text: "drops: \(drops())") }
            return IPAddress(v4: outcome.packet[30..<34].reduce(0) { $0 << 8 | UInt32($1) })
        }
    }
}

extension DatapathTests {
    @Test("members share the flows, and about 1/n of them move when one of n comes or goes")
    func fewFlowsMove() throws {
        let world = try World.shared.get()
        try world.reset()
        // Nothing is asked or learned: tables alone choose.
        try world.config { $0.direct_after = .max }
        let members = (0..<6).map { IPAddress(v4: 0xac10_000a + UInt32($0)) }
        for (number, member) in members.enumerated() {
            try world.datapath.put("hosts", World.raw(World.host(member)), World.raw(World.peer(100 + UInt64(number))))
        }
        defer {
            for member in members { world.datapath.remove("hosts", World.raw(World.host(member))) }
            try? world.network(100, "10.0.4.0", 120, id: 4, [World.h1])
            try? world.reset()
        }
        let five = Array(members.dropLast())
        let before = try world.bouncersOfFlows(five)
        for member in five {
            let share = before.count { $0 == member } * five.count
            #expect(share > flows * 85 / 100 && share < flows * 115 / 100, "\(member) has \(share / five.count)")
        }
        for gone in five {
            let after = try world.bouncersOfFlows(five.filter { $0 != gone })
            #expect(zip(before, after).allSatisfy { $0 == gone ? $1 != gone : $0 == $1 }, "without \(gone)")
        }
        let after = try world.bouncersOfFlows(members)
        let moved = zip(before, after).filter { $0 != $1 }
        #expect(moved.allSatisfy { $1 == members[5] })
        #expect(moved.count * 6 > flows * 85 / 100 && moved.count * 6 < flows * 115 / 100, "\(moved.count) of \(flows)")
    }
}
