import Subprocess
import SystemPackage

/// A git repository that is made of objects by hand, not of files: one object may be at any number of places.
public final class BombFixture: Sendable {
    public let fixture: GitFixture
    public var repo: String { fixture.folder + "/repo" }

    public init() throws { fixture = try GitFixture() }

    /// One entry of a folder: mode and type, id, name.
    public typealias Entry = (kind: String, id: String, name: String)

    private func start() async throws {
        _ = try await run(.name("git"), arguments: ["init", "-q", "-b", "main", repo], output: .discarded)
    }

    private func object(_ arguments: [String], input: String) async throws -> String {
        try await start()
        let result = try await run(
            .name("git"), arguments: Arguments(["-C", repo] + arguments), input: .string(input), output: .string(limit: 4096))
        guard result.terminationStatus.isSuccess else { throw FixtureError(text: "git \(arguments)") }
        return String(result.standardOutput.prefix { $0 != "\n" })
    }

    public func blob(_ text: String) async throws -> String { try await object(["hash-object", "-w", "--stdin"], input: text) }

    public func blob(repeating text: String, times: Int) async throws -> String {
        try await blob(String(repeating: text, count: times))
    }

    public func tree(_ entries: [Entry]) async throws -> String {
        try await object(["mktree"], input: entries.map { "\($0.kind) \($0.id)\t\($0.name)\n" }.joined())
    }

    /// A folder with ten names for one like it, `depth` times, and at the end the entries.
    public func nested(_ entries: [Entry], depth: Int) async throws -> String {
        var folder = try await tree(entries)
        for _ in 0..<depth {
            let id = folder
            folder = try await tree("abcdefghij".map { ("040000 tree", id, String($0)) })
        }
        return folder
    }

    /// Makes a commit of a folder, and `main` that commit.
    @discardableResult
    public func commit(tree: String) async throws -> String {
        let commit = try await fixture.git("commit-tree", "-m", "c", tree)
        try await fixture.git("update-ref", "refs/heads/main", commit)
        return commit
    }
}
