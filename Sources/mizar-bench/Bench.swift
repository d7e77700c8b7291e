import Glibc
import Lab

/// What every section works with.
struct Bench: Sendable {
    struct Failure: Error, CustomStringConvertible {
        let description: String

        init(_ description: String) { self.description = description }
    }

    /// Every name that a run makes begins with it: labs, and so namespaces and pins.
    let prefix: String
    /// A folder of the run's own.
    let folder: String
    let isQuick: Bool
    /// The product.
    let tool = "build/mizar-reconcile"

    var rounds: Int { isQuick ? 3 : 5 }

    /// The part of the labs' names that tells them apart; all that cleaning up needs to know.
    enum LabName: String, CaseIterable, Sendable {
        case tc, xdp, vxlan, plain
        case plainXDP = "plain-xdp"
        case packets, bouncer, memory, commit, attach
    }

    func lab(_ name: LabName) -> Lab { Lab(name: "\(prefix)-\(name.rawValue)", executable: tool) }

    /// Runs a program in a namespace, or in ours, and gives what it printed.
    @discardableResult
    func run(_ words: String..., in namespace: String? = nil) async throws -> String { try await run(words, in: namespace) }

    @discardableResult
    func run(_ words: [String], in namespace: String? = nil) async throws -> String {
        let outcome = try await outcome(words, in: namespace)
        guard outcome.succeeded else {
            throw Failure("\(words.joined(separator: " ")): \(outcome.error.isEmpty ? outcome.output : outcome.error)")
        }
        return outcome.output
    }

    /// Runs a program that may fail.
    func outcome(_ words: [String], in namespace: String?) async throws -> Command.Outcome {
        let all = Self.words(words, in: namespace)
        return try await Command.run(all[0], Array(all.dropFirst()))
    }

    /// Runs a program in a namespace, in silence, while `body` runs.
    func whileRunning<Value>(
        _ words: [String], in namespace: String, _ body: (pid_t) async throws -> Value
    ) async throws -> Value {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for stream: Int32 in [1, 2] { posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_WRONLY, 0) }
        let all = Self.words(words, in: namespace)
        var arguments = all.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var pid: pid_t = 0
        let result = posix_spawnp(&pid, all[0], &actions, nil, &arguments, environ)
        guard result == 0 else { throw Failure("start \(words[0]): \(String(cString: strerror(result)))") }
        defer {
            kill(pid, SIGTERM)
            while waitpid(pid, nil, 0) < 0, errno == EINTR {}
        }
        return try await body(pid)
    }

    private static func words(_ words: [String], in namespace: String?) -> [String] {
        namespace.map { ["nsenter", "--net=\(Namespace.path($0))", "--"] + words } ?? words
    }

    /// A socket that stays in a namespace.
    static func socket(_ domain: Int32, _ type: Int32, _ number: Int32 = 0, in namespace: String) throws -> Int32 {
        let (descriptor, error) = try Namespace.within(namespace) {
            let descriptor = Glibc.socket(domain, type | Int32(SOCK_CLOEXEC.rawValue), number)
            return (descriptor, errno)
        }
        guard descriptor >= 0 else { throw Failure("socket in \(namespace): \(String(cString: strerror(error)))") }
        return descriptor
    }

    /// The text of a file, such as one of /proc.
    static func text(of path: String) throws -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure("open \(path): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count <= 0 { break }
            bytes += buffer.prefix(count)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    static func write(_ text: String, to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Failure("open \(path): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { throw Failure("write \(path): \(String(cString: strerror(errno)))") }
            rest = rest.dropFirst(count)
        }
    }

    /// Tries again until `condition` holds.
    static func wait(_ what: String, seconds: Int = 30, _ condition: () throws -> Bool) throws {
        for _ in 0..<seconds * 500 {
            if try condition() { return }
            usleep(2000)
        }
        throw Failure("\(what): not after \(seconds) s")
    }

    static func seconds(_ body: () async throws -> Void) async rethrows -> Double {
        let clock = ContinuousClock()
        let start = clock.now
        try await body()
        return (clock.now - start) / .seconds(1)
    }
}
