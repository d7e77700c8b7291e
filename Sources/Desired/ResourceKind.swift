/// The kinds of documents.
enum ResourceKind: String, CaseIterable, Sendable {
    case cluster = "Cluster"
    case host = "Host"
    case tenant = "Tenant"
    case vpc = "VPC"
    case network = "Network"
    case endpoints = "Endpoints"

    var shape: Shape {
        switch self {
        case .cluster: .cluster
        case .host: .host
        case .tenant: .tenant
        case .vpc: .vpc
        case .network: .network
        case .endpoints: .endpoints
        }
    }

    /// What a name of this kind looks like.
    var path: String {
        switch self {
        case .cluster, .host, .tenant: "name"
        case .vpc: "tenant/vpc"
        case .network, .endpoints: "tenant/vpc/network"
        }
    }
}

/// The fields of resources and endpoints.
enum Field: String, Sendable {
    case apiVersion, kind, name, port, settle, address, interface, zone, weight, state, datapath, mtu, ipsec, vni, cidrs
    case dividers, bouncers, gateway, gateways, endpoints, network, ip, ips, host, mac
    case direct, after, age, health, interval, count, type, guards, destroy, least, protect, dscp
}

/// What is behind an endpoint's port.
enum EndpointType: String, CaseIterable, Sendable {
    /// Whatever somebody connects to its interface.
    case simple
    /// The host itself.
    case host
}

/// Which fields a mapping may have and which it must.
struct Shape: Sendable {
    /// With its article, for a message.
    let what: String
    let fields: [(field: Field, bytes: [UInt8])]
    let required: [Field]

    init(_ what: String, required: [Field], optional: [Field] = []) {
        self.what = what
        self.required = required
        fields = (required + optional).map { ($0, Array($0.rawValue.utf8)) }
    }

    static let cluster = Shape(
        "a Cluster", required: [.apiVersion, .kind, .name], optional: [.port, .settle, .direct, .health, .guards, .dscp])
    static let direct = Shape("the direct path", required: [], optional: [.after, .age])
    static let health = Shape("the watch on hosts", required: [], optional: [.interval, .count])
    static let guards = Shape("the guards", required: [], optional: [.destroy, .least])
    static let host = Shape(
        "a Host", required: [.apiVersion, .kind, .name, .address, .interface],
        optional: [.zone, .weight, .state, .datapath, .mtu, .ipsec])
    static let tenant = Shape("a Tenant", required: [.apiVersion, .kind, .name], optional: [.protect])
    static let vpc = Shape("a VPC", required: [.apiVersion, .kind, .name, .vni, .cidrs], optional: [.dividers, .protect])
    static let network = Shape(
        "a Network", required: [.apiVersion, .kind, .name, .cidrs],
        optional: [.bouncers, .gateway, .gateways, .endpoints, .protect])
    static let endpoints = Shape("an Endpoints document", required: [.apiVersion, .kind, .network, .endpoints])
    static let endpoint = Shape("an endpoint", required: [.host, .interface], optional: [.ip, .ips, .mac, .type])
    static let hostEndpoint = Shape("a host endpoint", required: [.host], optional: [.interface, .ip, .ips, .mac, .type])
}
