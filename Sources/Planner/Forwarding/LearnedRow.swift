public import Topology

/// An entry of `direct`: where an address is, or that nobody has it, as its host or a table's holder has proven.
public struct LearnedRow: Hashable, Sendable {
    /// Nil: not proven.
    public var host: IPAddress?
    /// Sent by way of tables so far, up to `ConfigRow.directAfter`.
    public var packets: UInt32
    /// Stable id of the endpoint's network.
    public var network: UInt64
    /// Ticks of the last proof and the last question.
    public var proven: UInt32
    public var asked: UInt32
    /// That nobody has the address, and why.
    public var nobody: DropReason?

    public init(
        host: IPAddress? = nil, packets: UInt32 = 0, network: UInt64 = 0, proven: UInt32 = 0, asked: UInt32 = 0,
        nobody: DropReason? = nil
    ) {
        self.host = host
        self.packets = packets
        self.network = network
        self.proven = proven
        self.asked = asked
        self.nobody = nobody
    }

    /// Ticks until an unanswered question is asked again.
    static let askAgain: UInt32 = 16
    /// Ticks that it holds that nobody has an address.
    static let nobodyAge: UInt32 = 192

    /// Another CPU's clock, which wrote `then`, may be one tick ahead.
    static func ticks(since then: UInt32, at tick: UInt32) -> UInt32 { then == tick &+ 1 ? 0 : tick &- then }

    func isFresh(at tick: UInt32, _ config: ConfigRow) -> Bool { host != nil && Self.ticks(since: proven, at: tick) <= config.directAge }
    func saysNobody(at tick: UInt32) -> Bool { host == nil && nobody != nil && Self.ticks(since: proven, at: tick) <= Self.nobodyAge }
}
