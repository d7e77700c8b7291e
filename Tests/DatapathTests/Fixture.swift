import CBPF
import TestSupport
import Testing
import Topology

/// One packet in, and what must come of it.
struct Fixture: Sendable, CustomTestStringConvertible {
    enum Expected: Sendable {
        /// Dropped, counted once, with the frame's bytes.
        case drop(mzr_drop_reason)
        /// Dropped and counted as such, and answered with these bytes out of the port it came from.
        case told(mzr_drop_reason, [UInt8])
        /// Left to the stack as it came, counted nowhere.
        case pass
        /// Sent somewhere by redirect, with these bytes. `mark` of the skb after.
        case send([UInt8], mark: UInt32 = 0, sent: UInt32? = nil, received: UInt32? = nil)
    }

    var testDescription: String
    var program: Datapath.Program
    var packet: [UInt8]
    var context: Datapath.Context
    var expected: Expected

    init(
        _ description: String, _ program: Datapath.Program, _ packet: [UInt8], port: UInt32, ingress: UInt32? = nil,
        mark: UInt32 = 0, gso: UInt32 = 0, _ expected: Expected
    ) {
        testDescription = description
        self.program = program
        self.packet = packet
        context = .init(ifindex: port, ingress: ingress ?? port, mark: mark, gsoSize: gso)
        self.expected = expected
    }

    static let unspecified = UInt32(bitPattern: -1)
    static let shot: UInt32 = 2
    static let redirect: UInt32 = 7
    static let xdpDrop: UInt32 = 1
    static let xdpPass: UInt32 = 2
    static let xdpRedirect: UInt32 = 4

    func check(in world: Result<World, any Error> = World.shared) throws {
        let world = try world.get()
        try world.reset()
        let outcome = try world.namespace.run { try world.datapath.run(program, packet, context) }
        let isXDP = program == .xdp
        switch expected {
        case .drop(let reason):
            #expect(outcome.verdict == (isXDP ? Self.xdpDrop : Self.shot))
            #expect(world.drops() == [reason.rawValue: [1, UInt64(packet.count)]])
        case .told(let reason, let bytes):
            #expect(outcome.verdict == Self.redirect)
            #expect(outcome.packet == bytes)
            #expect(outcome.mark == 0)
            #expect(world.drops() == [reason.rawValue: [1, UInt64(packet.count)]])
            let counters = world.datapath.counters("traffic", context.ifindex, count: World.trafficFields)
            #expect(Array(counters.prefix(4)) == [0, 0, 1, UInt64(bytes.count)])
        case .pass:
            #expect(outcome.verdict == (isXDP ? Self.xdpPass : Self.unspecified))
            #expect(outcome.packet == packet)
            #expect(world.drops().isEmpty)
        case .send(let bytes, let mark, let sent, let received):
            #expect(outcome.verdict == (isXDP ? Self.xdpRedirect : Self.redirect), "drops: \(world.drops())")
            // The Ethernet header of what goes to the underlay is the stack's to write.
            let skip = mark == 0 ? 0 : 12
            #expect(outcome.packet.count == bytes.count)
            #expect(Array(outcome.packet.dropFirst(skip)) == Array(bytes.dropFirst(skip)))
            #expect(outcome.mark == mark)
            #expect(world.drops().isEmpty)
            for index in World.ports.keys {
                let counters = world.datapath.counters("traffic", index, count: World.trafficFields)
                #expect(counters[0] == (sent == index ? 1 : 0), "sent by \(index)")
                #expect(counters[2] == (received == index ? 1 : 0), "received by \(index)")
            }
        }
    }
}
