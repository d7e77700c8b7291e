import Testing

@testable import Topology

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
