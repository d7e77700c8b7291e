import Testing
import Topology

/// The vectors of docs/placement.md, made with another implementation: if one changes, every role moves.
@Suite struct StableHashTests {
    @Test(
        arguments: [
            ("", 0x25fc_6dd3_6ce0_4b20),
            ("a", 0xd013_7a57_d0ef_408f),
            ("h1", 0x4873_0d5c_95ec_1d3c),
            ("acme", 0x59be_8833_d68c_80c3),
            ("acme/prod", 0x1777_6482_e996_ef55),
            ("acme/prod/web", 0x5e6f_243f_bac9_4c87),
            ("acme/prod/web/web-1", 0x69c0_7be5_0fca_08e9),
            ("é", 0x10bb_1f0d_3e06_f4d7),
        ] as [(String, UInt64)])
    func idsOfNames(_ name: String, _ id: UInt64) { #expect(StableHash.id(name) == id) }

    @Test func emptyHash() { #expect(StableHash().value == 0xf52a_15e9_a9b5_e89b) }

    @Test func mixedInput() {
        var hash = StableHash()
        hash.combine("acme/prod")
        hash.combine(UInt32(4097))
        hash.combine(UInt8(7))
        #expect(hash.value == 0x4b30_3637_cf69_da63)
    }

    @Test func separatesTexts() {
        var left = StableHash()
        left.combine("ab")
        left.combine("c")
        var right = StableHash()
        right.combine("a")
        right.combine("bc")
        #expect(left.value != right.value)
    }

    @Test func numbersAreBigEndian() {
        var number = StableHash()
        number.combine(UInt32(0x0102_0304))
        var bytes = StableHash()
        for byte: UInt8 in [1, 2, 3, 4] { bytes.combine(byte) }
        #expect(number.value == bytes.value)
    }
}
