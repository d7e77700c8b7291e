/// An IPv4 or IPv6 address: 16 bytes, an IPv4 address in its mapped form (`::ffff:a.b.c.d`, RFC 4291 2.5.5.2).
///
/// Order is numeric, so every IPv4 address sorts between IPv6 addresses; use `isIPv4` where families matter.
public struct IPAddress: Hashable, Sendable {
    /// The 16 bytes as one number, the first byte most significant.
    public let bits: UInt128

    /// The prefix `::ffff:0:0/96` that marks an IPv4 address.
    static let mapped: UInt128 = 0xffff_0000_0000

    public init(bits: UInt128) { self.bits = bits }

    /// An IPv4 address from its number in host byte order.
    public init(v4 number: UInt32) { bits = Self.mapped | UInt128(number) }

    /// An address from 16 bytes in network order; bytes beyond the 16th are ignored, missing ones are zero.
    public init(bytes: some Sequence<UInt8>) {
        var bits: UInt128 = 0
        var count = 0
        for byte in bytes.prefix(16) {
            bits = bits << 8 | UInt128(byte)
            count += 1
        }
        self.bits = bits << UInt128((16 - count) * 8)
    }

    public var isIPv4: Bool { bits >> 32 == 0xffff }

    /// The IPv4 address as a number in host byte order, if it is one.
    public var v4: UInt32? { isIPv4 ? UInt32(truncatingIfNeeded: bits) : nil }

    /// 16 bytes in network order.
    public var bytes: [UInt8] {
        (0..<16).map { UInt8(truncatingIfNeeded: bits >> UInt128(120 - 8 * $0)) }
    }

    public var isMulticast: Bool {
        if let v4 { return v4 >> 28 == 0xe }
        return bits >> 120 == 0xff
    }

    /// Usable as somebody's address: not unspecified, loopback, link-local, multicast or limited broadcast.
    public var isUnicast: Bool {
        if let v4 {
            return v4 >> 24 != 0 && v4 >> 24 != 127 && v4 >> 16 != 0xa9fe && v4 >> 28 < 0xe
        }
        return bits > 1 && bits >> 118 != 0x3fa && !isMulticast && bits >> 32 != 0
    }
}

extension IPAddress: Comparable {
    public static func < (left: Self, right: Self) -> Bool { left.bits < right.bits }
}

extension IPAddress: LosslessStringConvertible {
    /// The address that `text` writes, or nil.
    ///
    /// IPv4 is four decimal numbers without leading zeros (`10.0.0.1`; not `10.1`, `010.0.0.1`). IPv6 is RFC 4291's
    /// text, also with an IPv4 tail; not with a zone (`fe80::1%eth0`), and not an IPv4-mapped address, which is an
    /// IPv4 address in disguise.
    public init?(_ text: String) {
        if text.utf8.contains(UInt8(ascii: ":")) {
            guard let bits = Self.parseIPv6(Substring(text)), bits >> 32 != 0xffff else { return nil }
            self.init(bits: bits)
        } else {
            guard let number = Self.parseIPv4(Substring(text)) else { return nil }
            self.init(v4: number)
        }
    }

    /// RFC 5952's canonical text.
    public var description: String {
        if let v4 {
            return "\(v4 >> 24).\(v4 >> 16 & 0xff).\(v4 >> 8 & 0xff).\(v4 & 0xff)"
        }
        let groups = (0..<8).map { UInt16(truncatingIfNeeded: bits >> UInt128(112 - 16 * $0)) }
        var best = 0..<0
        var start = 0
        while start < 8 {
            var end = start
            while end < 8, groups[end] == 0 { end += 1 }
            if end - start > max(best.count, 1) { best = start..<end }
            start = max(end, start + 1)
        }
        func hex(_ part: ArraySlice<UInt16>) -> String {
            part.map { String($0, radix: 16) }.joined(separator: ":")
        }
        return best.isEmpty ? hex(groups[...]) : hex(groups[..<best.lowerBound]) + "::" + hex(groups[best.upperBound...])
    }

    private static func parseIPv4(_ text: Substring) -> UInt32? {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var number: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.count), part.count == 1 || part.first != UInt8(ascii: "0") else { return nil }
            var value: UInt32 = 0
            for digit in part {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
                value = value * 10 + UInt32(digit - UInt8(ascii: "0"))
            }
            guard value <= 255 else { return nil }
            number = number << 8 | value
        }
        return number
    }

    private static func parseIPv6(_ text: Substring) -> UInt128? {
        func groups(_ text: Substring, allowIPv4 isLast: Bool) -> [UInt16]? {
            if text.isEmpty { return [] }
            var result: [UInt16] = []
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            for (index, part) in parts.enumerated() {
                if isLast, index == parts.count - 1, part.utf8.contains(UInt8(ascii: ".")) {
                    guard let v4 = parseIPv4(part) else { return nil }
                    result += [UInt16(v4 >> 16), UInt16(v4 & 0xffff)]
                } else {
                    guard (1...4).contains(part.utf8.count), part.utf8.allSatisfy({ isHexDigit($0) }),
                        let group = UInt16(part, radix: 16)
                    else { return nil }
                    result.append(group)
                }
            }
            return result
        }
        var all: [UInt16]
        if let gap = text.firstRange(of: "::") {
            guard let head = groups(text[..<gap.lowerBound], allowIPv4: false),
                let tail = groups(text[gap.upperBound...], allowIPv4: true), head.count + tail.count <= 7
            else { return nil }
            all = head + Array(repeating: 0, count: 8 - head.count - tail.count) + tail
        } else {
            guard let whole = groups(text, allowIPv4: true) else { return nil }
            all = whole
        }
        guard all.count == 8 else { return nil }
        return all.reduce(0) { $0 << 16 | UInt128($1) }
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default: false
        }
    }
}

extension IPAddress: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let address = Self(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "“\(text)” is no IP address")
        }
        self = address
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
