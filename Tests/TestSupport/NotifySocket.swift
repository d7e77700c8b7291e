import Glibc

/// A service manager's socket, as sd_notify(3) has it: what a service tells is collected.
public final class NotifySocket {
    /// What `$NOTIFY_SOCKET` says.
    public let name: String
    private let socket: Int32
    /// All datagrams so far.
    private var received: [String] = []

    /// - Parameter name: a path, or with an `@` in front an abstract name.
    public init(_ name: String) throws {
        self.name = name
        socket = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        var path = Array(name.utf8)
        if name.hasPrefix("@") { path[0] = 0 } else { path.append(0) }
        let address = withUnsafeBytes(of: sa_family_t(AF_UNIX)) { Array($0) } + path
        let result = address.withUnsafeBytes { bytes in
            bytes.withMemoryRebound(to: sockaddr.self) { bind(socket, $0.baseAddress, socklen_t(bytes.count)) }
        }
        guard socket >= 0, result == 0 else { throw FixtureError(text: "bind \(name): \(errno)") }
    }

    deinit { close(socket) }

    /// All that was told so far, a line each.
    public func lines() -> [String] {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = recv(socket, &buffer, buffer.count, 0)
            guard count >= 0 else { return received }
            received += String(decoding: buffer.prefix(count), as: UTF8.self).split(separator: "\n").map(String.init)
        }
    }

    public func count(_ prefix: String) -> Int { lines().count { $0.hasPrefix(prefix) } }
}
