import Glibc
import Synchronization
import SystemPackage
import TestSupport

/// A server on the loopback interface, at a port that the kernel has chosen, while a test needs it.
struct GitServer: Sendable {
    let port: Int
    private let process: Background

    /// Of `smart_http.py` the requests that it had: method, path, and the user and password in them or `-`.
    var requests: [String] { Self.lines(process).dropFirst().map(String.init) }

    /// Ends it and what it runs for its connections.
    func end() { process.signal(SIGTERM) }

    /// Runs `body` while a script of Tests/CommandTests/Servers serves.
    ///
    /// - Parameter passwd: a file that the server sees as /etc/passwd.
    static func run(
        _ script: String, _ arguments: [String], in git: GitFixture, passwd: String? = nil, _ body: (GitServer) async throws -> Void
    ) async throws {
        let path = FilePath(#filePath).removingLastComponent().appending("Servers").appending(script).string
        var command = ["python3", path] + arguments
        if let passwd { command = Tool.mounting(passwd, at: "/etc/passwd", command) }
        let number = counter.wrappingAdd(1, ordering: .relaxed).newValue
        try await Tool.whileRunning(command, log: "\(git.folder)/server-\(number).log") { process in
            _ = try await eventually(within: .seconds(30)) { process.output.contains("\n") }
            guard let port = lines(process).first.flatMap({ Int($0) }) else {
                throw FixtureError(text: "\(script) names no port: \(process.output)")
            }
            try await body(GitServer(port: port, process: process))
        }
    }

    private static let counter = Atomic<Int>(0)

    private static func lines(_ process: Background) -> [Substring] { process.output.split(separator: "\n") }
}

/// Whoever fetches: with a home and mirrors of its own, and none of the developer's keys, agents and tokens.
struct GitClient: Sendable {
    let git: GitFixture
    var home: String { "\(git.folder)/home" }
    var cache: String { "\(git.folder)/cache" }
    /// What it sees at paths of the system.
    var mounts: [String: String] = [:]

    func run(_ words: [String], _ environment: [String: String] = [:]) async throws -> Tool.Outcome {
        var settings = [
            "HOME": home, "XDG_CONFIG_HOME": home, "NO_PROXY": "*", "no_proxy": "*", "SSH_AUTH_SOCK": "", "MIZAR_SSH_KEY": "",
            "MIZAR_KNOWN_HOSTS": "", "MIZAR_GIT_TOKEN": "", "MIZAR_GIT_USER": "",
        ]
        settings.merge(environment) { $1 }
        var command = [Tool().path] + words + ["--cache", cache]
        for (target, source) in mounts { command = Tool.mounting(source, at: target, command) }
        return try await Tool.execute(command, environment: settings)
    }

    func validate(_ url: String, _ environment: [String: String] = [:], timeout: Int = 60) async throws -> Tool.Outcome {
        try await run(["validate", "--repo", url, "--fetch-timeout", "\(timeout)"], environment)
    }

    /// Whether a process still fetches.
    func isFetching() async throws -> Bool {
        try await !Tool.execute(["pgrep", "-f", "fetch-mirror .*\(cache)"]).output.isEmpty
    }

    /// Whether a pack is on its way into a mirror, or was when its fetch was ended.
    func hasUnfinishedPack() async throws -> Bool {
        try await !Tool.execute(["find", cache, "-name", "*_git2_*"]).output.isEmpty
    }
}

extension GitFixture {
    /// Two branches that differ, `main` and `change`, in a repository whose pack is more than a few packets.
    func serverRepository() async throws {
        var fleet = ApplyTests.twoHosts()
        try await repository(files: fleet.files)
        var generator = SeededGenerator(seed: 1)
        try await commit(["noise.txt": (0..<8192).map { _ in String(generator.next(), radix: 36) }.joined(separator: "\n")])
        try await git("switch", "-q", "-c", "change")
        fleet.endpoint("acme/prod/web/new", 50, on: "h1")
        try await commit(fleet.files)
        try await git("switch", "-q", "main")
    }
}

extension Tool {
    /// The command, in a mount namespace of its own with `source` at `target`.
    static func mounting(_ source: String, at target: String, _ command: [String]) -> [String] {
        let script = #"mount --bind "$1" "$2" && shift 2 && exec "$@""#
        return ["unshare", "--mount", "--", "sh", "-c", script, "sh", source, target] + command
    }

    /// Runs a command and throws unless it ends with 0; gives what it printed.
    @discardableResult
    static func check(_ command: String..., environment: [String: String] = [:]) async throws -> String {
        let outcome = try await execute(command, environment: environment)
        guard outcome.succeeded else { throw FixtureError(text: "\(command.joined(separator: " ")): \(outcome.error)") }
        return outcome.output
    }
}
