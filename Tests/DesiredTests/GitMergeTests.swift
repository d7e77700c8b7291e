import Glibc
import Subprocess
import TestSupport
import Testing
import Topology

@testable import Desired

/// What merging a branch will give, without merging it.
@Suite struct GitMergeTests {
    private let fixture: GitFixture
    private var repo: String { fixture.folder + "/repo" }

    init() throws { fixture = try GitFixture() }

    private static func text(_ lines: ClosedRange<Int>, _ change: [Int: String] = [:]) -> String {
        lines.map { (change[$0] ?? "line \($0)") + "\n" }.joined()
    }

    private func branch(_ name: String, from: String = "main", _ files: [String: String?]) async throws {
        try await fixture.git("switch", "-q", "-c", name, from)
        for (path, text) in files {
            if let text { try await fixture.write("repo/\(path)", text) } else { try await fixture.git("rm", "-q", path) }
        }
        try await fixture.commit([:])
        try await fixture.git("switch", "-q", "main")
    }

    private func change(_ head: String, base: String = "main", exact: Bool = false, path: String? = nil) throws -> ChangeSet {
        try Source.change(repo: repo, base: base, head: head, exact: exact, path: path)
    }

    /// Ids of the files' contents, by path.
    private static func contents(_ tree: SourceTree) -> [String: String] {
        Dictionary(uniqueKeysWithValues: tree.files.map { ($0.path, $0.id) })
    }

    private static func contents(_ texts: [String: String]) -> [String: String] {
        texts.mapValues(id(of:))
    }

    private static func id(of text: String) -> String { SourceFile(path: "", bytes: Array(text.utf8)).id }

    /// The base's newer commits are not taken back.
    @Test func bothSidesAreInIt() async throws {
        try await fixture.repository(files: ["net/a.yaml": Self.text(1...20), "net/old.yaml": Self.text(1...20)])
        try await branch("head", ["net/a.yaml": Self.text(1...20, [3: "head"]), "net/new.yaml": "new"])
        try await branch("renames", ["net/old.yaml": nil, "net/moved.yaml": Self.text(1...20)])
        let ahead = try await fixture.commit([
            "net/a.yaml": Self.text(1...20, [18: "base"]), "net/old.yaml": Self.text(1...20, [2: "base"]), "net/b.yaml": "b",
        ])
        let objects = try await fixture.git("count-objects", "-v")
        let merged = try change("head", path: "net")
        #expect(merged.kind == .merge && merged.conflicts == [])
        #expect(
            Self.contents(merged.after)
                == Self.contents([
                    "a.yaml": Self.text(1...20, [3: "head", 18: "base"]), "b.yaml": "b", "new.yaml": "new",
                    "old.yaml": Self.text(1...20, [2: "base"]),
                ]))
        let head = try await fixture.git("rev-parse", "head")
        #expect(merged.before.commit == ahead && merged.after.commit == head)
        // A file that one side renames and the other one changes.
        let renamed = try change("renames")
        #expect(Self.contents(renamed.after)["net/moved.yaml"] == Self.id(of: Self.text(1...20, [2: "base"])), "\(renamed)")
        #expect(Self.contents(renamed.after)["net/old.yaml"] == nil)
        #expect(try await fixture.git("count-objects", "-v") == objects, "nothing is written")
        // As git does it.
        try await fixture.git("merge", "-q", "-m", "m", "head")
        #expect(Self.contents(try Source.load(repo: repo, path: "net")) == Self.contents(merged.after))
    }

    @Test func whereOneComesAfterTheOther() async throws {
        try await fixture.repository(files: ["a.yaml": "1"])
        try await branch("head", ["a.yaml": "2"])
        #expect(try change("head").kind == .merge)
        #expect(Self.contents(try change("head").after) == Self.contents(["a.yaml": "2"]))
        let back = try change("main", base: "head")
        #expect(back.kind == .back && Self.contents(back.after) == Self.contents(["a.yaml": "1"]))
        #expect(try change("main").kind == .trees)
        try await fixture.commit(["b.yaml": "b"])
        #expect(Self.contents(try change("head", exact: true).after) == Self.contents(["a.yaml": "2"]))
        #expect(Self.contents(try change("head").after) == Self.contents(["a.yaml": "2", "b.yaml": "b"]))
    }

    @Test func conflictsHavePlaces() async throws {
        try await fixture.repository(files: [
            "net/a.yaml": Self.text(1...20), "net/b.yaml": Self.text(1...20), "c.yaml": Self.text(1...20), "READ.md": "1\n",
        ])
        try await branch(
            "head",
            [
                "net/a.yaml": Self.text(1...20, [7: "head"]), "net/b.yaml": nil, "c.yaml": Self.text(1...20, [1: "head"]), "READ.md": "2\n",
                "net/new.yaml": "head\n",
            ])
        try await fixture.git("rm", "-q", "c.yaml")
        try await fixture.commit([
            "net/a.yaml": "first\n" + Self.text(1...20, [7: "base"]), "net/b.yaml": Self.text(1...20, [2: "base"]), "READ.md": "3\n",
            "net/new.yaml": "base\n",
        ])
        let found = try change("head", path: "net").conflicts
        #expect(
            found.map { "\($0.at) \($0.code)" } == [
                "READ.md:1:1 MZ504", "a.yaml:8:1 MZ504", "b.yaml:1:1 MZ504", "c.yaml:1:1 MZ504", "new.yaml:1:1 MZ504",
            ])
        #expect(found[1].message.contains("both sides change this"))
        #expect(found[2].message.contains("the branch removes or renames this file"))
        #expect(found[3].message.contains("the base removes or renames this file"))
        #expect(found[4].message.contains("both sides add this file"))
        #expect(try change("head", exact: true, path: "net").conflicts == [])
    }

    /// Two best common ancestors: as git does, they are merged first.
    @Test func crissCross() async throws {
        try await fixture.repository(files: ["a.yaml": Self.text(1...30)])
        try await branch("other", ["a.yaml": Self.text(1...30, [25: "other"])])
        try await fixture.commit(["a.yaml": Self.text(1...30, [5: "main"])])
        try await fixture.git("branch", "old-main")
        try await fixture.git("merge", "-q", "-m", "m", "other")
        try await fixture.git("switch", "-q", "other")
        try await fixture.git("merge", "-q", "-m", "m", "old-main")
        try await fixture.commit(["a.yaml": Self.text(1...30, [5: "main", 15: "other", 25: "other"])])
        try await fixture.git("switch", "-q", "main")
        try await fixture.commit(["a.yaml": Self.text(1...30, [5: "again", 25: "other"])])
        #expect(try await fixture.git("merge-base", "--all", "main", "other").split(separator: "\n").count == 2)
        let merged = try change("other")
        #expect(Self.contents(merged.after)["a.yaml"] == Self.id(of: Self.text(1...30, [5: "again", 15: "other", 25: "other"])))
    }

    @Test func noCommonAncestorSaysWhatToDo() async throws {
        try await fixture.repository(files: ["a.yaml": "1"])
        try await branch("head", ["a.yaml": "2"])
        try await fixture.commit(["b.yaml": "2"])
        try await fixture.git("clone", "-q", "--depth", "1", "--no-single-branch", "file://\(repo)", "\(fixture.folder)/shallow")
        let shallow = fixture.folder + "/shallow"
        let said = failure { _ = try Source.change(repo: shallow, base: "origin/main", head: "origin/head", exact: false) }
        #expect(said.contains("shallow") && said.contains("`fetch-depth: 0`") && said.contains("`--exact`"), "\(said)")
        #expect(try Source.change(repo: shallow, base: "origin/main", head: "origin/head", exact: true).kind == .trees)
        try await fixture.git("checkout", "-q", "--orphan", "lone")
        try await fixture.commit(["c.yaml": "3"])
        let path = repo
        let lone = failure { _ = try Source.change(repo: path, base: "main", head: "lone", exact: false) }
        #expect(lone.contains("no common ancestor") && lone.contains("`--exact`") && lone.contains("`fetch-depth: 0`"), "\(lone)")
    }
}
