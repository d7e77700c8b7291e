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

@Suite struct SuggestionTests {
    @Test(arguments: [
        ("adress", ["address", "interface"], "address"), ("vpc", ["VPC", "Host"], "VPC"), ("nmae", ["name", "kind"], "name"),
        ("Hots", ["Host", "VPC"], "Host"), ("h9", ["h2", "h1"], "h1"), ("acme/prd", ["acme/prod", "acme/test"], "acme/prod"),
    ])
    func findsWhatIsMeant(_ typed: String, _ known: [String], _ meant: String) {
        #expect(Suggestion.closest(to: typed, among: known) == meant)
        #expect(Suggestion.closest(to: typed, among: known.reversed()) == meant)
    }

    @Test(arguments: [("owner", ["name", "kind"]), ("", ["name"]), ("x", []), ("vlan", ["ip", "ips", "mac"])])
    func staysSilentAboutTheRest(_ typed: String, _ known: [String]) {
        #expect(Suggestion.closest(to: typed, among: known) == nil)
    }

    @Test(arguments: [
        ("", "", 0), ("abc", "abc", 0), ("abc", "acb", 1), ("abc", "ab", 1), ("abc", "abcd", 1), ("abc", "xyz", 3), ("", "ab", 2),
    ])
    func countsErrors(_ left: String, _ right: String, _ count: Int) {
        #expect(Suggestion.distance(Array(left.utf8), Array(right.utf8)) == count)
        #expect(Suggestion.distance(Array(right.utf8), Array(left.utf8)) == count)
    }
}
