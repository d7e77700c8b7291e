public import Topology

/// The interface that a host itself has in a network (`type: host`), and the endpoint's port at its other end: the two
/// ends of a veth pair in the host's own network namespace.
public struct Device: Hashable, Sendable, Codable {
    /// A route of the host's to a block of the VPC.
    public struct Route: Hashable, Sendable, Codable {
        public var destination: CIDR
        /// Nil: the destination is on the link.
        public var gateway: IPAddress?
        /// What the host sends from, where nobody says it.
        public var source: IPAddress?

        public init(destination: CIDR, gateway: IPAddress?, source: IPAddress?) {
            self.destination = destination
            self.gateway = gateway
            self.source = source
        }
    }

    /// `Endpoint.label` of its path; empty: nobody has finished the pair.
    public var endpoint: String
    public var name: String
    /// 0: this end is not here.
    public var ifindex: UInt32
    public var port: String
    /// 0: this end is not here.
    public var portIndex: UInt32
    /// The device's.
    public var mac: MACAddress
    /// Of both ends; 0: each has another.
    public var mtu: Int
    /// Ascending.
    public var addresses: [IPAddress]
    /// By destination.
    public var routes: [Route]
    /// Both ends are.
    public var isUp: Bool
    /// Whether the kernel's settings and routing rules keep the host from forwarding what comes by the device, and from
    /// answering or speaking there as anybody but the endpoint.
    public var isConfined: Bool

    public init(
        endpoint: String, name: String, ifindex: UInt32, port: String, portIndex: UInt32, mac: MACAddress, mtu: Int,
        addresses: [IPAddress], routes: [Route], isUp: Bool = true, isConfined: Bool = true
    ) {
        self.endpoint = endpoint
        self.name = name
        self.ifindex = ifindex
        self.port = port
        self.portIndex = portIndex
        self.mac = mac
        self.mtu = mtu
        self.addresses = addresses.sorted()
        self.routes = routes.sorted { $0.destination < $1.destination }
        self.isUp = isUp
        self.isConfined = isConfined
    }

    /// Whether an end of it is here: of one that somebody has deleted, routing rules may be.
    public var isThere: Bool { ifindex != 0 || portIndex != 0 }

    /// Whether both ends are here, under the names of `other`, for its endpoint: what else differs can be set.
    func isPair(of other: Device) -> Bool {
        endpoint == other.endpoint && name == other.name && port == other.port && ifindex != 0 && portIndex != 0
    }

    /// Whether it can be called `other`, and be set like it: both ends are here, and at no moment does it meet with what another
    /// wanted device will have, or another one that is here has still.
    func canBecome(_ other: Device, besideWanted: [Device], besideFound: [Device]) -> Bool {
        ifindex != 0 && portIndex != 0 && !besideWanted.contains { collides(with: $0) }
            && !besideFound.contains { $0 != self && $0.isThere && $0.collides(with: other) }
    }

    /// Whether a host cannot have both at a time: a name, an address or a destination would be two devices'.
    func excludes(_ other: Device) -> Bool { isThere && other.isThere && collides(with: other) }

    /// The same of devices that are yet to be made, too.
    func collides(with other: Device) -> Bool {
        !Set([name, port]).isDisjoint(with: [other.name, other.port]) || !Set(addresses).isDisjoint(with: other.addresses)
            || routes.contains { route in other.routes.contains { $0.destination.overlaps(route.destination) } }
    }
}
