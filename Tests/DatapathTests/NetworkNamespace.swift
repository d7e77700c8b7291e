import Glibc

/// A network namespace of the tests' own, gone when the last descriptor of it is closed.
final class NetworkNamespace: Sendable {
    struct Failure: Error, CustomStringConvertible { var description: String }

    private let descriptor: Int32

    private final class Job {
        let body: () -> Void
        init(_ body: @escaping () -> Void) { self.body = body }
    }

    /// Runs the body on a thread of its own: a thread's namespace is its own affair.
    private static func onThread<Value>(_ body: () throws -> Value) throws -> Value {
        try withoutActuallyEscaping(body) { body in
            var result: Result<Value, any Error>?
            let job = Unmanaged.passRetained(Job { result = Result { try body() } })
            var thread = pthread_t()
            let code = pthread_create(
                &thread, nil,
                { raw in
                    guard let raw else { return nil }
                    Unmanaged<Job>.fromOpaque(raw).takeRetainedValue().body()
                    return nil
                }, job.toOpaque())
            guard code == 0 else {
                job.release()
                throw Failure(description: "pthread_create: \(code)")
            }
            pthread_join(thread, nil)
            guard let result else { throw Failure(description: "the thread had no result") }
            return try result.get()
        }
    }

    private static func call(_ name: String, _ first: Int32, _ second: Int32?) throws {
        guard let symbol = dlsym(nil, name) else { throw Failure(description: "no \(name)") }
        let code: Int32
        if let second {
            code = unsafeBitCast(symbol, to: (@convention(c) (Int32, Int32) -> Int32).self)(first, second)
        } else {
            code = unsafeBitCast(symbol, to: (@convention(c) (Int32) -> Int32).self)(first)
        }
        guard code == 0 else { throw Failure(description: "\(name): \(String(cString: strerror(errno)))") }
    }

    private static let newNetwork: Int32 = 0x4000_0000  // CLONE_NEWNET

    init() throws {
        descriptor = try Self.onThread {
            try Self.call("unshare", Self.newNetwork, nil)
            let descriptor = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw Failure(description: "open: \(String(cString: strerror(errno)))") }
            return descriptor
        }
    }

    deinit { close(descriptor) }

    /// Runs the body in the namespace.
    func run<Value>(_ body: () throws -> Value) throws -> Value {
        try Self.onThread {
            try Self.call("setns", descriptor, Self.newNetwork)
            return try body()
        }
    }

    /// Runs a shell command in the namespace.
    func shell(_ command: String) throws {
        try run {
            var process = pid_t()
            var words: [UnsafeMutablePointer<CChar>?] = [strdup("sh"), strdup("-ec"), strdup(command), nil]
            defer { words.forEach { free($0) } }
            let code = posix_spawn(&process, "/bin/sh", nil, nil, &words, environ)
            guard code == 0 else { throw Failure(description: "posix_spawn: \(code)") }
            var status: Int32 = 0
            guard waitpid(process, &status, 0) == process, status == 0 else {
                throw Failure(description: "\(command): \(status)")
            }
        }
    }
}
