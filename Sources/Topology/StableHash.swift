/// FNV-1a over bytes with a final mix: the same 64 bits on every machine, for ids, placement and digests.
///
/// Not for secrets. Test vectors are published in docs/placement.md; changing this function moves every role.
public struct StableHash: Sendable {
    private var state: UInt64 = 0xcbf2_9ce4_8422_2325

    public init() {}

    public mutating func combine(_ byte: UInt8) {
        state = (state ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
    }

    /// The text's UTF-8 and a zero byte, so that ("ab", "c") differs from ("a", "bc").
    public mutating func combine(_ text: String) {
        for byte in text.utf8 { combine(byte) }
        // Typed: a bare 0 is an Int, and eight bytes.
        combine(UInt8(0))
    }

    /// Big-endian.
    public mutating func combine(_ number: some FixedWidthInteger) {
        var rest = number.bigEndian
        withUnsafeBytes(of: &rest) { for byte in $0 { combine(byte) } }
    }

    /// The state through Stafford's mixer 13, so that every input bit reaches every output bit.
    public var value: UInt64 {
        var x = state
        x = (x ^ x >> 30) &* 0xbf58_476d_1ce4_e5b9
        x = (x ^ x >> 27) &* 0x94d0_49bb_1331_11eb
        return x ^ x >> 31
    }

    /// The stable id of a name, as map rows carry it.
    public static func id(_ name: String) -> UInt64 {
        var hash = StableHash()
        hash.combine(name)
        return hash.value
    }
}
