import Glibc
import Subprocess
import TestSupport
import Testing
import Topology

@testable import Desired

/// Commits and folders that are small as they are stored and huge as they are read: each is refused at once, in words.
@Suite struct BombTests {
    let bombs: BombFixture

    init() throws { bombs = try BombFixture() }

    private func read() throws -> [Diagnostic] { TopologyReader.read(try Source.load(repo: bombs.repo)).diagnostics }

    /// Ten names for one folder, eleven deep: 100,000,000,000 paths.
    @Test func aFolderOfManyNames() async throws {
        try await bombs.commit(tree: try await bombs.nested([("100644 blob", try await bombs.blob("# nothing\n"), "t.txt")], depth: 11))
        let found = try read()
        #expect(found.map(\.code) == ["MZ012"])
        #expect(found.first?.message.contains("more than 250,000 files and folders") == true, "\(found)")
        #expect(found.first?.at.file.hasPrefix("a/a/a/") == true)
    }

    /// Each copy of a file that defines something is an error of its own, and there is an end to listing them.
    @Test func aFileOfManyNames() async throws {
        let blob = try await bombs.blob("apiVersion: mizar/v1\nkind: Tenant\nname: acme\n")
        let names = (0..<3000).map { ("100644 blob", blob, "\($0 + 1000).yaml") }
        try await bombs.commit(tree: try await bombs.tree(names))
        let found = try read()
        #expect(found.count == 1001 && found.dropLast().allSatisfy { $0.code == "MZ018" })
        #expect(found.first?.message == "this file has the same content as 1000.yaml, and would define all of it twice")
        #expect(found.last?.code == "MZ019" && found.last?.at.file == "2000.yaml", "\(String(describing: found.last))")
    }

    /// Copies of what defines nothing are no error, and are counted all the same.
    @Test func aFileOfManyNamesThatSaysNothing() async throws {
        let blob = try await bombs.blob(String(repeating: "#", count: 1 << 20))
        try await bombs.commit(tree: try await bombs.tree((0..<300).map { ("100644 blob", blob, "\($0 + 1000).yaml") }))
        let found = try read()
        #expect(found.map(\.summary) == ["1256.yaml:1:1: error[MZ012]"])
        #expect(found.first?.message.contains("more than 256 MiB") == true, "\(found)")
    }

    @Test func aPathOfManyLongNames() async throws {
        var entry = ("100644 blob", try await bombs.blob("kind: Nothing\n"), "t.yaml")
        for _ in 0..<6 { entry = ("040000 tree", try await bombs.tree([entry]), String(repeating: "n", count: 200)) }
        try await bombs.commit(tree: try await bombs.tree([entry]))
        let found = try read()
        #expect(found.map(\.code) == ["MZ013"])
        #expect(found.first?.at.file.utf8.count == 6 * 201 - 1)
    }

    // MARK: Within one file

    private func errors(_ text: String) -> [String] { TopologyReader.read(SourceTree(text)).diagnostics.map(\.code) }

    @Test(arguments: ["a: &b c\n---\n", "- x\n---\n", "{a: {b: &x 1}}\n---\n", "kind: Host\n---\n"])
    func aFileOfMistakesIsNotReadToItsEnd(_ mistake: String) {
        let found = TopologyReader.read(SourceTree(String(repeating: mistake, count: 20_000))).diagnostics
        #expect((1001...1010).contains(found.count), "\(found.count)")
        #expect(found.contains { $0.code == "MZ019" && $0.message.hasSuffix("the rest of the file was not read") })
        #expect((found.map(\.at.line).max() ?? 0) < 5000)
    }

    /// libyaml compares each with all others.
    @Test func manyTagDirectives() {
        #expect(errors((0..<100_000).map { "%TAG !a\($0)! x\n" }.joined() + "--- a\n") == ["MZ006"])
    }

    @Test func moreValuesThanAnyTopologyHas() {
        #expect(errors("[" + String(repeating: "a,", count: (8 << 20) - 2) + "]").contains("MZ001"))
    }

    @Test func aValueOfMegabytes() {
        let text = "apiVersion: mizar/v1\nkind: Cluster\nname: \"\(String(repeating: "/", count: 8 << 20))\"\n"
        #expect(errors(text) == ["MZ014"])
    }

    @Test func warningsAreCountedBeyondThoseListed() {
        var text = "apiVersion: mizar/v1\nkind: Host\nname: h1\naddress: 172.16.0.1\ninterface: eth0\n---\n"
        text += "apiVersion: mizar/v1\nkind: Tenant\nname: a\n"
        for index in 0..<1100 {
            text += "---\napiVersion: mizar/v1\nkind: VPC\nname: a/v\(index)\nvni: \(index + 1)\ncidrs: [10.0.0.0/8]\ndividers: 2\n"
        }
        let result = TopologyReader.read(SourceTree(text))
        #expect(result.topology?.vpcs.count == 1100)
        #expect(result.diagnostics.count == 1001)
        #expect(result.diagnostics.first { $0.code == "MZ020" }?.message == "there are 100 more warnings")
    }

    // MARK: Folders

    @Test func aFolderOfPipesAndDevicesIsNotWaitedFor() throws {
        let folder = bombs.fixture.folder + "/plain"
        #expect(mkdir(folder, 0o755) == 0 && mkfifo(folder + "/pipe.yaml", 0o600) == 0 && mkfifo(folder + "/other", 0o600) == 0)
        let tree = try SourceTree.folder(folder)
        #expect(tree.files.isEmpty)
        let found = TopologyReader.read(tree).diagnostics
        #expect(found.map(\.summary) == [".:1:1: error[MZ009]", "pipe.yaml:1:1: warning[MZ017]"])
    }

    @Test func copiesInAFolderAreFoundAsInACommit() async throws {
        for path in ["a.yaml", "b/a.yaml"] {
            try await bombs.fixture.write("plain/\(path)", "apiVersion: mizar/v1\nkind: Tenant\nname: a\n")
        }
        let tree = try SourceTree.folder(bombs.fixture.folder + "/plain")
        #expect(TopologyReader.read(tree).diagnostics.map(\.summary) == ["b/a.yaml:1:1: error[MZ018]"])
        #expect(Set(tree.files.map(\.id)).count == 1)
    }

    /// A commit and its checkout give the same findings, in whatever order the file system has its names.
    @Test func aCommitAndItsFolderGiveTheSame() async throws {
        let files = [
            "a.yaml": "kind: A\n", "a/b.yaml": "kind: B\n", "a-b.yml": "kind: A\n", "a.d/c.yml": "kind: B\n",
            "t.YAML": "apiVersion: mizar/v1\n",
        ]
        try await bombs.fixture.repository("same", files: files)
        let path = bombs.fixture.folder + "/same"
        let commit = try Source.load(repo: path)
        let folder = try SourceTree.folder(path)
        #expect(commit.files == folder.files)
        #expect(TopologyReader.read(commit).diagnostics == TopologyReader.read(folder).diagnostics)
    }

    /// That it took too long says nothing about a tree.
    @Test func aDeadlineIsNoVerdict() async throws {
        try await bombs.commit(tree: try await bombs.nested([("100644 blob", try await bombs.blob("# nothing\n"), "t.txt")], depth: 11))
        let repo = bombs.repo
        #expect(failure { _ = try Source.load(repo: repo, deadlineSeconds: 0) }.contains("not done within 0 seconds"))
    }
}
