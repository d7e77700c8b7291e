import Testing

@testable import Desired

/// YAML 1.2's core schema, and nothing of YAML 1.1.
@Suite struct ScalarTests {
    private func type(_ text: String) -> ScalarType { ScalarType(Array(text.utf8)[...]) }

    @Test(arguments: ["", "~", "null", "Null", "NULL"])
    func isNull(_ text: String) { #expect(type(text) == .null) }

    @Test(arguments: ["true", "True", "TRUE", "false", "False", "FALSE"])
    func isBoolean(_ text: String) { #expect(type(text) == .boolean) }

    @Test(arguments: [
        ("0", 0), ("-0", 0), ("+12", 12), ("-7", -7), ("007", 7), ("0o17", 15), ("0x1F", 31), ("0xff", 255),
        ("9223372036854775807", Int.max), ("99999999999999999999", Int.max / 10 * 10),
    ])
    func isInteger(_ text: String, _ value: Int) {
        #expect(type(text) == .integer)
        #expect(ScalarType.integer(Array(text.utf8)[...]) == value)
    }

    @Test(arguments: ["1.5", "-1.5", ".5", "1.", "1e3", "1E-3", "+1.5e+10", ".inf", "-.Inf", "+.INF", ".nan", ".NaN", ".NAN"])
    func isFloat(_ text: String) { #expect(type(text) == .float) }

    @Test(arguments: [
        "yes", "no", "on", "off", "y", "n", "nULL", "tRUE", "nullx", "truest", "1:30", "02:00:00:00:00:11", "2026-01-01", "10.0.0.1",
        "1_000",
        "0b1", "0o8", "0xg", "0x", "0o", "-0x1", "+", "-", ".", "..", "1e", "1e+", "e3", "--1", "+-1", "1.5.2", "- 1", "-.nan", ".inf.",
        "fd00::1",
        "10.0.0.0/8", "h1", "é", "nul", "fals",
    ])
    func isText(_ text: String) { #expect(type(text) == .text) }
}
