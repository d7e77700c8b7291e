import Desired
import Testing
import Topology

@Suite struct CorpusTests {
    @Test func hasAtLeastSixtyBadTrees() {
        #expect(Corpus.names.count - Corpus.good.count >= 60)
        #expect(Corpus.good.count >= 10)
    }

    @Test(arguments: Corpus.names) func findsExactlyWhatIsExpected(_ name: String) throws {
        let result = TopologyReader.read(try Corpus.tree(name))
        let found = result.diagnostics.map(\.summary).sorted()
        let told = result.diagnostics.map(\.description).joined(separator: "\n")
        #expect(try found == Corpus.expected(name), "\(told)")
        #expect(result.diagnostics == result.diagnostics.sorted())
        #expect((result.topology == nil) == result.diagnostics.contains { $0.severity == .error })
    }

    @Test(arguments: Corpus.names) func messagesAreOneSentenceWithoutAFullStop(_ name: String) throws {
        for diagnostic in TopologyReader.read(try Corpus.tree(name)).diagnostics {
            #expect(!diagnostic.message.hasSuffix("."))
            #expect(!diagnostic.description.contains("\n"))
        }
    }

    /// Codes that no small tree can show are tested on their own.
    @Test func everyCodeHasATree() throws {
        let shown = Set(try Corpus.names.flatMap { try Corpus.expected($0).map(Corpus.code) })
        let elsewhere: Set<DiagnosticCode> = [
            .fileTooLarge, .unreadable, .foldersTooDeep, .idCollision, .beyondLimits, .pathTooLong, .tooManyFindings, .tooManyWarnings,
        ]
        for code in DiagnosticCode.allCases where !elsewhere.contains(code) {
            #expect(shown.contains(code.rawValue), "\(code) (\(code.rawValue)) has no tree")
        }
    }
}
