public import Topology

/// What guards count: the endpoints and hosts of a topology, or of the rows of one host, and what is protected.
public struct Inventory: Sendable {
    /// An address of a VPC. By the stable id of the VPC's path, which rows have too: a VPC of another name is another VPC.
    struct Place: Hashable, Sendable {
        let vpc: UInt64
        let address: IPAddress
    }

    struct Endpoint: Hashable, Sendable {
        let item: Item
        /// Empty if nothing tells it.
        let tenant: String
        let places: [Place]
    }

    struct Host: Hashable, Sendable {
        let item: Item
        /// The stable id of its name, which rows have too.
        let id: UInt64
    }

    /// A thing that can be taken away.
    public struct Item: Hashable, Sendable, Codable {
        public enum Kind: String, Hashable, Sendable, Codable { case endpoint, host, tenant, vpc, network, cluster }

        public let kind: Kind
        public let name: String
        /// In the commit that still has it; nil for a row.
        public let at: SourceLocation?

        public init(_ kind: Kind, _ name: String, at: SourceLocation? = nil) {
            self.kind = kind
            self.name = name
            self.at = at
        }
    }

    /// Named by nothing but itself: places may differ.
    struct Name: Hashable, Sendable {
        let kind: Item.Kind
        let name: String
    }

    let guards: Cluster.Guards
    let endpoints: [Endpoint]
    /// In service: those that are not `down`.
    let hosts: [Host]
    let protected: [Item]

    let places: Set<Place>
    let hostIDs: Set<UInt64>
    /// Tenants, VPCs and networks.
    let names: Set<Name>

    public init(_ topology: Topology) {
        guards = topology.cluster.guards
        let vpcs = Dictionary(topology.networks.map { ($0.name, $0.vpc) }) { first, _ in first }
        let ids = Dictionary(topology.vpcs.map { ($0.name, StableHash.id($0.name)) }) { first, _ in first }
        endpoints = topology.endpoints.map { endpoint in
            let vpc = vpcs[endpoint.network] ?? ""
            let id = ids[vpc] ?? StableHash.id(vpc)
            return Endpoint(
                item: Item(.endpoint, endpoint.name, at: endpoint.at), tenant: Self.tenant(of: vpc),
                places: endpoint.addresses.map { Place(vpc: id, address: $0) })
        }
        let inService = topology.hosts.filter { $0.state != .down }
        hosts = inService.map { Host(item: Item(.host, $0.name, at: $0.at), id: StableHash.id($0.name)) }
        hostIDs = Set(hosts.map(\.id))
        protected =
            topology.tenants.filter(\.protect).map { Item(.tenant, $0.name, at: $0.at) }
            + topology.vpcs.filter(\.protect).map { Item(.vpc, $0.name, at: $0.at) }
            + topology.networks.filter(\.protect).map { Item(.network, $0.name, at: $0.at) }
        names = Set(
            topology.tenants.map { Name(kind: .tenant, name: $0.name) } + topology.vpcs.map { Name(kind: .vpc, name: $0.name) }
                + topology.networks.map { Name(kind: .network, name: $0.name) })
        places = Set(endpoints.lazy.flatMap(\.places))
    }

    /// What a host's rows know: its own endpoints, those of the networks that it is a bouncer of, and its peers.
    ///
    /// - Parameter guards: rows say nothing of them.
    public init(_ image: Image, guards: Cluster.Guards) {
        self.guards = guards
        endpoints = image.endpoints.compactMap { key, row in
            switch row.kind {
            case .gateway, .broadcast: return nil
            case .local, .remote, .unreachable: break
            }
            let vpc = image.vpcs[key.vni]?.vpc
            let path = vpc.flatMap { image.names[$0] } ?? "VNI \(key.vni)"
            return Endpoint(
                item: Item(.endpoint, "\(image.names[row.network] ?? path) \(key.address)"),
                tenant: vpc.flatMap { image.names[$0] }.map(Self.tenant) ?? "",
                places: [Place(vpc: vpc ?? 0, address: key.address)])
        }.sorted { $0.item.name < $1.item.name }
        // One that left already stays for a while: its row says until when.
        hosts = image.hosts.filter { address, row in
            !row.isDown && image.waits[Meanwhile.digest(.host) { $0.combine(address.bits) }] == nil
        }.sorted { $0.key < $1.key }.map { address, row in
            Host(item: Item(.host, image.names[row.host] ?? "\(address)"), id: row.host)
        }
        protected = []
        places = Set(endpoints.lazy.flatMap(\.places))
        hostIDs = Set(hosts.map(\.id))
        names = []
    }

    private static func tenant(of path: String) -> String { String(path.prefix { $0 != "/" }) }
}
