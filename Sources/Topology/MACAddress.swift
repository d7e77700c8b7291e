/// An Ethernet address: 48 bits.
public struct MACAddress: Hashable, Sendable {
    /// The six bytes as one number, the first byte most significant; the upper 16 bits are zero.
    public let bits: UInt64

    public init(bits: UInt64) { self.bits = bits & 0xffff_ffff_ffff }

    /// From six bytes in the order of the wire.
    public init(bytes: some Sequence<UInt8>) {
        bits = bytes.prefix(6).reduce(0) { $0 << 8 | UInt64($1) }
    }

    public var bytes: [UInt8] { (0..<6).map { UInt8(truncatingIfNeeded: bits >> UInt64(40 - 8 * $0)) } }

    /// Neither zero nor a group address (IEEE 802: the first byte's lowest bit).
    public var isUnicast: Bool { bits != 0 && bits >> 40 & 1 == 0 }

    /// What an endpoint without a `mac` is taken to use before it has spoken: `0a:58` and its IPv4 address, or the
    /// last four bytes of its first address if it has no IPv4 one.
    public static func assumed(for addresses: [IPAddress]) -> MACAddress {
        let address = addresses.first { $0.isIPv4 } ?? addresses.first
        return MACAddress(bits: 0x0a58_0000_0000 | UInt64(UInt32(truncatingIfNeeded: address?.bits ?? 0)))
    }
}

extension MACAddress: LosslessStringConvertible {
    /// `02:00:00:00:00:11`: six pairs of hexadecimal digits with colons; nil for anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 6 else { return nil }
        var bits: UInt64 = 0
        for part in parts {
            guard part.utf8.count == 2, part.first?.isHexDigit == true, let byte = UInt8(part, radix: 16) else { return nil }
            bits = bits << 8 | UInt64(byte)
        }
        self.init(bits: bits)
    }

    public var description: String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
    }
}

extension MACAddress: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let mac = Self(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "“\(text)” is no MAC address")
        }
        self = mac
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
