import TestSupport
import Testing
import Topology

@testable import Desired

/// The commits that guards judge, one by one.
@Suite struct CommitLineTests {
    private let fixture: GitFixture
    private var repo: String { fixture.folder + "/repo" }

    init() throws { fixture = try GitFixture() }

    private static func tenant(_ name: String) -> [String: String] {
        ["a.yaml": "apiVersion: mizar/v1\nkind: Tenant\nname: \(name)\n", "b.yaml": "apiVersion: mizar/v1\nkind: Tenant\nname: b\n"]
    }

    private func commit(_ name: String, message: String = "c") async throws -> String {
        for (path, text) in Self.tenant(name) { try await fixture.write("repo/\(path)", text) }
        try await fixture.git("add", "-A")
        try await fixture.git("commit", "-q", "--allow-empty", "-m", message)
        return try await fixture.git("rev-parse", "HEAD")
    }

    @Test func aMergeIsOneStep() async throws {
        let first = try await fixture.repository(files: Self.tenant("one"))
        try await fixture.git("switch", "-q", "-c", "side")
        let aside = try await commit("two", message: "c\n\nMizar-Allow: destroy\n")
        try await fixture.git("switch", "-q", "main")
        let second = try await commit("one")
        try await fixture.git("merge", "-q", "--no-ff", "-m", "m", "side")
        let merge = try await fixture.git("rev-parse", "HEAD")
        let head = try await commit("three")
        let line = try CommitLine(repo: repo, from: first, to: head)
        #expect(line.start == .base && line.commits == [first, second, merge, head])
        #expect(try line.topology(of: first)?.tenants.map(\.name) == ["b", "one"])
        #expect(try line.topology(of: second)?.tenants.map(\.name) == ["b", "one"], "the same files")
        #expect(try line.topology(of: merge)?.tenants.map(\.name) == ["b", "two"])
        #expect(try line.topology(of: head)?.tenants.map(\.name) == ["b", "three"])
        let allowed = try line.commits.filter { try line.has(trailer: "Mizar-Allow", "destroy", $0) }
        #expect(allowed == [merge], "by the branch that it merges, and nobody else")
        let alone = try CommitLine(repo: repo, from: head, to: head)
        #expect(alone.start == .base && alone.commits == [head])
        // The branch was taken first: one step, about which the branch's own trailer says nothing.
        let across = try CommitLine(repo: repo, from: aside, to: head)
        #expect(across.start == .aside && across.commits == [aside, head])
        #expect(try !across.has(trailer: "Mizar-Allow", "destroy", head))
        let back = try CommitLine(repo: repo, from: head, to: second)
        #expect(back.start == .aside && back.commits == [head, second])
        #expect(try !back.has(trailer: "Mizar-Allow", "destroy", second))
    }

    /// `git pull` and `git push`: the branch's commits are the first parents, and main's last one, which hosts have, is not.
    @Test(arguments: [false, true]) func aBranchThatTookMainInIsOneStep(isAllowed: Bool) async throws {
        try await fixture.repository(files: Self.tenant("one"))
        try await fixture.git("switch", "-q", "-c", "side")
        _ = try await commit("two", message: isAllowed ? "c\n\nMizar-Allow: destroy\n" : "c")
        try await fixture.git("switch", "-q", "main")
        let applied = try await commit("one", message: "c\n\nMizar-Allow: destroy\n")
        try await fixture.git("switch", "-q", "side")
        try await fixture.git("merge", "-q", "-s", "ours", "-m", "m", "main")
        let head = try await fixture.git("rev-parse", "HEAD")
        let line = try CommitLine(repo: repo, from: applied, to: head)
        #expect(line.start == .aside && line.commits == [applied, head], "nothing that no host ever had")
        #expect(try line.has(trailer: "Mizar-Allow", "destroy", head) == isAllowed, "main's own trailer has had its turn")
    }

    /// However many commits somebody pushes: what is read of all of them together has a measure.
    @Test func whatLiesBetweenMayBeTooMuch() async throws {
        let applied = try await fixture.repository(files: Self.tenant("one"))
        for number in 0..<3 { _ = try await commit("n\(number)") }
        let allowing = try await commit("n3", message: "c\n\nMizar-Allow: destroy\n")
        let head = try await commit("n4")
        let line = try CommitLine(repo: repo, from: applied, to: head)
        // Each commit changes one file of some 43 bytes.
        line.limits.bytes = 250
        var read: [String] = []
        for commit in line.commits where !line.isTooMuch {
            #expect(try line.topology(of: commit) != nil)
            read.append(commit)
        }
        #expect(line.isTooMuch && read.count > 3 && read.last != head, "what a commit has like the one before it is not read again")
        try line.shorten()
        #expect(line.start == .whole && line.commits == [applied, head] && !line.isTooMuch)
        #expect(try line.commits.allSatisfy { try line.topology(of: $0) != nil })
        #expect(try line.has(trailer: "Mizar-Allow", "destroy", head), "\(allowing) is about a part of the step")
        let window = try CommitLine(repo: repo, from: nil, to: head)
        window.limits.entries = 1
        #expect(try window.topology(of: applied) != nil && window.isTooMuch)
        try window.shorten()
        #expect(window.start == .window && window.commits == [head])
    }

    /// That a commit takes too long says nothing about it.
    @Test func aDeadlineIsNoVerdict() async throws {
        let applied = try await fixture.repository(files: Self.tenant("one"))
        let head = try await commit("two")
        let line = try CommitLine(repo: repo, from: applied, to: head, deadlineSeconds: 0)
        let error = #expect(throws: DesiredError.self) { try line.topology(of: head) }
        #expect(error?.isTooSlow == true)
    }

    /// Going back to a commit is not what its own trailer is about.
    @Test func theTrailerOfAnOlderCommitAllowsNoWayBack() async throws {
        try await fixture.repository(files: Self.tenant("one"))
        let old = try await commit("two", message: "c\n\nMizar-Allow: destroy\n")
        let new = try await commit("three")
        let line = try CommitLine(repo: repo, from: new, to: old)
        #expect(line.commits == [new, old] && line.start == .aside)
        #expect(try !line.has(trailer: "Mizar-Allow", "destroy", old))
    }

    @Test(arguments: [
        ("c\n\nMizar-Allow: destroy", true), ("c\n\nbody\n\nSigned-off-by: a\nMIZAR-ALLOW:   destroy  \n", true),
        ("c\n\nMizar-Allow: destroy\n\nmore text\n", false), ("Mizar-Allow: destroy", false), ("c\n\nMizar-Allow: Destroy", false),
        ("c\n\nMizar-Allow: destroyed", false), ("c\n\nXMizar-Allow: destroy", false), ("", false),
    ])
    func trailers(message: String, isOne: Bool) async throws {
        try await fixture.repository(files: Self.tenant("one"))
        try await fixture.git("commit", "-q", "--allow-empty", "--allow-empty-message", "--cleanup=verbatim", "-m", message)
        let head = try await fixture.git("rev-parse", "HEAD")
        #expect(try CommitLine(repo: repo, from: nil, to: head).has(trailer: "Mizar-Allow", "destroy", head) == isOne)
    }

    @Test func whereTheBaseIsUnknown() async throws {
        let first = try await fixture.repository(files: Self.tenant("one"))
        let wrong = try await fixture.commit(["a.yaml": "kind: Nothing\n"])
        let head = try await commit("two")
        for base in [nil, String(repeating: "1", count: 40)] {
            let line = try CommitLine(repo: repo, from: base, to: head)
            #expect(line.start == .window && line.commits == [first, wrong, head])
            #expect(try line.topology(of: wrong) == nil)
            let below = try CommitLine(repo: repo, path: "net", from: base, to: head)
            #expect(try below.commits.allSatisfy { try below.topology(of: $0) == nil }, "the folder came later")
        }
        // As far back as a shallow clone goes.
        try await fixture.git("clone", "-q", "--depth", "2", "file://\(repo)", "\(fixture.folder)/shallow")
        let shallow = try CommitLine(repo: fixture.folder + "/shallow", from: first, to: head)
        #expect(shallow.start == .window && shallow.commits == [wrong, head])
        // Another root.
        try await fixture.git("checkout", "-q", "--orphan", "lone")
        let lone = try await commit("three", message: "c\n\nMizar-Allow: destroy\n")
        let unrelated = try CommitLine(repo: repo, from: head, to: lone)
        #expect(unrelated.start == .aside && unrelated.commits == [head, lone])
        #expect(try unrelated.has(trailer: "Mizar-Allow", "destroy", lone))
    }

    @Test func longHistories() async throws {
        let first = try await fixture.repository(files: Self.tenant("one"))
        // 300 commits at once: each git process would take its time.
        var stream = ""
        for number in 1...300 {
            stream += "commit refs/heads/main\ncommitter t <t@example.org> \(1_700_000_000 + number) +0000\ndata 1\nc\n"
            if number == 1 { stream += "from \(first)\n" }
            let text = "apiVersion: mizar/v1\nkind: Tenant\nname: t\(number)\n"
            stream += "M 100644 inline a.yaml\ndata \(text.utf8.count)\n\(text)\n"
        }
        try await fixture.write("stream", stream)
        let done = try await Tool.execute(["sh", "-c", "git -C \(repo) fast-import --quiet --force < \(fixture.folder)/stream"])
        #expect(done.succeeded, "\(done.error)")
        let head = try await fixture.git("rev-parse", "main")
        let known = try CommitLine(repo: repo, from: first, to: head)
        #expect(known.start == .base && known.commits.count == 301)
        let unknown = try CommitLine(repo: repo, from: nil, to: head)
        #expect(unknown.start == .window && unknown.commits.count == 257, "256 first parents, and the head")
        #expect(unknown.commits.last == head)
        #expect(try unknown.topology(of: unknown.commits[0])?.tenants.map(\.name) == ["b", "t44"])
    }
}
