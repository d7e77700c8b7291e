/// A block of addresses: a prefix without host bits, and its length.
public struct CIDR: Hashable, Sendable {
    public let prefix: IPAddress
    /// Of the 128 bits: an IPv4 `/24` is 120. `length` is what users write.
    public let fullLength: Int

    /// The block of `length` bits (0...32 or 0...128, by the family of `address`) that `address` lies in.
    public init(containing address: IPAddress, length: Int) {
        fullLength = address.isIPv4 ? length + 96 : length
        prefix = IPAddress(bits: address.bits & Self.mask(fullLength))
    }

    /// A block from a row's key; nil if `prefix` has host bits or `fullLength` is beyond 128.
    public init?(prefix: IPAddress, fullLength: Int) {
        guard (0...128).contains(fullLength), prefix.bits & ~Self.mask(fullLength) == 0 else { return nil }
        self.prefix = prefix
        self.fullLength = fullLength
    }

    public var isIPv4: Bool { prefix.isIPv4 }

    /// 0...32 or 0...128.
    public var length: Int { isIPv4 ? fullLength - 96 : fullLength }

    public var first: IPAddress { prefix }
    public var last: IPAddress { IPAddress(bits: prefix.bits | ~Self.mask(fullLength)) }

    /// Whether the block is so small (/31, /32, /127, /128) that no address of it has a meaning of its own.
    public var isPointToPoint: Bool { fullLength >= 127 }

    public func contains(_ address: IPAddress) -> Bool {
        address.isIPv4 == isIPv4 && address.bits & Self.mask(fullLength) == prefix.bits
    }

    public func contains(_ other: CIDR) -> Bool { other.fullLength >= fullLength && contains(other.prefix) }

    public func overlaps(_ other: CIDR) -> Bool { contains(other) || other.contains(self) }

    static func mask(_ fullLength: Int) -> UInt128 { fullLength == 0 ? 0 : UInt128.max << UInt128(128 - fullLength) }
}

extension CIDR: Comparable {
    public static func < (left: Self, right: Self) -> Bool {
        (left.prefix, left.fullLength) < (right.prefix, right.fullLength)
    }
}

extension CIDR: LosslessStringConvertible {
    /// `10.0.0.0/16` or `fd00::/48`; nil for anything else, host bits included (`10.0.0.1/16`).
    public init?(_ text: String) {
        guard let (address, length) = Self.split(text) else { return nil }
        let block = CIDR(containing: address, length: length)
        guard block.prefix == address else { return nil }
        self = block
    }

    /// Address and length of `text`, host bits allowed, so that an error can name the block that was meant.
    public static func split(_ text: String) -> (IPAddress, Int)? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPAddress(String(parts[0])), (1...3).contains(parts[1].utf8.count),
            parts[1].utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            parts[1].utf8.count == 1 || parts[1].first != "0",
            let length = Int(parts[1]), length <= (address.isIPv4 ? 32 : 128)
        else { return nil }
        return (address, length)
    }

    public var description: String { "\(prefix)/\(length)" }
}

extension CIDR: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let block = Self(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "“\(text)” is no CIDR")
        }
        self = block
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
