import Foundation
import Testing
import Topology

@testable import Desired

@Suite struct ReadingTests {
    static let contract = (try? String(contentsOf: Corpus.folder.appending(path: "good-contract/topology.yaml"), encoding: .utf8)) ?? ""

    @Test func fillsInDefaultsAndKeepsPlaces() throws {
        let topology = try #require(TopologyReader.read(SourceTree(Self.contract)).topology)
        #expect(topology.cluster.name == "lab")
        #expect(topology.cluster.port == 6081)
        #expect(topology.cluster.settle == 60_000)
        #expect(topology.cluster.at == SourceLocation(file: "t.yaml", line: 3, column: 7))
        let host = try #require(topology.hosts.last)
        #expect(host.name == "h2")
        #expect(host.weight == 100)
        #expect(host.state == .active)
        #expect(host.datapath == .auto)
        #expect(host.mtu == nil)
        #expect(topology.hosts.first?.mtu == 9000)
        let vpc = try #require(topology.vpcs.first)
        #expect(vpc.vni == 4097)
        #expect(vpc.cidrs.map(\.description) == ["10.0.0.0/16", "fd00:1::/32"])
        #expect(vpc.dividersAt?.line == 34)
        let network = try #require(topology.networks.first)
        #expect(network.vpc == "acme/prod")
        #expect(network.gateways.map { $0?.description } == ["10.0.1.254", "fd00:1:1::1"])
        #expect(network.bouncers == 2)
        #expect(topology.endpoints.map(\.name) == ["web-1", "web-2", "web-3"].map { "acme/prod/web/\($0)" })
        let second = topology.endpoints[1]
        #expect(second.addresses.map(\.description) == ["10.0.1.11", "fd00:1:1::11"])
        #expect(second.mac?.description == "02:00:00:00:00:11")
        #expect(second.network == "acme/prod/web")
        #expect(topology.endpoints[0].mac == nil)
        let line = Self.contract.split(separator: "\n", omittingEmptySubsequences: false)[second.at.line - 1]
        #expect(line.hasPrefix("  web-2:"))
        #expect(second.at.column == 3)
    }

    @Test func hasNoRoleCountPlacesForDefaults() throws {
        let tree = try Corpus.tree("good-defaults-with-one-host")
        let result = TopologyReader.read(tree)
        #expect(result.diagnostics.isEmpty)
        let topology = try #require(result.topology)
        #expect(topology.cluster == Cluster())
        #expect(topology.vpcs[0].dividers == 2)
        #expect(topology.vpcs[0].dividersAt == nil)
        #expect(topology.networks[0].bouncersAt == nil)
        #expect(topology.hosts[0].zone == "default")
    }

    @Test func pointToPointBlocksHaveNoGatewayUnlessSaid() throws {
        let topology = try #require(TopologyReader.read(try Corpus.tree("good-point-to-point")).topology)
        #expect(topology.networks[0].gateways == [IPAddress("10.0.1.1"), nil, nil, nil])
    }

    @Test func gatewaysBelongToTheBlockThatHasThem() throws {
        let topology = try #require(TopologyReader.read(try Corpus.tree("good-gateways")).topology)
        #expect(topology.networks[0].gateways == [IPAddress("10.0.1.254"), IPAddress("fd00:1:1::fe")])
    }

    @Test(arguments: [("500ms", 500), ("0s", 0), ("60s", 60_000), ("5m", 300_000), ("168h", 604_800_000)])
    func readsDurations(_ text: String, _ milliseconds: UInt64) {
        let tree = SourceTree("apiVersion: mizar/v1\nkind: Cluster\nname: lab\nsettle: \(text)\n")
        #expect(TopologyReader.read(tree).topology?.cluster.settle == milliseconds)
    }

    @Test(arguments: ["60", "-1s", "1.5s", "s", "1 s", "1S", "169h", "9999999999ms", "1d", "", "٣s"])
    func refusesOtherDurations(_ text: String) {
        let tree = SourceTree("apiVersion: mizar/v1\nkind: Cluster\nname: lab\nsettle: \"\(text)\"\n")
        #expect(TopologyReader.read(tree).diagnostics.map(\.code) == ["MZ213"])
    }

    // MARK: Order

    /// Documents dealt to files in another order, by another split, give the same topology apart from places.
    @Test(arguments: 0..<24) func orderAndFileNamesCarryNoMeaning(_ seed: UInt64) throws {
        let documents = Self.contract.components(separatedBy: "---\n")
        var random = SplitMix(state: seed)
        var files: [(path: String, text: String)] = []
        for document in documents.shuffled(using: &random) {
            if files.isEmpty || Bool.random(using: &random) {
                files.append(("\(random.next() % 1000)/\(files.count).yml", document))
            } else {
                files[files.count - 1].text += "---\n\(document)"
            }
        }
        let permuted = try #require(
            TopologyReader.read(
                SourceTree(files: files.shuffled(using: &random).map { SourceFile(path: $0.path, bytes: Array($0.text.utf8)) })
            ).topology)
        let original = try #require(TopologyReader.read(SourceTree(Self.contract)).topology)
        #expect(permuted.withoutPlaces == original.withoutPlaces)
    }

    @Test(arguments: ["all-at-once", "duplicate-endpoint", "networks-overlap", "good-contract"])
    func orderOfTheListOfFilesChangesNothing(_ name: String) throws {
        let tree = try Corpus.tree(name)
        let there = TopologyReader.read(tree)
        let back = TopologyReader.read(SourceTree(files: tree.files.reversed()))
        #expect(there.diagnostics == back.diagnostics)
        #expect(there.topology == back.topology)
    }

    // MARK: Hostile input

    @Test func reportsFilesThatAreTooLarge() {
        let bytes = [UInt8](repeating: UInt8(ascii: "#"), count: YAMLLimits.bytes + 1)
        let found = TopologyReader.read(SourceTree(files: [SourceFile(path: "big.yaml", bytes: bytes)]))
        #expect(found.diagnostics.map(\.summary) == ["big.yaml:1:1: error[MZ001]"])
    }

    @Test func takesAFileAtTheLimit() {
        var bytes = Array("apiVersion: mizar/v1\nkind: Tenant\nname: acme\n#".utf8)
        bytes += [UInt8](repeating: UInt8(ascii: " "), count: YAMLLimits.bytes - bytes.count)
        #expect(TopologyReader.read(SourceTree(files: [SourceFile(path: "big.yaml", bytes: bytes)])).diagnostics.isEmpty)
    }

    @Test(arguments: ["[", "{a: ", "- ", "? "]) func bombsOfNestingEndAtOnce(_ opening: String) {
        let text = String(repeating: opening, count: 1 << 20)
        let result = TopologyReader.read(SourceTree(text))
        #expect(result.diagnostics.count == 1)
        #expect(["MZ003", "MZ004"].contains(result.diagnostics.first?.code))
    }

    @Test func sixteenLevelsAreAllowed() {
        let list = String(repeating: "[", count: 15) + String(repeating: "]", count: 15)
        let result = TopologyReader.read(SourceTree("apiVersion: mizar/v1\nkind: Tenant\nname: \(list)\n"))
        #expect(result.diagnostics.map(\.code) == ["MZ104"])
    }

    /// Any bytes give a topology or say why not; nothing traps.
    @Test(arguments: 0..<8) func mutatedFilesGiveATopologyOrErrors(_ seed: UInt64) {
        var random = SplitMix(state: seed)
        let original = Array(Self.contract.utf8)
        let interesting = Array("{}[]&*!|>'\"%@`:,-?#~\n\t \u{0}\r<=.0/".utf8) + [0xff, 0xc3, 0xef, 0xbb, 0xbf, 0x85]
        for _ in 0..<250 {
            var bytes = original
            for _ in 0...Int.random(in: 0...6, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[place] = interesting.randomElement(using: &random) ?? 0
                case 1: bytes.insert(interesting.randomElement(using: &random) ?? 0, at: place)
                case 2: bytes.remove(at: place)
                default: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...40, using: &random)))
                }
            }
            let result = TopologyReader.read(SourceTree(files: [SourceFile(path: "t.yaml", bytes: bytes)]))
            let hasErrors = result.diagnostics.contains { $0.severity == .error }
            #expect((result.topology == nil) == hasErrors, "\(String(decoding: bytes, as: UTF8.self))")
            #expect(result.diagnostics.allSatisfy { $0.at.line >= 1 && $0.at.column >= 1 })
        }
    }

    // MARK: Identities

    @Test func reportsNamesWithOneID() throws {
        let files = [ParsedFile(path: "t.yaml", bytes: Array(Self.contract.utf8))]
        let result = TopologyCheck(files) { $0.hasSuffix("/web-3") ? StableHash.id("h1") : StableHash.id($0) }.run()
        #expect(result.diagnostics.map(\.code) == ["MZ421"])
        #expect(result.diagnostics.first?.message.contains("acme/prod/web/web-3") == true)
        #expect(result.topology == nil)
    }

    // MARK: Helpfulness

    @Test(arguments: [
        ("misspelt-field", "did you mean “address”?"), ("kind-in-lower-case", "did you mean “VPC”?"),
        ("datapath-unknown", "did you mean “xdp”?"), ("unknown-network", "did you mean “acme/prod/web”?"),
        ("cidr-host-bits", "write 10.0.0.0/16"), ("ip-mapped", "write 10.0.1.10"), ("cidr-mapped", "write 10.0.0.0/16"),
        ("name-number", "quote it: \"123\""), ("vni-quoted", "leave the quotes off: 4097"), ("name-underscore", "write web-1"),
    ])
    func hintsSayWhatToWrite(_ tree: String, _ hint: String) throws {
        #expect(TopologyReader.read(try Corpus.tree(tree)).diagnostics.map(\.hint) == [hint])
    }

    @Test(arguments: [
        ("duplicate-host", "a.yaml:3:7"), ("duplicate-endpoint", "a.yaml:22:3"), ("second-cluster", "a.yaml:9:7"),
        ("duplicate-key", "line 3, column 1"),
    ])
    func duplicatesNameBothPlaces(_ tree: String, _ place: String) throws {
        let diagnostic = try #require(TopologyReader.read(try Corpus.tree(tree)).diagnostics.first)
        #expect(diagnostic.message.contains(place))
        #expect(diagnostic.other != nil)
    }
}
