import Desired
import Foundation
import Testing
import Topology

/// docs/errors.md is what the source says about its codes.
@Suite struct ErrorReferenceTests {
    static let file = Corpus.repository.appending(path: "docs/errors.md")

    static var rendered: String {
        let groups = [
            ("MZ0", "Files and YAML"), ("MZ1", "The shape of a document"), ("MZ2", "Values"), ("MZ3", "References"),
            ("MZ4", "Rules over several resources"),
        ]
        var text = """
            # Findings about a topology

            `mizar-reconcile validate` and every command that reads a topology print one line a finding,
            `file:line:column: error[CODE]: what; what to do`, all of a tree in one run, sorted by place. The place is the
            offending value; for a missing field, the mapping that lacks it; for an unknown field or a duplicate key, the key.
            What only follows from another error is not reported. Warnings do not stop anything. A code keeps its meaning.

            This file is made from `Sources/Desired/DiagnosticCode*.swift`; `MIZAR_RECORD=1 swift test --filter
            ErrorReferenceTests` writes it anew.

            """
        for (prefix, title) in groups {
            text += "\n## \(title)\n"
            for code in DiagnosticCode.allCases where code.rawValue.hasPrefix(prefix) {
                let warning = code.severity == .warning ? " (warning)" : ""
                text += "\n### \(code.rawValue): \(code.entry.title)\(warning)\n\n\(code.entry.explanation)\n\n"
                text += "\(code.entry.remedy)\n"
            }
        }
        return text
    }

    @Test func documentMatchesTheSource() throws {
        if ProcessInfo.processInfo.environment["MIZAR_RECORD"] == "1" {
            try Self.rendered.write(to: Self.file, atomically: true, encoding: .utf8)
            Issue.record("docs/errors.md is recorded; run again without MIZAR_RECORD")
            return
        }
        #expect(try String(contentsOf: Self.file, encoding: .utf8) == Self.rendered)
    }

    @Test func codesAreUniqueAndWellFormed() {
        let codes = DiagnosticCode.allCases.map(\.rawValue)
        #expect(Set(codes).count == codes.count)
        #expect(codes == codes.sorted())
        #expect(codes.allSatisfy { $0.wholeMatch(of: /MZ[0-4]\d\d/) != nil })
    }

    /// A code of one group must not take its words from the end of another's switch.
    @Test func entriesDiffer() {
        let titles = DiagnosticCode.allCases.map(\.entry.title)
        #expect(Set(titles).count == titles.count)
    }
}
