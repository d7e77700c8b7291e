import CBPF
import Glibc
import Logging

/// Waits for whatever comes first: a signal, a change of this host's interfaces, or a time.
final class Waiter {
    enum Event { case stop, hangup, links, time }

    private let signals: Int32
    private let links: Int32

    /// Blocks SIGTERM, SIGINT and SIGHUP in this and all later threads: they are read, not handled.
    init() throws {
        signals = mzr_signals_open()
        guard signals >= 0 else { throw Failure("cannot wait for signals: \(String(cString: strerror(-signals)))") }
        links = mzr_links_open()
        guard links >= 0 else { throw Failure("cannot watch the interfaces: \(String(cString: strerror(-links)))") }
    }

    deinit {
        close(signals)
        close(links)
    }

    /// - Parameters:
    ///   - end: milliseconds of CLOCK_MONOTONIC.
    ///   - pulse: how often `beat` is called meanwhile, in milliseconds; nil: never.
    func wait(until end: Int, pulse: Int?, _ beat: () -> Void) -> Event {
        while true {
            beat()
            let left = end - Self.now()
            guard left > 0 else { return .time }
            var watched = [
                pollfd(fd: signals, events: Int16(POLLIN), revents: 0), pollfd(fd: links, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&watched, 2, Int32(clamping: min(left, pulse ?? left))) > 0 else { continue }
            if watched[0].revents != 0 {
                switch mzr_signals_read(signals) {
                case SIGHUP: return .hangup
                case 0: break
                default: return .stop
                }
            }
            if watched[1].revents != 0, mzr_links_drain(links) { return .links }
        }
    }

    /// Lets time pass, and events come together, until `end` or a signal, which stays to be read.
    func pause(until end: Int) {
        var watched = pollfd(fd: signals, events: Int16(POLLIN), revents: 0)
        _ = poll(&watched, 1, Int32(clamping: max(0, end - Self.now())))
    }

    /// Calls `body`; SIGTERM or SIGINT ends the process at once meanwhile, as fetching and reading leave nothing half done.
    func endingAtSignals<Result>(_ logger: Logger, _ body: () throws -> Result) throws -> Result {
        let watch = try SignalWatch(signals: signals) {
            logger.info("stopped; the data plane goes on")
            _exit(Exit.done.rawValue)
        }
        defer { watch.end() }
        return try body()
    }

    /// Milliseconds of CLOCK_MONOTONIC.
    static func now() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }
}
