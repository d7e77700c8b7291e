/// What a packet on its way through tables is asked of: enum mzr_stage. It only grows from hop to hop.
public struct Stage: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// No option: straight from the origin to the endpoint's host.
    public static let none = Stage(rawValue: 0)
    public static let divider = Stage(rawValue: 1)
    public static let bouncer = Stage(rawValue: 2)
    public static let host = Stage(rawValue: 3)
    /// Forwarded after a move, once more at each step from `host` on.
    public static let last = Stage(rawValue: 7)

    /// Whether the receiver should have the endpoint itself.
    var isForHost: Bool { self == .none || rawValue >= Self.host.rawValue }
}

extension Stage: CustomStringConvertible {
    public var description: String {
        switch self {
        case .none: "plain"
        case .divider: "divider"
        case .bouncer: "bouncer"
        case .host: "host"
        default: "host+\(rawValue - Self.host.rawValue)"
        }
    }
}
