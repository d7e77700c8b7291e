import Glibc
import Subprocess
import SystemPackage

/// A folder of a test's own, removed at its end, in which it makes git repositories with the git command.
public final class GitFixture: Sendable {
    public let folder: String

    public init() throws {
        let place = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(place)/mizar-git-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw FixtureError(text: "mkdtemp: \(errno)") }
        folder = String(cString: made)
    }

    /// Runs git in `repository` (a path below the folder) apart from the user's and the system's settings.
    @discardableResult
    public func git(_ arguments: String..., in repository: String = "repo") async throws -> String {
        let result = try await run(
            .name("git"), arguments: Arguments(["-C", "\(folder)/\(repository)"] + arguments),
            environment: .inherit.updating([
                "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "t",
                "GIT_AUTHOR_EMAIL": "t@example.org", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example.org",
                "GIT_ALLOW_PROTOCOL": "file:ext",
            ]),
            output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
        guard result.terminationStatus.isSuccess else {
            throw FixtureError(text: "git \(arguments): \(result.standardError)")
        }
        var text = result.standardOutput
        while text.last == "\n" { text.removeLast() }
        return text
    }

    public func write(_ path: String, _ text: String) async throws {
        let full = FilePath("\(folder)/\(path)")
        _ = try await run(.name("mkdir"), arguments: ["-p", full.removingLastComponent().string], output: .discarded)
        let file = try FileDescriptor.open(
            full, .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: [.ownerReadWrite, .groupRead, .otherRead])
        try file.closeAfter { _ = try file.writeAll(text.utf8) }
    }

    public func makeExecutable(_ path: String) { chmod("\(folder)/\(path)", 0o755) }

    /// A repository on branch `main` with the files, committed; gives the commit's id.
    @discardableResult
    public func repository(_ name: String = "repo", files: [String: String]) async throws -> String {
        try await write("\(name)/.gitkeep", "")
        try await git("init", "-q", "-b", "main", in: name)
        return try await commit(files, in: name)
    }

    @discardableResult
    public func commit(_ files: [String: String], in name: String = "repo") async throws -> String {
        for (path, text) in files { try await write("\(name)/\(path)", text) }
        try await git("add", "-A", in: name)
        try await git("commit", "-q", "--allow-empty", "-m", "c", in: name)
        return try await git("rev-parse", "HEAD", in: name)
    }

    deinit {
        // Without waiting for a process: a test may be ending in a hurry.
        removeTree(folder, depth: 0)
    }
}

public struct FixtureError: Error, CustomStringConvertible {
    public let text: String

    public init(text: String) { self.text = text }

    public var description: String { text }
}

private func removeTree(_ path: String, depth: Int) {
    var status = stat()
    guard depth < 64, lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFDIR else {
        unlink(path)
        return
    }
    if let stream = opendir(path) {
        var names: [String] = []
        while let entry = readdir(stream) {
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                })
        }
        closedir(stream)
        for name in names where name != "." && name != ".." { removeTree("\(path)/\(name)", depth: depth + 1) }
    }
    rmdir(path)
}
