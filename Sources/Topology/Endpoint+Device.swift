extension Endpoint {
    /// Whether it is the host itself, by a device that the reconciler makes: `type: host`.
    public var isHost: Bool { device != nil }

    /// What the device of a host endpoint is called, unless its `interface` says it: stable, 13 bytes.
    public static func deviceName(of path: String) -> String { "mzr" + digits(of: path) }

    /// What the device's other end, the endpoint's port, is called.
    public static func portName(of path: String) -> String { "mzp" + digits(of: path) }

    /// What interfaces are known by as the endpoint's: its path, or of a very long one the beginning and the stable id.
    public static func label(of path: String) -> String {
        // An alias has at most 255 bytes.
        guard path.utf8.count > 200 else { return path }
        return String(decoding: path.utf8.prefix(180), as: UTF8.self) + "#" + String(StableHash.id(path), radix: 16)
    }

    /// Ten hexadecimal digits of the path's stable id.
    private static func digits(of path: String) -> String {
        let text = String(StableHash.id(path) >> 24, radix: 16)
        return String(repeating: "0", count: 10 - text.utf8.count) + text
    }
}
