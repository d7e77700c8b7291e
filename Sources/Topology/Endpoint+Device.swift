extension Endpoint {
    /// Whether it is the host itself, by a device that the reconciler makes: `type: host`.
    public var isHost: Bool { device != nil }

    /// What the device of a host endpoint is called, unless its `interface` says it: stable, 13 bytes.
    public static func deviceName(of path: String) -> String { "mzr" + digits(of: path) }

    /// What the device's other end, the endpoint's port, is called.
    public static func portName(of path: String) -> String { "mzp" + digits(of: path) }

    /// Ten hexadecimal digits of the path's stable id.
    private static func digits(of path: String) -> String {
        let text = String(StableHash.id(path) >> 24, radix: 16)
        return String(repeating: "0", count: 10 - text.utf8.count) + text
    }
}
