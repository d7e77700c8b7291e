public import Topology

/// What one data plane tells another about an address (docs/direct-path.md).
public struct ControlPacket: Hashable, Sendable {
    public enum Message: Hashable, Sendable {
        /// "Who has it?", by way of tables.
        case ask(stage: Stage, origin: IPAddress)
        /// "I have it": stable id of its network.
        case have(network: UInt64)
        /// "Nobody has it", and why.
        case none(DropReason)
        /// "I do not have it."
        case gone
    }

    public var message: Message
    public var about: EndpointKey
    public var from: IPAddress
    public var to: IPAddress
    /// Stable id of the VPC that a question means; 0: nobody had the VNI there.
    public var vpc: UInt64 = 0
    /// The asker's period: what the nonce of a question, and of the answer to it, proves.
    public var period: UInt32

    /// 2^31 ns in ticks of 2^24.
    private static let ticksOfPeriod: UInt32 = 128

    static func ask(_ key: EndpointKey, of vpc: UInt64, from: IPAddress, to: IPAddress, stage: Stage, at tick: UInt32) -> Self {
        Self(message: .ask(stage: stage, origin: from), about: key, from: from, to: to, vpc: vpc, period: tick / ticksOfPeriod)
    }

    static func gone(_ key: EndpointKey, from: IPAddress, to: IPAddress, at tick: UInt32) -> Self {
        Self(message: .gone, about: key, from: from, to: to, period: tick / ticksOfPeriod)
    }

    /// Whether the nonce is of a moment ago, this period's or the last one's, and of a question that meant this VPC.
    func isProven(at tick: UInt32, of vpc: UInt64) -> Bool {
        let now = tick / Self.ticksOfPeriod
        return self.vpc == vpc && (period == now || period &+ 1 == now)
    }

    func passedOn(from: IPAddress, to: IPAddress, _ message: Message) -> Self {
        Self(message: message, about: about, from: from, to: to, vpc: vpc, period: period)
    }
}
