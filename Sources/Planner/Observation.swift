public import Topology

/// What the applier found on this host: the live rows, and the facts around them that a plan depends on.
public struct Observation: Hashable, Sendable {
    public var image: Image
    /// Largest number of rows of each pinned map; a table that is missing has no map yet.
    public var capacities: [Table: Int]
    /// Tables whose map another version laid out.
    public var relaid: Set<Table>
    /// Those of them with rows that say more than this version knows: `image` lacks these.
    public var unreadable: Set<Table>
    /// Whether the programs that run use the pinned maps and no others.
    public var programsUsePinnedMaps: Bool
    public var interfaces: [Interface]
    /// Where our programs are attached.
    public var attachments: Set<Attachment>
    /// What there is of the devices of host endpoints, whole or not.
    public var devices: [Device]
    /// The host's IPsec policies for IPv4.
    public var ipsec: [IPsecPolicy]
    /// Programs of ours that run on maps which are pinned elsewhere.
    public var elsewhere: MapsElsewhere?
    /// Digest of the object that this program carries.
    public var programs: UInt64
    /// CLOCK_BOOTTIME, nanoseconds.
    public var now: UInt64

    public init(
        image: Image = Image(), capacities: [Table: Int] = [:], relaid: Set<Table> = [], unreadable: Set<Table> = [],
        programsUsePinnedMaps: Bool = true,
        interfaces: [Interface] = [], attachments: Set<Attachment> = [], devices: [Device] = [],
        ipsec: [IPsecPolicy] = [], elsewhere: MapsElsewhere? = nil, programs: UInt64 = 0, now: UInt64 = 0
    ) {
        self.image = image
        self.capacities = capacities
        self.relaid = relaid
        self.unreadable = unreadable
        self.programsUsePinnedMaps = programsUsePinnedMaps
        self.interfaces = interfaces
        self.attachments = attachments
        self.devices = devices
        self.ipsec = ipsec
        self.elsewhere = elsewhere
        self.programs = programs
        self.now = now
    }

    /// The interface called `name`, if it exists.
    public func interface(_ name: String) -> Interface? { interfaces.first { $0.name == name } }

    /// Where segments of endpoints' tunnels come back.
    var loopback: Attachment? {
        interface("lo").map { Attachment(ifindex: $0.ifindex, interface: $0.name, point: .loopback) }
    }
}

/// Maps of ours that programs in this network namespace run on, and that are not those pinned below `--bpffs`.
public struct MapsElsewhere: Error, Hashable, Sendable {
    /// Where those programs are attached, sorted.
    public var interfaces: [String]
    /// Where the maps are pinned, in a user's words; nil: this process cannot see where.
    public var place: String?

    public init(interfaces: [String], place: String?) {
        self.interfaces = interfaces
        self.place = place
    }
}

/// A network interface of this host.
public struct Interface: Hashable, Sendable, Codable {
    /// What its frames begin with.
    public enum Medium: String, Hashable, Sendable, Codable {
        case ethernet
        case loopback
        /// No Ethernet header: tun, WireGuard, PPP, InfiniBand.
        case other
    }

    public var name: String
    /// Alternative names, by which users may call it, too.
    public var altnames: [String]
    public var ifindex: UInt32
    public var medium: Medium
    /// Whether it asks by ARP who has an address: no dummy and no VRF does.
    public var resolvesNeighbours: Bool
    public var mtu: Int
    /// As ethtool names it; empty if it has none.
    public var driver: String
    /// Whether an XDP program of somebody else is attached.
    public var foreignXDP: Bool
    /// Whether somebody has set it up (IFF_UP).
    public var isUp: Bool
    /// Whether its driver says that frames get through (IFF_LOWER_UP): a cable, a veth's other end that is up.
    public var hasCarrier: Bool
    /// Whether it is one end of a veth whose other end is in another network namespace.
    public var entersNamespace: Bool
    /// IPv4 and IPv6 addresses that it has.
    public var addresses: [IPAddress]
    /// Blocks of IPv4 addresses that are neighbours there.
    public var neighbourhoods: [CIDR]

    public init(
        name: String, altnames: [String] = [], ifindex: UInt32, medium: Medium = .ethernet, resolvesNeighbours: Bool = true,
        mtu: Int = 1500, driver: String = "", foreignXDP: Bool = false, isUp: Bool = true, hasCarrier: Bool = true,
        entersNamespace: Bool = false, addresses: [IPAddress] = [],
        neighbourhoods: [CIDR] = []
    ) {
        self.name = name
        self.altnames = altnames
        self.ifindex = ifindex
        self.medium = medium
        self.resolvesNeighbours = resolvesNeighbours
        self.mtu = mtu
        self.driver = driver
        self.foreignXDP = foreignXDP
        self.isUp = isUp
        self.hasCarrier = hasCarrier
        self.entersNamespace = entersNamespace
        self.addresses = addresses
        self.neighbourhoods = neighbourhoods
    }
}

/// A program at a place of an interface.
public struct Attachment: Hashable, Sendable, Codable {
    public enum Point: String, Hashable, Sendable, Codable, CaseIterable, Comparable {
        /// tc ingress of an endpoint's interface.
        case port
        /// tc ingress of the uplink.
        case uplink
        /// tc egress of the uplink.
        case guardEgress = "guard"
        /// tc ingress of lo, which forwards for as long, so that programs can look up next hops.
        case loopback
        /// tc ingress of an interface beside the uplink, in a network of other hosts.
        case beside
        /// tc egress of such an interface.
        case besideGuard = "guard-beside"
        /// XDP of the uplink, native.
        case xdp

        public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    }

    public var ifindex: UInt32
    public var interface: String
    public var point: Point

    public init(ifindex: UInt32, interface: String, point: Point) {
        self.ifindex = ifindex
        self.interface = interface
        self.point = point
    }
}

extension Attachment: Comparable {
    public static func < (left: Self, right: Self) -> Bool {
        (left.interface, left.ifindex, left.point) < (right.interface, right.ifindex, right.point)
    }
}
