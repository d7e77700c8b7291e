import Glibc
import Subprocess
import Synchronization
import SystemPackage

/// A program that runs while a test does something else, and has ended when the test goes on.
public final class Background: Sendable {
    public let pid: Int32
    private let log: String

    init(pid: Int32, log: String) { (self.pid, self.log) = (pid, log) }

    /// All that it has printed so far, on standard output and standard error.
    public var output: String {
        guard let file = try? FileDescriptor.open(FilePath(log), .readOnly) else { return "" }
        defer { try? file.close() }
        var bytes: [UInt8] = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 1)
        defer { buffer.deallocate() }
        while let count = try? file.read(into: buffer), count > 0 { bytes += buffer.prefix(count) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// - Parameter toGroup: to every process of the group that it leads, too.
    public func signal(_ number: Int32, toGroup: Bool = false) { kill(toGroup ? -pid : pid, number) }

    /// Whether it has come to its end, whether or not somebody has asked for its status.
    public var hasEnded: Bool {
        var info = siginfo_t()
        return waitid(P_PID, id_t(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_signo == SIGCHLD
    }

    public var isRunning: Bool { kill(pid, 0) == 0 }
}

extension Tool {
    /// Runs a command (in a network namespace) while `body` runs, then ends it: with SIGTERM, and if it does not heed
    /// that within five seconds, with SIGKILL.
    ///
    /// - Returns: the command's exit status, 128 and the signal's number if it was killed.
    @discardableResult
    public static func whileRunning(
        _ command: [String], namespace: String? = nil, log: String, _ body: (Background) async throws -> Void
    ) async throws -> Int32 {
        var words = command
        if let namespace { words = ["nsenter", "--net=/run/netns/\(namespace)", "--"] + words }
        let file = try FileDescriptor.open(
            FilePath(log), .writeOnly, options: [.create, .truncate], permissions: [.ownerReadWrite])
        defer { try? file.close() }
        let result = try await Subprocess.run(
            words[0].contains("/") ? .path(FilePath(words[0])) : .name(words[0]),
            arguments: Arguments(Array(words.dropFirst())), input: .none,
            output: .fileDescriptor(file, closeAfterSpawningProcess: false),
            error: .fileDescriptor(file, closeAfterSpawningProcess: false)
        ) { execution -> Result<Void, any Error> in
            let outcome: Result<Void, any Error>
            do {
                outcome = .success(try await body(Background(pid: execution.processIdentifier.value, log: log)))
            } catch {
                outcome = .failure(error)
            }
            await execution.teardown(using: [.gracefulShutDown(allowedDurationToNextStep: .seconds(5))])
            return outcome
        }
        try result.closureResult.get()
        switch result.terminationStatus {
        case .exited(let code): return code
        case .signaled(let signal): return 128 + signal
        }
    }
}
