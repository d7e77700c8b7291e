public import Topology

// Keys and values of the tables as the planner sees them. mizar_abi.h says what each field means and Applier's
// Record+ABI.swift turns one into the other, without loss in either direction.

public struct EndpointKey: Hashable, Sendable, Codable {
    public var vni: UInt32
    public var address: IPAddress

    public init(vni: UInt32, address: IPAddress) {
        self.vni = vni
        self.address = address
    }
}

public struct EndpointRow: Hashable, Sendable, Codable {
    public enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
        case local, remote, unreachable, gateway, broadcast
    }

    public var kind: Kind
    /// Underlay address of the endpoint's host; 0.0.0.0 for a gateway or broadcast address.
    public var host: IPAddress
    /// The port that may send from this address; 0: none, or its interface is awaited.
    public var ifindex: UInt32
    @Hex public var network: UInt64

    public init(kind: Kind, host: IPAddress, ifindex: UInt32 = 0, network: UInt64) {
        self.kind = kind
        self.host = host
        self.ifindex = ifindex
        self.network = network
    }
}

public struct NetworkKey: Hashable, Sendable, Codable {
    public var vni: UInt32
    public var cidr: CIDR

    public init(vni: UInt32, cidr: CIDR) {
        self.vni = vni
        self.cidr = cidr
    }
}

public struct NetworkRow: Hashable, Sendable, Codable {
    @Hex public var network: UInt64
    /// This host holds every endpoint of the network: a miss here is final.
    public var held: Bool
    /// Underlay addresses, ascending.
    public var bouncers: [IPAddress]
    /// Of the key's block; nil: it has none.
    public var gateway: IPAddress?

    public init(network: UInt64, held: Bool, bouncers: [IPAddress], gateway: IPAddress? = nil) {
        self.network = network
        self.held = held
        self.bouncers = bouncers
        self.gateway = gateway
    }
}

public struct VPCRow: Hashable, Sendable, Codable {
    @Hex public var vpc: UInt64
    /// This host holds every network of the VPC: a miss here is final.
    public var held: Bool
    /// Underlay addresses, ascending.
    public var dividers: [IPAddress]
    /// Prefix lengths (of 128) of the VPC's networks, longest first; IPv4's and IPv6's apart.
    public var lengths4: [UInt8]
    public var lengths6: [UInt8]
    /// The VNI was another VPC's before: what does not say whose it is, is refused.
    public var handedOver = false

    public init(vpc: UInt64, held: Bool, dividers: [IPAddress], lengths4: [UInt8], lengths6: [UInt8], handedOver: Bool = false) {
        self.vpc = vpc
        self.held = held
        self.dividers = dividers
        self.lengths4 = lengths4
        self.lengths6 = lengths6
        self.handedOver = handedOver
    }
}

extension VPCRow {
    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        _vpc = try fields.decode(Hex.self, forKey: .vpc)
        held = try fields.decode(Bool.self, forKey: .held)
        dividers = try fields.decode([IPAddress].self, forKey: .dividers)
        lengths4 = try fields.decode([UInt8].self, forKey: .lengths4)
        lengths6 = try fields.decode([UInt8].self, forKey: .lengths6)
        handedOver = try fields.decodeIfPresent(Bool.self, forKey: .handedOver) ?? false
    }

    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(_vpc, forKey: .vpc)
        try fields.encode(held, forKey: .held)
        try fields.encode(dividers, forKey: .dividers)
        try fields.encode(lengths4, forKey: .lengths4)
        try fields.encode(lengths6, forKey: .lengths6)
        if handedOver { try fields.encode(true, forKey: .handedOver) }
    }

    private enum CodingKeys: String, CodingKey { case vpc, held, dividers, lengths4, lengths6, handedOver }
}

public struct HostRow: Hashable, Sendable, Codable {
    /// Stable id of the host's name.
    @Hex public var host: UInt64
    /// Nothing is sent to it, whatever was learned.
    public var isDown: Bool

    public init(host: UInt64, isDown: Bool = false) {
        self.host = host
        self.isDown = isDown
    }
}

public struct PortRow: Hashable, Sendable, Codable {
    public var vni: UInt32
    public var macFixed: Bool
    /// ARP and neighbour discovery are answered for every address: a block of the endpoint's has no gateway.
    public var answersAll: Bool
    /// What is for it goes straight to the other end of its veth, in another network namespace, whose MAC nobody asks for.
    public var isStraight: Bool
    @Hex public var network: UInt64
    @Hex public var endpoint: UInt64
    /// Whether the interface of that index is the one that the row was written for. Nothing is delivered to another.
    public var hasDevice = true

    public init(
        vni: UInt32, macFixed: Bool, answersAll: Bool = false, isStraight: Bool = false, network: UInt64, endpoint: UInt64
    ) {
        self.vni = vni
        self.macFixed = macFixed
        self.answersAll = answersAll
        self.isStraight = isStraight
        self.network = network
        self.endpoint = endpoint
    }
}

extension PortRow {
    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        vni = try fields.decode(UInt32.self, forKey: .vni)
        macFixed = try fields.decode(Bool.self, forKey: .macFixed)
        answersAll = try fields.decode(Bool.self, forKey: .answersAll)
        isStraight = try fields.decode(Bool.self, forKey: .isStraight)
        _network = try fields.decode(Hex.self, forKey: .network)
        _endpoint = try fields.decode(Hex.self, forKey: .endpoint)
        hasDevice = try fields.decodeIfPresent(Bool.self, forKey: .hasDevice) ?? true
    }

    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(vni, forKey: .vni)
        try fields.encode(macFixed, forKey: .macFixed)
        try fields.encode(answersAll, forKey: .answersAll)
        try fields.encode(isStraight, forKey: .isStraight)
        try fields.encode(_network, forKey: .network)
        try fields.encode(_endpoint, forKey: .endpoint)
        if !hasDevice { try fields.encode(false, forKey: .hasDevice) }
    }

    private enum CodingKeys: String, CodingKey { case vni, macFixed, answersAll, isStraight, network, endpoint, hasDevice }
}

public struct ConfigRow: Hashable, Sendable, Codable {
    public var address: IPAddress
    public var uplink: UInt32
    /// Geneve is sent to this UDP port.
    public var port: UInt16
    public var mtu: UInt16
    /// Taken for Geneve's, too, while the cluster goes from one port to another; the one wanted last first, two at most.
    public var otherPorts: [UInt16]
    /// Packets of a pair that go by way of tables before its host is asked for.
    public var directAfter: UInt32
    /// How long an answer holds without another, in ticks of 2^24 ns.
    public var directAge: UInt32
    /// Between two echoes to a host that packets are sent to, in ticks.
    public var healthInterval: UInt16
    /// Echoes without an answer, after which a host is avoided.
    public var healthCount: UInt8
    /// The DSCP of outer headers; nil copies the inner packet's.
    public var dscp: UInt8?

    /// Bytes that a packet of an endpoint grows by at most: mizar_abi.h, MZR_OVERHEAD_STAGED.
    public static let overhead: UInt16 = 62
    /// The largest packet of an endpoint that the underlay takes by every way.
    public var usableMTU: UInt16 { Self.usableMTU(of: mtu) }

    static func usableMTU(of underlay: UInt16) -> UInt16 { underlay > overhead ? underlay - overhead : 0 }

    public init(
        address: IPAddress, uplink: UInt32, port: UInt16, mtu: UInt16, otherPorts: [UInt16] = [],
        direct: Cluster.Direct = Cluster.Direct(), health: Cluster.Health = Cluster.Health(), dscp: Cluster.DSCP = .fixed(0)
    ) {
        self.address = address
        self.uplink = uplink
        self.port = port
        self.mtu = mtu
        self.otherPorts = otherPorts
        directAfter = direct.after
        directAge = Self.ticks(direct.age)
        healthInterval = UInt16(clamping: Self.ticks(health.interval))
        healthCount = health.count
        switch dscp {
        case .fixed(let value): self.dscp = value
        case .copy: self.dscp = nil
        }
    }

    private static func ticks(_ milliseconds: UInt64) -> UInt32 { UInt32(clamping: (milliseconds * 1_000_000) >> 24) }
}

public struct AppliedRow: Hashable, Sendable, Codable {
    /// Hexadecimal object id; empty: a plain folder.
    public var commit: String
    /// Of the desired image.
    @Hex public var digest: UInt64
    /// Stable id of the host's name.
    @Hex public var host: UInt64

    public init(commit: String, digest: UInt64, host: UInt64) {
        self.commit = commit
        self.digest = digest
        self.host = host
    }
}

public struct DatapathRow: Hashable, Sendable, Codable {
    public enum Mode: String, Hashable, Sendable, Codable, CaseIterable { case none, tc, xdp }
    public enum Reason: String, Hashable, Sendable, Codable, CaseIterable {
        /// The topology says so.
        case chosen
        /// auto: the driver runs XDP natively.
        case native
        /// auto: on a veth, XDP would cost the peer its offloads.
        case veth
        /// auto: the driver refused native XDP.
        case refused
        /// auto: another XDP program is attached.
        case occupied
    }

    /// Digest of the object whose programs run.
    @Hex public var programs: UInt64
    public var uplink: UInt32
    public var mode: Mode
    public var reason: Reason

    public init(programs: UInt64, uplink: UInt32, mode: Mode, reason: Reason) {
        self.programs = programs
        self.uplink = uplink
        self.mode = mode
        self.reason = reason
    }
}

/// One row of one table.
public enum Record: Hashable, Sendable {
    case config(ConfigRow)
    case host(IPAddress, HostRow)
    case vpc(UInt32, VPCRow)
    case network(NetworkKey, NetworkRow)
    case endpoint(EndpointKey, EndpointRow)
    /// The VPC's table of what was learned of its endpoints' hosts: how many it has room for.
    case direct(UInt32, capacity: Int)
    case port(UInt32, PortRow)
    /// A learned MAC is whatever the port's frames said; as desired state it is the one to start from.
    case portMAC(UInt32, MACAddress)
    /// The path behind a stable id, for people.
    case name(UInt64, String)
    case wait(digest: UInt64, since: UInt64)
    case datapath(DatapathRow)
    case applied(AppliedRow)
    /// A row that we cannot have written: its bytes mean nothing to this version. It is shown and removed.
    case foreign(Table, key: [UInt8], value: [UInt8])

    public var table: Table {
        switch self {
        case .config: .config
        case .host: .hosts
        case .vpc: .vpcs
        case .network: .networks
        case .endpoint: .endpoints
        case .direct: .direct
        case .port: .ports
        case .portMAC: .portMACs
        case .name: .names
        case .wait: .waits
        case .datapath: .datapath
        case .applied: .applied
        case .foreign(let table, _, _): table
        }
    }
}
