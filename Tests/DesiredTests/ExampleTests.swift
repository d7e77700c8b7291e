import Desired
import Foundation
import Testing
import Topology

/// Every folder below examples/ that has a README, and files of a topology, is a tree without errors or warnings.
@Suite struct ExampleTests {
    static let folder = Corpus.repository.appending(path: "examples")
    static let names: [String] =
        (try? FileManager.default.contentsOfDirectory(atPath: folder.path()).filter {
            FileManager.default.fileExists(atPath: folder.appending(path: "\($0)/README.md").path())
                && (try? SourceTree.folder(folder.appending(path: $0).path()).files.isEmpty) == false
        }.sorted()) ?? []

    @Test(arguments: names) func isGood(_ name: String) throws {
        let result = TopologyReader.read(try SourceTree.folder(Self.folder.appending(path: name).path()))
        #expect(result.diagnostics.isEmpty, "\(result.diagnostics)")
        #expect(result.topology?.endpoints.isEmpty == false)
    }

    @Test func thereAreSome() { #expect(Self.names == ["guards", "two-tenants"]) }

    /// What docs/topology.md shows is good too.
    @Test func documentedExampleIsGood() throws {
        let text = try String(contentsOf: Corpus.repository.appending(path: "docs/topology.md"), encoding: .utf8)
        let parts = text.components(separatedBy: "```yaml\n")
        try #require(parts.count == 2)
        let example = try #require(parts[1].components(separatedBy: "```").first)
        let result = TopologyReader.read(SourceTree(example))
        #expect(result.diagnostics.isEmpty, "\(result.diagnostics)")
        #expect(result.topology?.endpoints.count == 3)
    }
}
