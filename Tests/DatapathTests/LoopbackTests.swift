import CBPF
import TestSupport
import Testing

private struct OnLoopback: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var mark: UInt32
    var priority: UInt32
    var gso: UInt32 = 0
    var verdict: UInt32
    /// Mark and priority are gone, so the port sees the packet as the endpoint sent it.
    var isCleared = false
    var drops: [UInt32: [UInt64]] = [:]
}

private let packet = Packet.frame(
    to: World.gateway, from: World.a1, type: Packet.ipv4,
    Packet.ipv4(
        from: address("10.0.1.10"), to: address("10.0.1.20"), protocol: 17,
        Packet.udp(from: 50000, to: 4789, [UInt8](repeating: 7, count: 64)))
)

extension DatapathTests {
    @Test(arguments: [
        OnLoopback(testDescription: "the host's own", mark: 0, priority: 11, verdict: Fixture.unspecified),
        OnLoopback(testDescription: "another's mark", mark: Datapath.mark + 1, priority: 11, verdict: Fixture.unspecified),
        OnLoopback(testDescription: "no port", mark: Datapath.mark, priority: 99, verdict: Fixture.unspecified),
        OnLoopback(testDescription: "a segment", mark: Datapath.mark, priority: 11, verdict: Fixture.redirect, isCleared: true),
        OnLoopback(
            testDescription: "nobody cut it", mark: Datapath.mark, priority: 11, gso: 64, verdict: Fixture.shot,
            drops: [MZR_DROP_INTERNAL.rawValue: [1, UInt64(packet.count)]]),
    ])
    fileprivate func loopback(_ one: OnLoopback) throws {
        let world = try World.shared.get()
        try world.reset()
        let outcome = try world.namespace.run {
            try world.datapath.run(.loopback, packet, .init(ifindex: 1, mark: one.mark, gsoSize: one.gso, priority: one.priority))
        }
        #expect(outcome.verdict == one.verdict)
        #expect(outcome.packet == packet)
        #expect(outcome.mark == (one.isCleared ? 0 : one.mark))
        #expect(outcome.priority == (one.isCleared ? 0 : one.priority))
        #expect(world.drops() == one.drops)
    }
}
