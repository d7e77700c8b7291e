import Glibc
import TestSupport
import Testing

@testable import Desired

/// What power cuts and bad disks leave of a mirror, and names of branches that are in each other's way.
@Suite struct MirrorDamageTests {
    let fixture: GitFixture
    var url: String { "file://\(fixture.folder)/repo" }
    var cache: String { "\(fixture.folder)/cache" }
    var mirror: String { get throws { try Mirror.folder(url: url, cache: cache) } }

    init() throws { fixture = try GitFixture() }

    @Test(
        "a damaged mirror is made anew, the damaged one is kept, and so is the commit that was applied last",
        arguments: [
            ": > refs/heads/main", ": > HEAD", "rm HEAD", "echo x > packed-refs", "head -c 50 /dev/zero > packed-refs",
            "echo '[core' > config", "for f in objects/pack/*.idx; do chmod u+w $f; : > $f; done",
            "rm -r refs/heads refs/tags; : > HEAD", "rm -r objects/info; printf 0123 > refs/heads/main",
        ])
    func damageIsMended(script: String) async throws {
        let (applied, newest) = try await mirrorWithApplied()
        try await damage(script, applied: applied)
        #expect(try Mirror.fetchInProcess(url: url, cache: cache) != nil)
        let tree = try Source.load(repo: url, cache: cache, fetch: false)
        #expect(tree.commit == newest)
        #expect(access(try mirror + ".damaged/objects", F_OK) == 0)
        // The remote has it no longer; an index that is gone takes its pack along.
        if !script.contains(".idx") {
            #expect(try Source.load(repo: url, ref: Mirror.appliedRef(host: "h1"), cache: cache, fetch: false).commit == applied)
        }
        #expect(try Mirror.fetchInProcess(url: url, cache: cache) == nil)
    }

    @Test(
        "packs and objects that cannot be read are found, also where only reading finds them",
        arguments: [
            "for f in objects/pack/*.pack; do chmod u+w $f; : > $f; done",
            "for f in objects/pack/*.pack; do chmod u+w $f; truncate -s -7 $f; done",
            "rm -r objects",
            "for f in objects/pack/*.pack; do chmod u+w $f; dd if=/dev/zero of=$f bs=1 seek=12 count=200 conv=notrunc status=none; done",
        ])
    func lostObjectsAreFetchedAgain(script: String) async throws {
        let (_, newest) = try await mirrorWithApplied()
        try await damage(script, applied: "")
        #expect(try Mirror.fetchInProcess(url: url, cache: cache, isSuspect: true) != nil)
        #expect(try Source.load(repo: url, cache: cache, fetch: false).commit == newest)
    }

    @Test("a mirror is not set aside because its remote is gone, damaged or not")
    func aRemoteThatIsGoneTakesNothing() async throws {
        let (applied, _) = try await mirrorWithApplied()
        try await check(["mv", "\(fixture.folder)/repo", "\(fixture.folder)/away"])
        let (url, cache) = (url, cache)
        #expect(failure { try Mirror.fetchInProcess(url: url, cache: cache, isSuspect: true) }.contains("fetch \(url)"))
        #expect(access(try mirror + ".damaged", F_OK) != 0)
        try await damage(": > refs/heads/main", applied: applied)
        let said = failure { try Mirror.fetchInProcess(url: url, cache: cache) }
        #expect(said.contains("and the mirror is damaged: refs/heads/main"), "\(said)")
        #expect(try Source.load(repo: url, ref: Mirror.appliedRef(host: "h1"), cache: cache, fetch: false).commit == applied)
        #expect(MirrorLeftovers.entries(cache).allSatisfy { !$0.hasSuffix(".new") && !$0.hasSuffix(".damaged") })
    }

    @Test("a branch becomes a folder of branches, and the other way round")
    func namesInEachOthersWay() async throws {
        let first = try await fixture.repository(files: ["a.yaml": "# 1"])
        try await fixture.git("branch", "feature")
        try Mirror.fetchInProcess(url: url, cache: cache)
        for (gone, new) in [("feature", "feature/x"), ("feature/x", "feature"), ("feature", "feature/y/z")] {
            try await fixture.git("branch", "-D", gone)
            try await fixture.git("branch", new)
            #expect(try Mirror.fetchInProcess(url: url, cache: cache) == nil)
            let repository = try Repository.open(url, cache: cache)
            #expect(try repository.refNames() == [new, "main"])
            #expect(try repository.resolve(new) == first)
        }
    }

    @Test("partial, sparse, borrowing and shallow clones are read for what they have, and say what they lack")
    func clonesThatLackSomething() async throws {
        let first = try await fixture.repository(files: ["a.yaml": "# 1"])
        let second = try await fixture.commit(["a.yaml": "# 2"])
        try await fixture.git("config", "uploadpack.allowFilter", "true")
        for (name, options, lack) in [
            ("partial", ["--filter=blob:none"], "the clone is partial"), ("sparse", ["--sparse"], nil),
            ("shallow", ["--depth=1"], "shallow"),
            ("borrowing", ["--shared"], nil),
        ] as [(String, [String], String?)] {
            let path = "\(fixture.folder)/\(name)"
            try await check(["git", "clone", "-q"] + options + [name == "borrowing" ? "\(fixture.folder)/repo" : url, path])
            #expect(try Source.load(repo: path).commit == second, "\(name)")
            guard let lack else { continue }
            let said = failure { _ = try Source.load(repo: path, ref: first) }
            #expect(said.contains(lack), "\(said)")
        }
        try await check(["mv", "\(fixture.folder)/repo", "\(fixture.folder)/away"])
        let path = "\(fixture.folder)/borrowing"
        let said = failure { _ = try Source.load(repo: path) }
        #expect(said.contains("borrows objects of \(fixture.folder)/repo/.git/objects, which cannot be read"), "\(said)")
    }

    /// A mirror whose `h1` has applied a commit that the remote has no longer; gives that one and the newest.
    private func mirrorWithApplied() async throws -> (applied: String, newest: String) {
        try await fixture.repository(files: ["a.yaml": "# 1"])
        let applied = try await fixture.commit(["a.yaml": "# 2", "b/c.yaml": "# 3"])
        try Mirror.fetchInProcess(url: url, cache: cache)
        try Mirror.rememberApplied(repo: url, cache: cache, commit: applied, host: "h1")
        try await fixture.git("reset", "-q", "--hard", "HEAD~1")
        let newest = try await fixture.commit(["d.yaml": "# 4"])
        try Mirror.fetchInProcess(url: url, cache: cache)
        return (applied, newest)
    }

    private func damage(_ script: String, applied: String) async throws {
        try await check(["sh", "-euc", "cd \"$MIRROR\"; \(script)"], ["MIRROR": try mirror, "APPLIED": applied])
    }

    private func check(_ command: [String], _ environment: [String: String] = [:]) async throws {
        let outcome = try await Tool.execute(command, environment: environment)
        guard outcome.succeeded else { throw FixtureError(text: "\(command.joined(separator: " ")): \(outcome.error)") }
    }
}
