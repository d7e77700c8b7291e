import Glibc

/// A thread that waits for SIGTERM or SIGINT while the main one is busy. Both are blocked, as `Waiter` reads them.
final class SignalWatch {
    private let thread: pthread_t
    private let pipe: [Int32]

    /// - Parameter signals: readable when a signal is there; it is not read from.
    /// - Parameter stop: ends the process.
    init(signals: Int32, stop: @escaping @Sendable () -> Void) throws {
        var pipe: [Int32] = [-1, -1]
        guard Glibc.pipe(&pipe) == 0 else { throw Self.failure(errno) }
        for end in pipe { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let work = Work(signals: signals, end: pipe[0], stop: stop)
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { context in
                if let context { Unmanaged<Work>.fromOpaque(context).takeUnretainedValue().run() }
                return nil
            }, Unmanaged.passUnretained(work).toOpaque())
        guard code == 0 else {
            pipe.forEach { close($0) }
            throw Self.failure(code)
        }
        self.work = work
        self.thread = thread
        self.pipe = pipe
    }

    /// Kept until the thread has ended.
    private let work: Work

    func end() {
        close(pipe[1])
        pthread_join(thread, nil)
        close(pipe[0])
    }

    private static func failure(_ code: Int32) -> Failure {
        Failure("cannot watch for signals: \(String(cString: strerror(code)))")
    }

    private final class Work: Sendable {
        let signals: Int32
        /// Its other end is closed when nothing is to be waited for any more.
        let end: Int32
        let stop: @Sendable () -> Void

        init(signals: Int32, end: Int32, stop: @escaping @Sendable () -> Void) {
            (self.signals, self.end, self.stop) = (signals, end, stop)
        }

        func run() {
            var watched = [pollfd(fd: end, events: Int16(POLLIN), revents: 0), pollfd(fd: signals, events: Int16(POLLIN), revents: 0)]
            while true {
                _ = poll(&watched, 2, -1)
                if watched[0].revents != 0 { return }
                var pending = sigset_t()
                sigpending(&pending)
                if sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1 { stop() }
                // Another one, which stays until the main thread reads it.
                if watched[1].revents != 0 { _ = poll(&watched, 1, 50) }
                if watched[0].revents != 0 { return }
            }
        }
    }
}
