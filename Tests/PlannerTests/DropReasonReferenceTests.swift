import Foundation
import Planner
import Testing

/// docs/howto/ping-fails.md says of every drop reason what to do about it, and knows no other.
@Suite struct DropReasonReferenceTests {
    @Test func everyReasonHasItsLine() throws {
        let page = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/howto/ping-fails.md").standardized
        let text = try String(contentsOf: page, encoding: .utf8)
        let part = try #require(text.range(of: "## Every drop reason"))
        // Rows of its tables begin with one reason, or with several between commas.
        let named = text[part.upperBound...].split(separator: "\n").filter { $0.hasPrefix("| `") }
            .flatMap { $0.split(separator: "|")[0].matches(of: /`([a-z-]+)`/).map { String($0.1) } }
        #expect(Set(named) == Set(DropReason.allCases.map(\.rawValue)))
    }
}
