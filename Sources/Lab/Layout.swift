import Topology

/// What a lab of a topology must consist of: pure, from the topology alone.
struct Layout: Sendable {
    struct HostLink: Sendable {
        let host: String
        let namespace: String
        let interface: String
        let address: IPAddress
        let mtu: Int
        /// Whether the host forwards in XDP, out of the interface that a frame came in by.
        let isXDP: Bool
        /// The link's other end, in the underlay.
        let port: String
        /// What the link was made for: another one means that it must be made anew.
        let alias: String
    }

    struct EndpointLink: Sendable {
        let endpoint: String
        let namespace: String
        let hostNamespace: String
        let interface: String
        let mac: MACAddress
        /// With the lengths of their networks.
        let addresses: [(address: IPAddress, length: Int)]
        /// Destination and gateway; without one, the destination is on the link.
        let routes: [(destination: String, gateway: IPAddress?)]
        let mtu: Int
        /// What the link was made for, as a beginning of `alias`: another one means that it must be made anew.
        let kind: String
        let alias: String

        /// Whether the link is there, if perhaps with another MAC or gateway.
        func stands(in snapshot: Snapshot) -> Bool {
            snapshot.alias("eth0", in: namespace)?.hasPrefix(kind + ".") == true
                && snapshot.alias(interface, in: hostNamespace) != nil
        }
    }

    let underlay: Lab.Underlay
    let underlayNamespace: String
    let hosts: [HostLink]
    let endpoints: [EndpointLink]
    /// Whether the uplinks must send complete checksums, as real ones do: a frame that XDP sends on has no later chance.
    let needsChecksums: Bool

    /// The router's address on every link of a routed underlay.
    static let router = "169.254.1.1"
    /// Bytes that a packet grows by at most: mizar_abi.h, MZR_OVERHEAD_STAGED.
    static let overhead = 62

    init(_ topology: Topology, lab: Lab, underlay: Lab.Underlay) {
        self.underlay = underlay
        underlayNamespace = lab.underlayNamespace
        needsChecksums = topology.hosts.contains { $0.datapath == .xdp }
        hosts = topology.hosts.map { host in
            let mtu = host.mtu ?? 1600
            return HostLink(
                host: host.name, namespace: lab.namespace(host: host.name), interface: host.interface, address: host.address,
                mtu: mtu, isXDP: host.datapath == .xdp, port: Self.port(host: host.name),
                alias: Self.alias(lab, "host", [underlay.rawValue, host.name, host.interface, "\(host.address)", "\(mtu)"]))
        }
        // Names are unique: the topology is checked.
        let networks = Dictionary(topology.networks.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let mtu = min(1500, (hosts.map(\.mtu).min() ?? 1600) - Self.overhead)
        // A host endpoint's place is its host, where the reconciler makes what it needs.
        endpoints = topology.endpoints.filter { !$0.isHost }.map { endpoint in
            Self.link(of: endpoint, network: networks[endpoint.network], mtu: mtu, lab: lab)
        }
    }

    private static func link(of endpoint: Endpoint, network: Network?, mtu: Int, lab: Lab) -> EndpointLink {
        let mac = endpoint.mac ?? MACAddress.assumed(for: endpoint.addresses)
        var addresses: [(address: IPAddress, length: Int)] = []
        var routes: [(destination: String, gateway: IPAddress?)] = []
        for address in endpoint.addresses {
            let index = network?.cidrs.firstIndex { $0.contains(address) }
            addresses.append((address, index.flatMap { network?.cidrs[$0].length } ?? (address.isIPv4 ? 32 : 128)))
            let destination = address.isIPv4 ? "0.0.0.0/0" : "::/0"
            guard !routes.contains(where: { $0.destination == destination }) else { continue }
            let gateway = index.flatMap { index -> IPAddress? in
                guard let network, network.gateways.indices.contains(index) else { return nil }
                return network.gateways[index]
            }
            routes.append((destination, gateway))
        }
        let kind = alias(
            lab, "endpoint", [endpoint.name, endpoint.host, endpoint.interface, "\(mtu)"] + addresses.map { "\($0)" })
        return EndpointLink(
            endpoint: endpoint.name, namespace: lab.namespace(endpoint: endpoint.name),
            hostNamespace: lab.namespace(host: endpoint.host), interface: endpoint.interface, mac: mac, addresses: addresses,
            routes: routes, mtu: mtu, kind: kind,
            alias: "\(kind).\(digest(["\(mac)"] + routes.map { "\($0)" }))")
    }

    static func port(host: String) -> String { "u" + String(StableHash.id(host) >> 16, radix: 16) }

    private static func alias(_ lab: Lab, _ kind: String, _ parts: [String]) -> String {
        "\(lab.prefix)\(kind).\(digest(parts))"
    }

    private static func digest(_ parts: [String]) -> String {
        var hash = StableHash()
        for part in parts { hash.combine(part) }
        return String(hash.value, radix: 16)
    }

    // MARK: Lines for ip(8)

    static func creation(_ link: HostLink, underlay: String) -> String {
        "link add name \(link.interface) mtu \(link.mtu) netns \(link.namespace) type veth "
            + "peer name \(link.port) mtu \(link.mtu) netns \(underlay)"
    }

    /// `name` is the inner end's.
    static func creation(_ link: EndpointLink, name: String) -> String {
        "link add name \(link.interface) mtu \(link.mtu) netns \(link.hostNamespace) type veth "
            + "peer name \(name) address \(link.mac) mtu \(link.mtu) netns \(link.namespace)"
    }

    func hostLines(_ link: HostLink) -> [String] {
        let device = "dev \(link.interface)"
        let routes =
            switch underlay {
            case .bridged: ["route replace default \(device) scope link src \(link.address)"]
            case .routed:
                [
                    "route replace \(Self.router) \(device) scope link src \(link.address)",
                    "route replace default via \(Self.router) \(device) onlink src \(link.address)",
                ]
            }
        return ["addr replace \(link.address)/32 \(device)", "link set \(device) up"] + routes
            + ["link set \(device) alias \(link.alias)"]
    }

    func underlayLines(_ link: HostLink) -> [String] {
        switch underlay {
        case .bridged: ["link set dev \(link.port) master br0 up"]
        case .routed:
            [
                "addr replace \(Self.router)/32 dev \(link.port)", "link set dev \(link.port) up",
                "route replace \(link.address) dev \(link.port) scope link src \(Self.router)",
            ]
        }
    }

    static func lines(_ link: EndpointLink) -> [String] {
        link.addresses.map { "addr replace \($0.address)/\($0.length) dev eth0\($0.address.isIPv4 ? "" : " nodad")" }
            + ["link set dev eth0 up"] + routeLines(link)
    }

    /// For a link that stays: nothing is taken away before its successor is there.
    static func adjustment(_ link: EndpointLink) -> [String] { ["link set dev eth0 address \(link.mac)"] + routeLines(link) }

    private static func routeLines(_ link: EndpointLink) -> [String] {
        link.routes.map { route in
            // On the link whatever its prefix: a /32 has its gateway outside.
            "route replace \(route.destination) \(route.gateway.map { "via \($0) dev eth0 onlink" } ?? "dev eth0")"
        } + ["link set dev eth0 alias \(link.alias)"]
    }
}
