import Glibc
import Logging
import Topology

/// Tells the service manager that started this process how it is: sd_notify(3), a datagram to the socket that `$NOTIFY_SOCKET`
/// names. Without that, whatever is told is for nobody.
final class ServiceManager {
    /// Milliseconds, by which the manager wants a sign of life; nil: it does not watch (sd_watchdog_enabled(3)).
    let watchdog: Int?

    private let socket: Int32
    private let address: [UInt8]
    private let logger: Logger
    private var lastSign: Int?

    /// - Parameter longest: milliseconds that one part of a round, such as a fetch, may take by itself. A watchdog that is shorter
    ///   than twice that is asked to wait so long.
    init(longest: Int, logger: Logger) {
        self.logger = logger
        address = Self.address(Self.variable("NOTIFY_SOCKET"))
        socket = address.isEmpty ? -1 : Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        if socket >= 0 {
            // A manager that does not read must not keep the data plane from repair.
            var limit = timeval(tv_sec: 1, tv_usec: 0)
            setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        let isForUs = Self.variable("WATCHDOG_PID").isEmpty || Int32(Self.variable("WATCHDOG_PID")) == getpid()
        let period = isForUs ? Int(Self.variable("WATCHDOG_USEC")).flatMap { $0 > 0 ? max(1, $0 / 1000) : nil } : nil
        guard socket >= 0, let period else {
            watchdog = nil
            return
        }
        watchdog = max(period, 2 * longest)
        if period < 2 * longest { tell("WATCHDOG_USEC=\(2 * longest * 1000)") }
    }

    deinit { if socket >= 0 { close(socket) } }

    /// That the process is up, or has done what SIGHUP asked for.
    func ready(_ status: String) { tell("READY=1", "STATUS=\(status.printable)") }

    func status(_ status: String) { tell("STATUS=\(status.printable)") }

    /// That SIGHUP was heard.
    func reloading() { tell("RELOADING=1", "MONOTONIC_USEC=\(Waiter.now() * 1000)") }

    func stopping() { tell("STOPPING=1") }

    /// A sign of life, where one is due. The loop gives it, at each turn and between the parts of a round, and nobody else.
    func isAlive() {
        guard let watchdog else { return }
        let now = Waiter.now()
        guard lastSign.map({ now - $0 >= watchdog / 4 }) ?? true else { return }
        lastSign = now
        tell("WATCHDOG=1")
    }

    private func tell(_ lines: String...) {
        guard socket >= 0 else { return }
        let text = Array(lines.joined(separator: "\n").utf8)
        let sent = address.withUnsafeBytes { bytes in
            bytes.withMemoryRebound(to: sockaddr.self) { pointer in
                sendto(socket, text, text.count, Int32(MSG_NOSIGNAL), pointer.baseAddress, socklen_t(bytes.count))
            }
        }
        if sent < 0 { logger.debug("the service manager does not hear: \(String(cString: strerror(errno)))") }
    }

    /// A sockaddr_un: of a path, or with an `@` in front of an abstract name. Empty: none that is understood.
    private static func address(_ name: String) -> [UInt8] {
        guard name.hasPrefix("/") || name.hasPrefix("@"), (2...107).contains(name.utf8.count) else { return [] }
        var path = Array(name.utf8)
        if name.hasPrefix("@") { path[0] = 0 } else { path.append(0) }
        return withUnsafeBytes(of: sa_family_t(AF_UNIX)) { Array($0) } + path
    }

    private static func variable(_ name: String) -> String { getenv(name).map { String(cString: $0) } ?? "" }
}
