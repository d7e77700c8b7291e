import Glibc
import Subprocess
import TestSupport
import Testing
import Topology

@testable import Desired

/// The error that `body` throws.
func failure(_ body: () throws -> Void) -> String {
    do {
        try body()
        return "no error"
    } catch {
        return "\(error)"
    }
}

@Suite struct GitRepositoryTests {
    let fixture: GitFixture
    var repo: String { fixture.folder + "/repo" }

    init() throws { fixture = try GitFixture() }

    @Test func everyWayToNameACommit() async throws {
        let first = try await fixture.repository(files: ["a.yaml": "1"])
        try await fixture.git("tag", "light")
        try await fixture.git("tag", "-a", "v1", "-m", "one")
        let second = try await fixture.commit(["a.yaml": "2"])
        try await fixture.git("branch", "feature/x", first)
        let repository = try Repository.open(repo)
        #expect(try repository.resolve(nil) == second)
        #expect(try repository.resolve("main") == second)
        #expect(try repository.resolve("refs/heads/main") == second)
        #expect(try repository.resolve("main~1") == first)
        #expect(try repository.resolve("light") == first)
        #expect(try repository.resolve("v1") == first)
        #expect(try repository.resolve("refs/tags/v1") == first)
        #expect(try repository.resolve("feature/x") == first)
        #expect(try repository.resolve(first) == first)
        #expect(try repository.resolve(String(first.prefix(8))) == first)
        #expect(try repository.tree(commit: first).files == [SourceFile(path: "a.yaml", bytes: Array("1".utf8))])
        #expect(try repository.tree(commit: second).files == [SourceFile(path: "a.yaml", bytes: Array("2".utf8))])
    }

    @Test func aWrongNameIsAnsweredWithNearOnes() async throws {
        try await fixture.repository(files: ["a.yaml": "1"])
        try await fixture.git("branch", "production")
        let id = try await fixture.git("rev-parse", "HEAD:a.yaml")
        let path = repo
        #expect(failure { _ = try Repository.open(path).resolve("prodution") }.contains("did you mean production?"))
        #expect(failure { _ = try Repository.open(path).resolve("zzzzzzzzzz") }.contains("there are main, production"))
        #expect(failure { _ = try Repository.open(path).resolve(id) }.contains("is a blob, not a commit"))
        #expect(failure { _ = try Repository.open(path).resolve("") }.contains("the name is empty"))
        #expect(failure { _ = try Repository.open(path).tree(commit: String(repeating: "1", count: 40)) }.contains("read commit"))
    }

    @Test func anEmptyRepositorySaysSo() async throws {
        try await fixture.write("repo/x", "")
        try await fixture.git("init", "-q", "-b", "main")
        let path = repo
        #expect(failure { _ = try Repository.open(path).resolve(nil) }.contains("has no commits yet"))
    }

    @Test func onlyYAMLFilesOfTheFolder() async throws {
        let files = [
            "a.yaml": "a", "b.yml": "b", "c.json": "c", ".hidden.yaml": "h", "net/d.yaml": "d", "net/.x/e.yaml": "e",
            "net/deep/er/f.yml": "f", "yaml": "no", "other/g.yaml": "g", "netx/h.yaml": "h",
        ]
        try await fixture.repository(files: files)
        let blob = try await fixture.git("rev-parse", "HEAD:net/d.yaml")
        _ = try await run(.name("ln"), arguments: ["-s", "a.yaml", "\(repo)/link.yaml"], output: .discarded)
        _ = try await run(.name("ln"), arguments: ["-s", "other", "\(repo)/linked"], output: .discarded)
        try await fixture.repository("sub", files: ["s.yaml": "s"])
        try await fixture.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", "\(fixture.folder)/sub", "subm.yaml")
        let commit = try await fixture.commit([:])
        let repository = try Repository.open(repo)
        #expect(
            try repository.tree(commit: commit).files.map(\.path)
                == ["a.yaml", "b.yml", "net/d.yaml", "net/deep/er/f.yml", "netx/h.yaml", "other/g.yaml"])
        let below = try repository.tree(commit: commit, path: "./net/")
        #expect(below.files.map(\.path) == ["d.yaml", "deep/er/f.yml"])
        #expect(below.files.first?.id == blob)
        #expect(below.commit == commit)
        let path = repo
        #expect(failure { _ = try Repository.open(path).tree(commit: commit, path: "nix") }.contains("no such folder"))
        #expect(failure { _ = try Repository.open(path).tree(commit: commit, path: "a.yaml") }.contains("is no folder"))
        #expect(failure { _ = try Repository.open(path).tree(commit: commit, path: "../x") }.contains("no “..”"))
    }

    @Test func bareRepositoriesLinkedWorktreesAndForeignOwnersAreRead() async throws {
        let commit = try await fixture.repository(files: ["a.yaml": "1"])
        try await fixture.git("clone", "-q", "--bare", repo, "\(fixture.folder)/bare.git")
        try await fixture.git("worktree", "add", "-q", "-b", "side", "\(fixture.folder)/side")
        #expect(try Repository.open("\(fixture.folder)/bare.git").resolve("main") == commit)
        #expect(try Repository.open("\(fixture.folder)/side").resolve("side") == commit)
        if geteuid() == 0 {
            _ = try await run(.name("chown"), arguments: ["-R", "65534", "\(fixture.folder)/bare.git"], output: .discarded)
            #expect(try Repository.open("\(fixture.folder)/bare.git").resolve("main") == commit)
        }
    }

    @Test func aShallowCloneIsReadAndExplainsWhatItLacks() async throws {
        let first = try await fixture.repository(files: ["a.yaml": "1"])
        let second = try await fixture.commit(["a.yaml": "2"])
        try await fixture.git("clone", "-q", "--depth", "1", "file://\(repo)", "\(fixture.folder)/shallow")
        let path = fixture.folder + "/shallow"
        #expect(try Repository.open(path).resolve("HEAD") == second)
        #expect(try Repository.open(path).tree(commit: second).files.count == 1)
        #expect(failure { _ = try Repository.open(path).resolve(first) }.contains("shallow"))
    }

    @Test func aFolderInsideARepositoryIsNoRepository() async throws {
        try await fixture.repository(files: ["net/a.yaml": "1"])
        #expect(try !Repository.isRepository(repo + "/net"))
        #expect(try Repository.isRepository(repo))
        let path = repo + "/net"
        #expect(failure { _ = try Source.load(repo: path, ref: "main") }.contains("plain folder"))
        #expect(failure { _ = try Repository.open(path) }.contains("is no git repository"))
    }

    /// A working tree must never be read in place of a repository that is damaged or out of reach, and the cause is named.
    @Test(arguments: [
        ("mv .git/HEAD .git/away", ".git/HEAD is missing"), ("rm -r .git/objects", ".git/objects is missing"),
        ("rm -r .git/refs", ".git/refs is missing"), ("rm .git/HEAD; mkdir .git/HEAD", ".git/HEAD is no file"),
        ("rm -r .git; mkdir .git", ".git/HEAD is missing"), ("rm -r .git; touch .git", "malformed"),
        ("rm -r .git; echo gitdir: /nowhere/at/all > .git", ".git names /nowhere/at/all, which is no folder"),
        ("rm -r .git; ln -s /nowhere .git", ".git is a link that leads nowhere"),
        ("rm -r .git; ln -s .git .git", ".git: Too many levels of symbolic links"),
        ("rm -r .git; mkfifo .git", ".git is neither a folder nor a file"),
        ("mv .git/* .; rm -r .git HEAD", "HEAD is missing"), ("mv .git/* .; rm -r .git objects", "objects is missing"),
    ])
    func aDamagedRepositoryIsNoPlainFolder(damage: String, cause: String) async throws {
        try await fixture.repository(files: ["a.yaml": "1"])
        try await fixture.write("repo/uncommitted.yaml", "2")
        let done = try await run(.name("sh"), arguments: ["-c", "cd \"$0\" && \(damage)", repo], output: .discarded)
        #expect(done.terminationStatus.isSuccess)
        let path = repo
        for ref in [nil, "main"] {
            let said = failure { _ = try Source.load(repo: path, ref: ref) }
            #expect(said.contains("cannot open") && said.contains(cause), "\(said)")
        }
        #expect(failure { _ = try Repository.open(path) }.contains(cause))
    }

    @Test func foldersTooDeepAreAFindingAmongOthers() async throws {
        let deep = (1...64).map { "d\($0)" }.joined(separator: "/")
        try await fixture.repository(files: ["bad.yaml": "kind: Nothing\n", "\(deep)/unseen.yaml": "x"])
        let found = TopologyReader.read(try Source.load(repo: repo)).diagnostics
        #expect(found.map { "\($0.at.file) \($0.code)" } == ["bad.yaml MZ106", "\(deep) MZ011"])
    }

    @Test func objectsOfSHA256AreSaidNotToBeRead() async throws {
        try await fixture.write("repo/x", "")
        try await fixture.git("init", "-q", "--object-format=sha256", "-b", "main")
        let (path, cache) = (repo, "\(fixture.folder)/cache")
        #expect(failure { _ = try Source.load(repo: path) }.contains("its objects are SHA-256"))
        #expect(failure { try Mirror.fetchInProcess(url: "file://\(path)", cache: cache) }.contains("its objects are SHA-256"))
    }
}
