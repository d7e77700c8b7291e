/// The tables of a host: pinned maps of the same name. Counters (`traffic`, `drops`) are not desired state: of `traffic`
/// the capacity is, which follows the ports'.
public enum Table: String, Hashable, Sendable, Codable, CaseIterable, Comparable {
    case config, hosts, vpcs, networks, endpoints, direct, ports
    case portMACs = "port_macs"
    case traffic, names, waits, datapath, applied

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    /// One row at all times, zero where nothing was written yet.
    public var hasOneRow: Bool {
        switch self {
        case .config, .datapath, .applied: true
        case .hosts, .vpcs, .networks, .endpoints, .direct, .ports, .portMACs, .traffic, .names, .waits: false
        }
    }

    /// The programs' own: where its map becomes another one, they are loaded anew.
    public var isReadByPrograms: Bool {
        switch self {
        case .config, .hosts, .vpcs, .networks, .endpoints, .direct, .ports, .portMACs, .traffic: true
        case .names, .waits, .datapath, .applied: false
        }
    }

    /// Bookkeeping is carried out, but is no resource that a user counts.
    public var isBookkeeping: Bool {
        switch self {
        case .direct, .portMACs, .traffic, .names, .waits, .datapath, .applied: true
        case .config, .hosts, .vpcs, .networks, .endpoints, .ports: false
        }
    }
}
