public import Topology

/// What the data plane reads of an endpoint's IP packet (docs/datapath.md, Flows).
public struct InnerPacket: Hashable, Sendable {
    /// Of the upper layer, where it has any and the packet is no fragment.
    public struct Ports: Hashable, Sendable {
        public var source: UInt16
        public var destination: UInt16

        public init(source: UInt16, destination: UInt16) {
            self.source = source
            self.destination = destination
        }
    }

    public var source: IPAddress
    /// Of the same family as `source`.
    public var destination: IPAddress
    /// IANA's number of the upper layer. ICMP and ICMPv6 stand for an echo request.
    public var protocolNumber: UInt8
    public var ports: Ports?
    /// IPv6's, 20 bits.
    public var flowLabel: UInt32
    /// TTL or hop limit.
    public var hops: UInt8
    /// Bytes from the IP header on. A packet of IPv4 has DF: without it, one that is too big is sent in fragments.
    public var size: Int

    public init(
        source: IPAddress, destination: IPAddress, protocolNumber: UInt8, ports: Ports? = nil, flowLabel: UInt32 = 0,
        hops: UInt8 = 64, size: Int = 84
    ) {
        self.source = source
        self.destination = destination
        self.protocolNumber = protocolNumber
        self.ports = ports
        self.flowLabel = flowLabel
        self.hops = hops
        self.size = size
    }

    public static let icmp: UInt8 = 1
    public static let icmp6: UInt8 = 58

    /// TCP, UDP, DCCP, SCTP and UDP-Lite.
    public static func hasPorts(_ protocolNumber: UInt8) -> Bool { [6, 17, 33, 132, 136].contains(protocolNumber) }

    /// Whether a gateway answers it.
    var isEcho: Bool { protocolNumber == (destination.isIPv4 ? Self.icmp : Self.icmp6) }

    /// The flow's hash: who serves it, and the entropy of the outer source port.
    public var flow: UInt32 {
        var state = UInt32(protocolNumber)
        if !source.isIPv4 { state = FlowHash.absorb(state, flowLabel & 0xf_ffff) }
        for word in FlowHash.words(source) + FlowHash.words(destination) { state = FlowHash.absorb(state, word) }
        if let ports { state = FlowHash.absorb(state, UInt32(ports.source) << 16 | UInt32(ports.destination)) }
        return FlowHash.mix(state)
    }
}

/// The functions of bpf/parse.h that hashes are made of, in 32 bits.
enum FlowHash {
    static func mix(_ value: UInt32) -> UInt32 {
        var x = value
        x ^= x >> 16
        x &*= 0x7feb_352d
        x ^= x >> 15
        x &*= 0x846c_a68b
        return x ^ x >> 16
    }

    static func absorb(_ state: UInt32, _ word: UInt32) -> UInt32 { ((state << 5 | state >> 27) ^ word) &* 0x9e37_79b1 }

    /// One word for IPv4, four for IPv6.
    static func words(_ address: IPAddress) -> [UInt32] {
        if let v4 = address.v4 { return [v4] }
        return [96, 64, 32, 0].map { UInt32(truncatingIfNeeded: address.bits >> UInt128($0)) }
    }

    /// Rendezvous hashing: the member with the highest score serves the flow.
    static func score(_ flow: UInt32, _ member: IPAddress) -> UInt32 { mix(flow ^ mix(member.v4 ?? 0)) }
}
