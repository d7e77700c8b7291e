import Glibc
import Subprocess
import TestSupport
import Testing

@testable import Desired

@Suite struct GitMirrorTests {
    let fixture: GitFixture
    var url: String { "file://\(fixture.folder)/repo" }
    var cache: String { "\(fixture.folder)/cache/deep" }

    init() throws { fixture = try GitFixture() }

    @Test func branchesAndTagsAreTakenMovedAndPruned() async throws {
        let first = try await fixture.repository(files: ["a.yaml": "1"])
        try await fixture.git("tag", "-a", "v1", "-m", "one")
        try await fixture.git("branch", "gone")
        try Mirror.fetchInProcess(url: url, cache: cache)
        do {
            let mirror = try Repository.open(url, cache: cache)
            #expect(try mirror.resolve(nil) == first)
            #expect(try mirror.resolve("v1") == first)
            #expect(mirror.refNames() == ["gone", "main", "v1"])
        }
        // Rewritten history: forced, and what the remote has no longer goes.
        try await fixture.git("branch", "-D", "gone")
        try await fixture.git("tag", "-d", "v1")
        try await fixture.git("checkout", "-q", "--orphan", "fresh")
        let other = try await fixture.commit(["a.yaml": "2"])
        try await fixture.git("branch", "-M", "main")
        try Mirror.fetchInProcess(url: url, cache: cache)
        let mirror = try Repository.open(url, cache: cache)
        #expect(mirror.refNames() == ["main"])
        #expect(try mirror.resolve("main") == other)
        // The last applied commit must stay readable, whatever the remote does.
        #expect(try mirror.tree(commit: first).files == [SourceFile(path: "a.yaml", bytes: Array("1".utf8))])
    }

    @Test func theDefaultBranchIsTheRemotes() async throws {
        try await fixture.repository(files: ["a.yaml": "1"])
        try await fixture.git("checkout", "-q", "-b", "trunk")
        let trunk = try await fixture.commit(["a.yaml": "2"])
        try Mirror.fetchInProcess(url: url, cache: cache)
        #expect(try Repository.open(url, cache: cache).resolve(nil) == trunk)
        #expect(
            try Source.load(repo: url, cache: cache, fetch: false).files
                == [SourceFile(path: "a.yaml", bytes: Array("2".utf8))])
    }

    @Test func whatAKilledFetchLeavesIsNoObstacle() async throws {
        try await fixture.repository(files: ["a.yaml": "1"])
        try Mirror.fetchInProcess(url: url, cache: cache)
        let folder = try Mirror.folder(url: url, cache: cache)
        let name = String(folder.dropFirst(fixture.folder.count + 1))
        for lock in ["HEAD.lock", "packed-refs.lock", "refs/heads/main.lock"] { try await fixture.write("\(name)/\(lock)", "") }
        let second = try await fixture.commit(["a.yaml": "2"])
        try Mirror.fetchInProcess(url: url, cache: cache)
        #expect(try Repository.open(url, cache: cache).resolve("main") == second)
    }

    @Test func aRemoteThatIsGoneLeavesTheMirror() async throws {
        let commit = try await fixture.repository(files: ["a.yaml": "1"])
        try Mirror.fetchInProcess(url: url, cache: cache)
        try await fixture.git("--version")
        _ = try await run(.name("mv"), arguments: ["\(fixture.folder)/repo", "\(fixture.folder)/away"], output: .discarded)
        let (url, cache) = (url, cache)
        #expect(failure { try Mirror.fetchInProcess(url: url, cache: cache) }.contains("fetch \(url)"))
        #expect(try Source.load(repo: url, ref: commit, cache: cache, fetch: false).files.count == 1)
    }

    @Test func manyAtOnceTakeTurns() async throws {
        let commit = try await fixture.repository(files: ["a.yaml": "1"])
        let (url, cache) = (url, cache)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 { group.addTask { try Mirror.fetchInProcess(url: url, cache: cache) } }
            try await group.waitForAll()
        }
        #expect(try Repository.open(url, cache: cache).resolve(nil) == commit)
    }

    @Test func whatWasNeverFetchedSaysSo() throws {
        let (url, cache) = (url, cache)
        #expect(failure { _ = try Repository.open(url, cache: cache) }.contains("was never fetched"))
    }

    @Test func aChildThatHangsIsEnded() async throws {
        // It starts a child of its own, which keeps our pipe open: the whole group must go.
        try await fixture.write("hang", "#!/bin/sh\nsleep 1000 &\necho $! > \(fixture.folder)/pid\nwait\n")
        fixture.makeExecutable("hang")
        let (url, cache, script) = (url, cache, "\(fixture.folder)/hang")
        let text = failure { try Mirror.fetch(url: url, cache: cache, deadlineSeconds: 1, executable: script) }
        #expect(text.contains("not done within 1 second"))
        let pid = try await run(.name("cat"), arguments: ["\(fixture.folder)/pid"], output: .string(limit: 64)).standardOutput
        let number = try #require(pid_t(pid.split(separator: "\n").first ?? ""))
        // Killed, or killed and not yet collected by init.
        let state = try await run(.name("ps"), arguments: ["-o", "stat=", "-p", "\(number)"], output: .string(limit: 64))
        #expect(state.standardOutput.first ?? "Z" == "Z")
    }

    @Test func aChildsErrorIsHandedOn() async throws {
        try await fixture.write("fail", "#!/bin/sh\necho \"error: fetch $2: no route\" >&2\nexit 1\n")
        fixture.makeExecutable("fail")
        let (url, cache, script) = (url, cache, "\(fixture.folder)/fail")
        #expect(
            failure { try Mirror.fetch(url: url, cache: cache, deadlineSeconds: 5, executable: script) }.hasSuffix(": no route"))
        let missing = failure { try Mirror.fetch(url: url, cache: cache, deadlineSeconds: 5, executable: "/nonexistent") }
        #expect(missing.contains("cannot run /nonexistent"))
        try Mirror.fetch(url: url, cache: cache, deadlineSeconds: 5, executable: "/bin/true")
    }

    /// A remote that does not have what its commits name; libgit2 1.7 and later may take a shallow one.
    @Test func aRemoteThatIsShallowIsSaidToBe() async throws {
        try await fixture.repository(files: ["a.yaml": "1"])
        let second = try await fixture.commit(["a.yaml": "2"])
        try await fixture.git("clone", "-q", "--depth", "1", url, "\(fixture.folder)/shallow")
        let (shallow, cache) = ("file://\(fixture.folder)/shallow", cache)
        let said = failure { try Mirror.fetchInProcess(url: shallow, cache: cache) }
        if said == "no error" {
            #expect(try Repository.open(shallow, cache: cache).resolve("main") == second)
        } else {
            #expect(said.contains("if the remote is a shallow clone, run “git fetch --unshallow” in it"), "\(said)")
        }
    }
}
