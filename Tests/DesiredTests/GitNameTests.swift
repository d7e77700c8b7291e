import Glibc
import TestSupport
import Testing
import Topology

@testable import Desired

/// What git calls things, and what lies in a commit besides plain files: each is said to be what it is.
@Suite struct GitNameTests {
    let fixture: GitFixture
    var repo: String { fixture.folder + "/repo" }

    init() throws { fixture = try GitFixture() }

    @Test func aBranchAndATagOfOneNameAreToldApart() async throws {
        let first = try await fixture.repository(files: ["a.yaml": "1"])
        let second = try await fixture.commit(["a.yaml": "2"])
        try await fixture.git("branch", "v1", second)
        try await fixture.git("tag", "v1", first)
        let path = repo
        for name in ["v1", "v1~0", "v1^{commit}"] {
            let said = failure { _ = try Repository.open(path).resolve(name) }
            #expect(said.contains("the name of refs/heads/v1 and of refs/tags/v1; write which: refs/heads/v1 or refs/tags/v1"), "\(said)")
        }
        let repository = try Repository.open(repo)
        #expect(try repository.resolve("refs/heads/v1") == second)
        #expect(try repository.resolve("refs/tags/v1") == first)
        #expect(try repository.resolve("main") == second)
        // Whoever may push a branch could put it in the place of a commit.
        let short = String(first.prefix(10))
        try await fixture.git("branch", short, second)
        let said = failure { _ = try Repository.open(path).resolve(short) }
        #expect(said.contains("refs/heads/\(short) and of commit \(first)") && said.contains("more of the id"), "\(said)")
        #expect(try repository.resolve(first) == first)
    }

    @Test func aRemoteWithoutADefaultBranchAsksForARef() async throws {
        try await fixture.repository(files: ["a.yaml": "1"])
        try await fixture.git("branch", "-m", "master")
        try await fixture.git("branch", "other")
        let (url, cache, path) = ("file://\(repo)", "\(fixture.folder)/cache", repo)
        try Mirror.fetchInProcess(url: url, cache: cache)
        #expect(try Source.load(repo: url, cache: cache, fetch: false).files.count == 1)
        // Its HEAD names a branch that nobody has made; the mirror's must not stay at what it was.
        try await fixture.git("symbolic-ref", "HEAD", "refs/heads/unborn")
        try Mirror.fetchInProcess(url: url, cache: cache)
        for said in [
            failure { _ = try Source.load(repo: url, cache: cache, fetch: false) },
            failure { _ = try Repository.open(path).resolve() },
        ] {
            #expect(said.contains("there is no default branch; say which with --ref: master, other"), "\(said)")
        }
        let anew = "\(fixture.folder)/anew"
        try Mirror.fetchInProcess(url: url, cache: anew)
        #expect(failure { _ = try Source.load(repo: url, cache: anew, fetch: false) }.contains("say which with --ref"))
        #expect(try Source.load(repo: url, ref: "master", cache: anew, fetch: false).files.count == 1)
    }

    @Test func tagsOfTagsAndOfNoCommits() async throws {
        let commit = try await fixture.repository(files: ["a.yaml": "1", "net/b.yaml": "2"])
        try await fixture.git("tag", "-a", "one", "-m", "1")
        try await fixture.git("tag", "-a", "two", "-m", "2", "one")
        try await fixture.git("tag", "-a", "folder", "-m", "f", "HEAD^{tree}")
        try await fixture.git("tag", "-a", "file", "-m", "f", "HEAD:a.yaml")
        let path = repo
        #expect(try Repository.open(path).resolve("two") == commit)
        #expect(failure { _ = try Repository.open(path).resolve("folder") }.contains("is a tag of a tree, not a commit"))
        #expect(failure { _ = try Repository.open(path).resolve("file") }.contains("is a tag of a blob, not a commit"))
    }

    @Test func submodulesAndLinksAreWarnedOf() async throws {
        let tenant = "apiVersion: mizar/v1\nkind: Tenant\nname: acme\n"
        try await fixture.repository("sub", files: ["s.yaml": tenant])
        try await fixture.repository(files: ["net/a.yaml": tenant, "away/b.tpl": tenant, "README.md": "x", "net/.x/c.yaml": "x"])
        let links = [
            "net/t.yaml": "../away/b.tpl", "net/team": "../away", "net/nowhere.yml": "none.yaml", "net/out": "../../etc",
            // To what is read anyway, or is no topology.
            "net/again.yaml": "a.yaml", "net/README.md": "../README.md", "net/loop": ".",
        ]
        for (path, target) in links { #expect(symlink(target, "\(repo)/\(path)") == 0) }
        try await fixture.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", "\(fixture.folder)/sub", "net/subm")
        let commit = try await fixture.commit([:])
        let found = TopologyReader.read(try Source.load(repo: repo, path: "net")).diagnostics
        #expect(
            found.map { "\($0.at.file): \($0.message)" } == [
                "nowhere.yml: this is a symbolic link (to none.yaml) and is skipped",
                "out: this is a symbolic link (to ../../etc) and is skipped",
                "subm: this is a submodule and is skipped: what is in it is not in this commit",
                "t.yaml: this is a symbolic link (to ../away/b.tpl) and is skipped",
                "team: this is a symbolic link (to ../away) and is skipped",
            ])
        #expect(found.allSatisfy { $0.code == "MZ017" && $0.severity == .warning })
        // The same of the folder as it stands, where the submodule's files are there.
        let plain = TopologyReader.read(try SourceTree.folder(repo + "/net")).diagnostics.filter { $0.severity == .warning }
        #expect(plain.map(\.at.file) == ["nowhere.yml", "out", "t.yaml", "team"])
        let path = repo
        #expect(failure { _ = try Repository.open(path).tree(commit: commit, path: "net/subm") }.contains("is a submodule"))
        #expect(failure { _ = try Repository.open(path).tree(commit: commit, path: "net/team") }.contains("is a symbolic link"))
    }
}
