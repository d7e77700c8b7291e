/// A checked desired state: every rule of the contract holds, every reference resolves, defaults are filled in.
///
/// Arrays are sorted by name, so that equal commits give equal values whatever their files were called.
public struct Topology: Hashable, Sendable {
    public var cluster: Cluster
    public var hosts: [Host]
    public var tenants: [Tenant]
    public var vpcs: [VPC]
    public var networks: [Network]
    public var endpoints: [Endpoint]

    public init(
        cluster: Cluster = Cluster(), hosts: [Host] = [], tenants: [Tenant] = [], vpcs: [VPC] = [],
        networks: [Network] = [], endpoints: [Endpoint] = []
    ) {
        self.cluster = cluster
        self.hosts = hosts.sorted { $0.name < $1.name }
        self.tenants = tenants.sorted { $0.name < $1.name }
        self.vpcs = vpcs.sorted { $0.name < $1.name }
        self.networks = networks.sorted { $0.name < $1.name }
        self.endpoints = endpoints.sorted { $0.name < $1.name }
    }
}

/// Settings of the whole cluster.
public struct Cluster: Hashable, Sendable {
    public var name: String
    /// Geneve's UDP port.
    public var port: UInt16
    /// Longer than any host takes to notice a commit, in milliseconds.
    public var settle: UInt64
    /// How the direct path is learned.
    public var direct: Direct
    /// When a host that does not answer is avoided.
    public var health: Health
    /// How much one commit may take away.
    public var guards: Guards
    /// The class, on the underlay, of what hosts send each other.
    public var dscp: DSCP
    /// Nil if no document says it: the defaults.
    public var at: SourceLocation?

    /// Differentiated services code point (RFC 2474) of outer headers.
    public enum DSCP: Hashable, Sendable, CustomStringConvertible {
        /// 0 to 63.
        case fixed(UInt8)
        /// The inner packet's, which its endpoint chooses.
        case copy

        public static let most: UInt8 = 63

        /// As `Cluster.dscp` has it.
        public var description: String {
            switch self {
            case .fixed(let value): "\(value)"
            case .copy: "copy"
            }
        }
    }

    /// When an endpoint's host is asked for, and how long its answer is believed.
    public struct Direct: Hashable, Sendable {
        /// Packets of a pair that go by way of tables before one asks.
        public var after: UInt32
        /// How long an answer holds without another, in milliseconds.
        public var age: UInt64

        public init(after: UInt32 = 1, age: UInt64 = 30_000) {
            self.after = after
            self.age = age
        }
    }

    /// How hosts that packets are sent to are watched.
    public struct Health: Hashable, Sendable {
        /// Between two echoes, in milliseconds.
        public var interval: UInt64
        /// Echoes in a row without an answer, after which a host is avoided.
        public var count: UInt8

        public init(interval: UInt64 = 200, count: UInt8 = 3) {
            self.interval = interval
            self.count = count
        }
    }

    /// A commit is refused if it takes away more than both.
    public struct Guards: Hashable, Sendable, Codable {
        /// Percent of all endpoints, of a tenant's endpoints, or of the hosts; 100 lets every commit pass.
        public var destroy: Int
        /// As many may go whatever share they are.
        public var least: Int

        public init(destroy: Int = 10, least: Int = 5) {
            self.destroy = destroy
            self.least = least
        }
    }

    public init(
        name: String = "default", port: UInt16 = 6081, settle: UInt64 = 60_000, direct: Direct = Direct(),
        health: Health = Health(), guards: Guards = Guards(), dscp: DSCP = .fixed(0), at: SourceLocation? = nil
    ) {
        self.name = name
        self.port = port
        self.settle = settle
        self.direct = direct
        self.health = health
        self.guards = guards
        self.dscp = dscp
        self.at = at
    }
}

/// A substrate machine.
public struct Host: Hashable, Sendable {
    public enum State: String, Hashable, Sendable, CaseIterable, Codable { case active, draining, down }
    public enum Datapath: String, Hashable, Sendable, CaseIterable, Codable { case auto, xdp, tc }
    public enum IPsec: String, Hashable, Sendable, CaseIterable, Codable { case refuse, ignore }

    public var name: String
    /// On the underlay; IPv4.
    public var address: IPAddress
    /// Underlay interface.
    public var interface: String
    public var zone: String
    /// Share of the bouncer and divider roles, 0...1000.
    public var weight: Int
    public var state: State
    public var datapath: Datapath
    /// Underlay MTU in bytes, if it is less than the interface's.
    public var mtu: Int?
    /// What becomes of a first apply where the host's IPsec policies ask for what Geneve does not get.
    public var ipsec: IPsec
    public var at: SourceLocation

    public init(
        name: String, address: IPAddress, interface: String, zone: String = "default", weight: Int = 100,
        state: State = .active, datapath: Datapath = .auto, mtu: Int? = nil, ipsec: IPsec = .refuse, at: SourceLocation
    ) {
        self.name = name
        self.address = address
        self.interface = interface
        self.zone = zone
        self.weight = weight
        self.state = state
        self.datapath = datapath
        self.mtu = mtu
        self.ipsec = ipsec
        self.at = at
    }
}

public struct Tenant: Hashable, Sendable {
    public var name: String
    /// The next commit may not remove or rename it.
    public var protect: Bool
    public var at: SourceLocation

    public init(name: String, protect: Bool = false, at: SourceLocation) {
        self.name = name
        self.protect = protect
        self.at = at
    }
}

public struct VPC: Hashable, Sendable {
    /// `tenant/vpc`.
    public var name: String
    /// 1...16777215, unique in the cluster.
    public var vni: UInt32
    /// In the order of the file.
    public var cidrs: [CIDR]
    /// How many hosts hold this VPC's network table.
    public var dividers: Int
    /// Where `dividers` is written; nil if it is the default.
    public var dividersAt: SourceLocation?
    /// The next commit may not remove or rename it.
    public var protect: Bool
    public var at: SourceLocation

    public init(
        name: String, vni: UInt32, cidrs: [CIDR], dividers: Int = 2, dividersAt: SourceLocation? = nil, protect: Bool = false,
        at: SourceLocation
    ) {
        self.name = name
        self.vni = vni
        self.cidrs = cidrs
        self.dividers = dividers
        self.dividersAt = dividersAt
        self.protect = protect
        self.at = at
    }
}

public struct Network: Hashable, Sendable {
    /// `tenant/vpc/network`.
    public var name: String
    /// `tenant/vpc`.
    public var vpc: String
    /// In the order of the file.
    public var cidrs: [CIDR]
    /// The gateway of each of `cidrs`, in their order; nil where a block has none (a /32 without a word about it).
    public var gateways: [IPAddress?]
    /// How many hosts hold this network's endpoint table.
    public var bouncers: Int
    /// Where `bouncers` is written; nil if it is the default.
    public var bouncersAt: SourceLocation?
    /// The next commit may not remove or rename it.
    public var protect: Bool
    public var at: SourceLocation

    public init(
        name: String, vpc: String, cidrs: [CIDR], gateways: [IPAddress?], bouncers: Int = 2,
        bouncersAt: SourceLocation? = nil, protect: Bool = false, at: SourceLocation
    ) {
        self.name = name
        self.vpc = vpc
        self.cidrs = cidrs
        self.gateways = gateways
        self.bouncers = bouncers
        self.bouncersAt = bouncersAt
        self.protect = protect
        self.at = at
    }
}

public struct Endpoint: Hashable, Sendable {
    /// `tenant/vpc/network/endpoint`.
    public var name: String
    /// `tenant/vpc/network`.
    public var network: String
    /// At least one, in the order of the file.
    public var addresses: [IPAddress]
    public var host: String
    /// The interface that is the endpoint's port: the host-side veth or tap; of a host endpoint, the far end of its device.
    public var interface: String
    /// Of a host endpoint (`type: host`): the interface that the host itself has in the network.
    public var device: String?
    /// Enforced at the port; nil: learned, or a host endpoint's by its address.
    public var mac: MACAddress?
    public var at: SourceLocation

    public init(
        name: String, network: String, addresses: [IPAddress], host: String, interface: String, device: String? = nil,
        mac: MACAddress? = nil, at: SourceLocation
    ) {
        self.name = name
        self.network = network
        self.addresses = addresses
        self.host = host
        self.interface = interface
        self.device = device
        self.mac = mac
        self.at = at
    }
}
