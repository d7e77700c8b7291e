import TestSupport
import Testing

/// The pages of docs/howto as a reader types them: every block that names a machine, on two machines made of namespaces.
@Suite(.needsRoot) struct HowToTests {
    private static let repository = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()

    @Test func twoHosts() async throws { try await Self.work(through: [Self.page("two-hosts")]) }

    /// They go on from where two hosts reach each other.
    @Test func attachThenUndoTheCommit() async throws {
        try await Self.work(through: [Self.page("two-hosts", until: "7. Ping"), Self.page("attach"), Self.page("upgrade")])
    }

    private static func page(_ name: String, until end: String? = nil) throws -> HowToPage {
        try HowToPage(path: "\(repository)/docs/howto/\(name).md", until: end)
    }

    private static func work(through pages: [HowToPage]) async throws {
        let fixture = try GitFixture()
        let blocks = pages.flatMap(\.blocks)
        let names = blocks.enumerated().map { number, block in "\(number + 100)-\(block.machine)" }
        for (name, block) in zip(names, blocks) { try await fixture.write("\(name).sh", block.script) }
        let machines = "\(repository)/Tests/CommandTests/HowTo/machines.sh"
        let outcome = try await Tool.execute([machines, Tool().path, "\(repository)/packaging", fixture.folder])
        let places = zip(names, blocks).map { "\($0) is \($1.place)" }.joined(separator: "\n")
        #expect(outcome.succeeded, "\(outcome.error)\n\(places)")
        guard outcome.succeeded else { return }
        for (name, block) in zip(names, blocks) {
            let printed = try await Tool.execute(["cat", "\(fixture.folder)/\(name).out"]).output
            #expect(block.missing(in: printed) == nil, "\(block.place) printed\n\(printed)")
        }
    }
}
