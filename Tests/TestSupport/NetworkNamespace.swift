import CBPF
import Glibc
import Synchronization
import Testing

/// A network namespace of a thread's own, and a directory on bpffs that goes with it.
///
/// The thread has nothing but a loopback interface, so tests with it run in parallel and cannot harm the machine.
public struct NetworkNamespace: Sendable {
    /// Does not exist yet; removed afterwards with whatever is in it.
    public let bpffs: String

    /// Whether this machine lets tests do what they must; with `MIZAR_REQUIRE_BPF=1` always, so that they fail.
    public static var isAvailable: Bool {
        if let required = getenv("MIZAR_REQUIRE_BPF"), String(cString: required) == "1" { return true }
        return geteuid() == 0
    }

    /// Runs `body` on a thread in a fresh network namespace, whatever tests it runs.
    public static func run<Result: Sendable>(
        _ body: @escaping @Sendable (NetworkNamespace) throws -> Result
    ) async throws -> Result {
        let thread = NamespaceThread()
        defer { thread.stop() }
        return try await withTaskExecutorPreference(thread) {
            try await enter(body)
        }
    }

    // Not isolated to an actor, so it runs on the thread that is preferred.
    @concurrent private static func enter<Result: Sendable>(
        _ body: @Sendable (NetworkNamespace) throws -> Result
    ) async throws -> Result {
        guard mzr_leave_network() == 0 else { throw NetworkNamespaceError(what: "unshare", number: errno) }
        let directory = "/sys/fs/bpf/mizar-test-\(getpid())-\(counter.wrappingAdd(1, ordering: .relaxed).newValue)"
        let namespace = NetworkNamespace(bpffs: directory)
        defer { namespace.clean() }
        try namespace.command("ip", "link", "set", "lo", "up")
        return try body(namespace)
    }

    private static let counter = Atomic<Int>(0)

    /// Runs a program in the namespace and gives what it printed; fails with all of it unless the program exits with 0.
    @discardableResult
    public func command(_ words: String...) throws -> String { try Self.command(words) }

    private static func command(_ words: [String]) throws -> String {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw NetworkNamespaceError(what: "pipe", number: errno) }
        // So that no other test's child keeps the pipe open.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[0]) }
        let pid: pid_t
        do {
            defer { close(ends[1]) }
            pid = try start(words, output: ends[1])
        }
        var output: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(ends[0], &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { break }
            output += buffer.prefix(count)
        }
        let status = Child.wait(pid)
        let text = String(decoding: output, as: UTF8.self)
        guard status == 0 else { throw CommandFailure(command: words.joined(separator: " "), output: text) }
        return text
    }

    /// Starts a program in the namespace and lets it run.
    public func spawn(_ words: String...) throws -> Child { Child(pid: try Self.start(words, output: nil)) }

    /// - Parameter output: what its output and errors go to; nil: the tests' own.
    private static func start(_ words: [String], output: Int32?) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let output {
            posix_spawn_file_actions_adddup2(&actions, output, 1)
            posix_spawn_file_actions_adddup2(&actions, output, 2)
        }
        var arguments = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var pid: pid_t = 0
        // The child gets the network namespace of the thread that makes it.
        let result = posix_spawnp(&pid, words[0], &actions, nil, &arguments, environ)
        guard result == 0 else { throw NetworkNamespaceError(what: words[0], number: result) }
        return pid
    }

    /// Pins vanish with their names; the namespace takes its interfaces along when the thread ends.
    private func clean() { Self.remove(bpffs) }

    private static func remove(_ path: String) {
        guard let stream = opendir(path) else { return }
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name != ".", name != ".." else { continue }
            let inner = "\(path)/\(name)"
            if unlink(inner) != 0 { remove(inner) }
        }
        closedir(stream)
        rmdir(path)
    }
}

/// A program that runs beside a test.
public final class Child: Sendable {
    public let pid: Int32
    private let hasEnded = Atomic<Bool>(false)

    init(pid: Int32) { self.pid = pid }

    /// Kills it and waits until it is gone; once is enough.
    public func end() {
        guard !hasEnded.exchange(true, ordering: .relaxed) else { return }
        kill(pid, SIGKILL)
        _ = Self.wait(pid)
    }

    static func wait(_ pid: pid_t) -> Int32 {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return status
    }
}

/// A call of the kernel that a test needs and did not get.
public struct NetworkNamespaceError: Error, CustomStringConvertible {
    public let what: String
    public let number: Int32

    public init(what: String, number: Int32) {
        self.what = what
        self.number = number
    }

    public var description: String { "\(what): \(String(cString: strerror(number)))" }
}

/// A program that ended with another code than 0.
public struct CommandFailure: Error, CustomStringConvertible {
    public let command: String
    public let output: String

    public var description: String { "\(command): \(output)" }
}

/// One thread that runs a task's jobs: tasks hop between threads, and a network namespace is a thread's.
private final class NamespaceThread: TaskExecutor, @unchecked Sendable {
    private var jobs: [UnownedJob] = []
    private var isStopped = false
    private var mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private var condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
        var thread = pthread_t()
        // The thread keeps the executor alive until it is stopped.
        let created = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<NamespaceThread>.fromOpaque(argument).takeRetainedValue().loop()
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        precondition(created == 0, "no thread")
        pthread_detach(thread)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        pthread_mutex_lock(mutex)
        jobs.append(job)
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }

    func stop() {
        pthread_mutex_lock(mutex)
        isStopped = true
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }

    private func loop() {
        while true {
            pthread_mutex_lock(mutex)
            while jobs.isEmpty, !isStopped { pthread_cond_wait(condition, mutex) }
            guard !jobs.isEmpty else {
                pthread_mutex_unlock(mutex)
                return
            }
            let job = jobs.removeFirst()
            pthread_mutex_unlock(mutex)
            job.runSynchronously(on: asUnownedTaskExecutor())
        }
    }
}
