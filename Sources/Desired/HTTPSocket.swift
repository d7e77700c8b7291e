import Glibc

/// A TCP connection.
final class HTTPSocket: HTTPStream {
    private let descriptor: Int32
    var patience: Int32 = -1
    /// With several addresses a silent one must not use up the deadline.
    private static let connectMilliseconds: Int32 = 10_000

    init(host: String, port: Int) throws(HTTPFailure) {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        var code = getaddrinfo(host, String(port), &hints, &list)
        // A loopback address of a family that no interface has.
        if code != 0 {
            hints.ai_flags = AI_NUMERICSERV
            code = getaddrinfo(host, String(port), &hints, &list)
        }
        guard code == 0 else {
            throw HTTPFailure("failed to resolve address for \(host): \(String(cString: gai_strerror(code)))")
        }
        defer { freeaddrinfo(list) }
        var cause = "it has no address"
        var next = list
        while let entry = next?.pointee {
            next = entry.ai_next
            let descriptor = socket(entry.ai_family, entry.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), entry.ai_protocol)
            guard descriptor >= 0 else {
                cause = String(cString: strerror(errno))
                continue
            }
            let failed = Self.connect(descriptor, entry, milliseconds: next == nil ? -1 : Self.connectMilliseconds)
            if failed == 0 {
                self.descriptor = descriptor
                return
            }
            cause = String(cString: strerror(failed))
            close(descriptor)
        }
        throw HTTPFailure("failed to connect to \(host), port \(port): \(cause)")
    }

    deinit { close(descriptor) }

    /// Gives 0 or an errno.
    private static func connect(_ descriptor: Int32, _ entry: addrinfo, milliseconds: Int32) -> Int32 {
        let flags = fcntl(descriptor, F_GETFL)
        _ = fcntl(descriptor, F_SETFL, flags | O_NONBLOCK)
        defer { _ = fcntl(descriptor, F_SETFL, flags) }
        if Glibc.connect(descriptor, entry.ai_addr, entry.ai_addrlen) == 0 { return 0 }
        guard errno == EINPROGRESS || errno == EINTR else { return errno }
        guard wait(descriptor, Int16(POLLOUT), milliseconds) else { return ETIMEDOUT }
        var error: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno
    }

    private static func wait(_ descriptor: Int32, _ events: Int16, _ milliseconds: Int32) -> Bool {
        var watched = pollfd(fd: descriptor, events: events, revents: 0)
        while true {
            let ready = poll(&watched, 1, milliseconds)
            if ready < 0, errno == EINTR { continue }
            return ready != 0
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(HTTPFailure) -> Int {
        guard patience < 0 || Self.wait(descriptor, Int16(POLLIN), patience) else {
            throw HTTPFailure("the server is silent", isLost: true)
        }
        while true {
            let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw HTTPFailure("the connection broke: \(String(cString: strerror(errno)))", isLost: true) }
            return count
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(HTTPFailure) {
        var rest = bytes
        while !rest.isEmpty {
            let count = send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw HTTPFailure("the connection broke: \(String(cString: strerror(errno)))", isLost: true) }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }
}
