import Topology

/// A packet that somebody asks about, in the words of the command line.
public struct TraceQuestion: Hashable, Sendable {
    public enum Family: Int, Hashable, Sendable, CaseIterable {
        case ipv4 = 4
        case ipv6 = 6
    }

    /// An endpoint's path.
    public var from: String
    /// An endpoint's path, or an address of the sender's VPC, or any other.
    public var to: String
    /// Nil: the one both have, IPv4 first.
    public var family: Family?
    /// Nil: TCP if a port is said, else ICMP.
    public var protocolWord: String?
    public var port: UInt16?
    public var sourcePort: UInt16?
    /// IPv6's, 20 bits.
    public var flowLabel: UInt32 = 0
    /// TTL or hop limit.
    public var hops: UInt8 = 64
    /// Bytes of the IP packet.
    public var size = Self.ping

    public init(from: String, to: String) {
        self.from = from
        self.to = to
    }

    /// What `ping` sends over IPv4: 56 bytes and two headers.
    public static let ping = 84
    /// Where a port is asked for and none is said.
    public static let standardPort: UInt16 = 80
    /// The first of the dynamic ports, RFC 6335.
    public static let standardSourcePort: UInt16 = 49152

    /// Why a question has no answer: one sentence, and what to do.
    public struct Refusal: Error, Hashable, Sendable {
        public var message: String
        public var hint: String?

        init(_ message: String, hint: String? = nil) {
            self.message = message
            self.hint = hint
        }
    }

    private static let protocols: [(word: String, number: UInt8)] = [
        ("icmp", InnerPacket.icmp), ("tcp", 6), ("udp", 17), ("sctp", 132),
    ]

    /// A protocol's word, or its number where it has none here.
    static func word(_ number: UInt8) -> String {
        if number == InnerPacket.icmp6 { return "icmp" }
        return protocols.first { $0.number == number }?.word ?? "protocol \(number)"
    }

    func protocolNumber(isIPv4: Bool) throws(Refusal) -> UInt8 {
        let word = protocolWord ?? (port ?? sourcePort == nil ? "icmp" : "tcp")
        guard let number = Self.protocols.first(where: { $0.word == word })?.number ?? UInt8(word) else {
            throw Refusal(
                "“\(word)” is no protocol",
                hint: "give \(Self.protocols.map(\.word).joined(separator: ", ")) or a number from 0 to 255")
        }
        if !InnerPacket.hasPorts(number), port ?? sourcePort != nil {
            throw Refusal("\(Self.word(number)) has no ports", hint: "leave --port and --source-port out, or give --protocol tcp or udp")
        }
        return number == InnerPacket.icmp && !isIPv4 ? InnerPacket.icmp6 : number
    }

    func packet(from source: IPAddress, to destination: IPAddress) throws(Refusal) -> InnerPacket {
        let number = try protocolNumber(isIPv4: destination.isIPv4)
        var packet = InnerPacket(
            source: source, destination: destination, protocolNumber: number, flowLabel: source.isIPv4 ? 0 : flowLabel,
            hops: hops, size: size)
        if InnerPacket.hasPorts(number) {
            packet.ports = InnerPacket.Ports(
                source: sourcePort ?? Self.standardSourcePort, destination: port ?? Self.standardPort)
        }
        return packet
    }
}
