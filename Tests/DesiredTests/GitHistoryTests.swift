import TestSupport
import Testing
import Topology

@testable import Desired

/// What was in commits that a host skips.
@Suite struct GitHistoryTests {
    private let fixture: GitFixture
    private var repo: String { fixture.folder + "/repo" }

    init() throws { fixture = try GitFixture() }

    private static func vpc(_ name: String, _ vni: Int) -> String {
        "apiVersion: mizar/v1\nkind: VPC\nname: \(name)\nvni: \(vni)\ncidrs: [10.0.0.0/16]\n---\n"
    }

    private func owners(_ base: String, _ head: String, path: String? = nil) throws -> [String] {
        try Source.owners(repo: repo, path: path, after: base, before: head).map { "\($0.vni) \($0.vpc)" }.sorted()
    }

    @Test func ownersOfCommitsBetween() async throws {
        let first = try await fixture.repository(files: ["net/vpcs.yaml": Self.vpc("t/a", 1)])
        let second = try await fixture.commit(["net/vpcs.yaml": Self.vpc("t/a", 1) + Self.vpc("t/b", 2)])
        let third = try await fixture.commit([
            "net/vpcs.yaml": Self.vpc("t/a", 1) + Self.vpc("t/c", 2), "net/more.yaml": Self.vpc("t/d", 4),
        ])
        let fourth = try await fixture.commit(["net/vpcs.yaml": Self.vpc("t/a", 1) + Self.vpc("t/e", 2)])
        #expect(try owners(first, second) == [] && owners(third, fourth) == [] && owners(fourth, fourth) == [])
        #expect(try owners(first, third) == ["1 t/a", "2 t/b"])
        // What is in a file of the last one is not told again.
        #expect(try owners(first, fourth) == ["1 t/a", "2 t/b", "2 t/c"])
        #expect(try owners(first, fourth, path: "net") == ["1 t/a", "2 t/b", "2 t/c"])
        // A file that no host could read, all the same.
        let fifth = try await fixture.commit(["net/vpcs.yaml": Self.vpc("t/f", 9) + "kind: [\n"])
        let sixth = try await fixture.commit(["net/vpcs.yaml": Self.vpc("t/a", 1)])
        #expect(try owners(fourth, fifth) == [] && owners(fourth, sixth) == ["9 t/f"])
        #expect(try Repository.open(repo).commits(after: first, before: sixth, most: 2) == [fifth, fourth])
    }

    @Test func otherLinesOfHistory() async throws {
        let first = try await fixture.repository(files: ["a.yaml": Self.vpc("t/a", 1)])
        let aside = try await fixture.commit(["a.yaml": Self.vpc("t/b", 1)])
        try await fixture.git("checkout", "-q", "-b", "other", first)
        try await fixture.commit(["a.yaml": Self.vpc("t/c", 1)])
        let head = try await fixture.commit(["a.yaml": Self.vpc("t/d", 1)])
        // Base is on a line that was left.
        #expect(try owners(aside, head) == ["1 t/c"])
        try await fixture.git("merge", "-q", "-s", "ours", "-m", "m", "main")
        let merge = try await fixture.git("rev-parse", "HEAD")
        #expect(try owners(head, merge) == ["1 t/b"])
        let path = repo
        let gone = String(repeating: "1", count: 40)
        #expect(failure { _ = try Source.owners(repo: path, after: gone, before: head) }.contains("read commit \(gone)"))
    }
}
