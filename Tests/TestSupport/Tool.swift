import Glibc
import Subprocess
import SystemPackage

/// The built program, run as a user runs it.
public struct Tool: Sendable {
    public let path: String
    /// Runs inside this network namespace (`/run/netns/NAME`) if it is given.
    public var namespace: String?
    /// Runs as this user and group id if given.
    public var user: UInt32?

    /// The program beside the tests' own bundle: the one that this build made.
    public init(namespace: String? = nil) {
        path = Tool.besideTests("mizar-reconcile")
        self.namespace = namespace
    }

    /// The program at another place.
    public init(path: String, namespace: String? = nil) { (self.path, self.namespace) = (path, namespace) }

    /// Whether a command is installed.
    public static func exists(_ command: String) -> Bool {
        ["/usr/bin/", "/bin/", "/usr/sbin/", "/sbin/", "/usr/local/bin/"].contains { access($0 + command, X_OK) == 0 }
    }

    static func besideTests(_ name: String) -> String {
        var link = [UInt8](repeating: 0, count: 4096)
        // The tests are a program of the build folder, or a bundle that one of the toolchain's opens.
        for argument in CommandLine.arguments where argument.contains(".xctest") {
            return FilePath(argument).removingLastComponent().appending(name).string
        }
        let size = readlink("/proc/self/exe", &link, link.count)
        let own = FilePath(String(decoding: link.prefix(max(0, size)), as: UTF8.self))
        return own.removingLastComponent().appending(name).string
    }

    public struct Outcome: Sendable {
        public let status: Int32
        public let output: String
        public let error: String
        public var succeeded: Bool { status == 0 }
    }

    /// Runs the program to its end.
    @discardableResult
    public func run(_ arguments: [String], environment: [String: String] = [:]) async throws -> Outcome {
        try await Tool.execute([path] + arguments, namespace: namespace, user: user, environment: environment)
    }

    @discardableResult
    public func run(_ arguments: String...) async throws -> Outcome { try await run(arguments) }

    /// Runs the program and throws unless it ends with 0.
    @discardableResult
    public func succeed(_ arguments: String...) async throws -> String {
        let outcome = try await run(arguments)
        guard outcome.succeeded else {
            throw FixtureError(
                text: "mizar-reconcile \(arguments.joined(separator: " ")): exit \(outcome.status)\n\(outcome.output)\n\(outcome.error)")
        }
        return outcome.output
    }

    /// Runs any command to its end, in a network namespace alone (pins stay visible) if one is given.
    public static func execute(
        _ command: [String], namespace: String? = nil, user: UInt32? = nil, environment: [String: String] = [:]
    ) async throws -> Outcome {
        var words = command
        if let user { words = ["setpriv", "--reuid", "\(user)", "--regid", "\(user)", "--clear-groups", "--"] + words }
        if let namespace { words = ["nsenter", "--net=/run/netns/\(namespace)", "--"] + words }
        var updates: [Environment.Key: String?] = [:]
        // Not the home of whoever runs the tests, which another user cannot read.
        if user != nil { updates["HOME"] = "/nonexistent" }
        for (name, value) in environment { updates[Environment.Key(stringLiteral: name)] = value }
        let result = try await Subprocess.run(
            words[0].contains("/") ? .path(FilePath(words[0])) : .name(words[0]),
            arguments: Arguments(Array(words.dropFirst())), environment: .inherit.updating(updates),
            output: .string(limit: 64 << 20), error: .string(limit: 1 << 20))
        let status: Int32 =
            switch result.terminationStatus {
            case .exited(let code): code
            case .signaled(let signal): 128 + signal
            }
        return Outcome(status: status, output: result.standardOutput, error: result.standardError)
    }
}
