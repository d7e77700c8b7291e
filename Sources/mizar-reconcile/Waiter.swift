import CBPF
import Glibc
import Logging

/// Waits for whatever comes first: a signal, a change of this host's interfaces, or a time.
final class Waiter {
    enum Event {
        case stop, hangup, links
        case timeout(isFetchTime: Bool)
    }

    private let signals: Int32
    private let links: Int32
    /// When the next fetch is due, milliseconds of CLOCK_MONOTONIC; kept over other events, so that a flapping interface
    /// cannot put it off.
    private var fetchTime: Int?

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
    ///   - fetchIn: milliseconds between two fetches; counted from the last fetch, whatever comes in between.
    ///   - wakeIn: milliseconds until something else is due, if anything is.
    func wait(fetchIn: Int, wakeIn: Int?) -> Event {
        let fetchAt = fetchTime ?? Self.now() + fetchIn
        fetchTime = fetchAt
        let end = min(fetchAt, wakeIn.map { Self.now() + $0 } ?? Int.max)
        while true {
            let left = end - Self.now()
            guard left > 0 else {
                let isFetchTime = end == fetchAt
                if isFetchTime { fetchTime = nil }
                return .timeout(isFetchTime: isFetchTime)
            }
            var watched = [
                pollfd(fd: signals, events: Int16(POLLIN), revents: 0), pollfd(fd: links, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&watched, 2, Int32(clamping: left)) > 0 else { continue }
            if watched[0].revents != 0 {
                switch mzr_signals_read(signals) {
                case SIGHUP:
                    fetchTime = nil
                    return .hangup
                case 0: break
                default: return .stop
                }
            }
            if watched[1].revents != 0, mzr_links_drain(links) { return .links }
        }
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

    private static func now() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }
}
