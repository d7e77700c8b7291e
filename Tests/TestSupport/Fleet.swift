/// A topology that a test builds up and changes step by step, and the YAML that says it.
public struct Fleet: Sendable {
    public struct Host: Sendable {
        public var name: String
        public var address: String
        public var zone = "default"
        /// 0: takes no role.
        public var weight = 100
        public var state = "active"
        public var datapath = "auto"
        /// Of the underlay; nil: the interface's.
        public var mtu: Int?
    }

    public struct VPC: Sendable {
        public var name: String
        public var vni: Int
        public var cidrs: [String]
        public var dividers = 1
    }

    public struct Network: Sendable {
        public var name: String
        public var cidrs: [String]
        public var bouncers = 1
        /// Empty: the first addresses.
        public var gateways: [String] = []
    }

    public struct Endpoint: Sendable {
        /// `tenant/vpc/network/endpoint`.
        public var path: String
        public var addresses: [String]
        public var host: String
        public var interface: String
        public var mac: String?
        /// `type: host`, with a device of a derived name.
        public var isHost = false

        public var network: String { path.split(separator: "/").dropLast().joined(separator: "/") }
        public var vpc: String { path.split(separator: "/").dropLast(2).joined(separator: "/") }
    }

    public var hosts: [Host] = []
    public var vpcs: [VPC] = []
    public var networks: [Network] = []
    public var endpoints: [Endpoint] = []
    /// The lab runs the phases one after the other on all hosts, whatever this says.
    public var settle = "60s"
    /// UDP port of Geneve.
    public var port = 6081
    /// `Cluster.direct` and `guards`, as YAML; nil: the default.
    public var direct: String?
    public var guards: String?

    /// Hosts h1, h2, … at 172.16.0.1, 172.16.0.2, …
    public init(hosts count: Int, datapath: String = "tc") {
        for number in 1...max(1, count) { add(host: number, datapath: datapath) }
    }

    public mutating func add(host number: Int, datapath: String) {
        hosts.append(Host(name: "h\(number)", address: "172.16.0.\(number)", datapath: datapath))
    }

    /// Only these hosts hold tables; `shards` bouncers a network and dividers a VPC.
    public mutating func roles(on names: String..., shards: Int = 1) {
        for index in hosts.indices { hosts[index].weight = names.contains(hosts[index].name) ? 100 : 0 }
        for index in networks.indices { networks[index].bouncers = shards }
        for index in vpcs.indices { vpcs[index].dividers = shards }
    }

    /// A VPC with 10.0.0.0/16 and fd00:1::/48: every VPC has the same addresses.
    public mutating func vpc(_ name: String, vni: Int) {
        vpcs.append(VPC(name: name, vni: vni, cidrs: ["10.0.0.0/16", "fd00:1::/48"]))
    }

    /// A VPC with blocks of its own.
    public mutating func vpc(_ name: String, vni: Int, cidrs: [String]) { vpcs.append(VPC(name: name, vni: vni, cidrs: cidrs)) }

    /// A network with 10.0.`number`.0/24 and fd00:1:0:`number`::/64, whose gateways are their first addresses.
    public mutating func network(_ name: String, _ number: Int) {
        networks.append(Network(name: name, cidrs: ["10.0.\(number).0/24", "fd00:1:0:\(number)::/64"]))
    }

    /// An endpoint whose addresses in the network's blocks end in `number`.
    public mutating func endpoint(_ path: String, _ number: Int, on host: String, mac: String? = nil) {
        let network = path.split(separator: "/").dropLast().joined(separator: "/")
        let blocks = networks.first { $0.name == network }?.cidrs ?? []
        let addresses = blocks.map { block in
            let base = block.prefix { $0 != "/" }
            return base.contains(":") ? "\(base)\(number)" : "\(base.prefix(base.utf8.count - 1))\(number)"
        }
        let tenant = path.split(separator: "/")[0].prefix(3)
        let name = path.split(separator: "/").last ?? ""
        endpoints.append(
            Endpoint(path: path, addresses: addresses, host: host, interface: "v-\(tenant)-\(name)", mac: mac))
    }

    /// A host endpoint whose addresses in the network's blocks end in `number`.
    public mutating func hostEndpoint(_ path: String, _ number: Int, on host: String) {
        endpoint(path, number, on: host)
        endpoints[endpoints.count - 1].isHost = true
    }

    /// A network with other blocks than `network(_:_:)` gives.
    public mutating func network(_ name: String, cidrs: [String]) { networks.append(Network(name: name, cidrs: cidrs)) }

    /// An endpoint with these very addresses.
    public mutating func endpoint(_ path: String, addresses: [String], on host: String, interface: String) {
        endpoints.append(Endpoint(path: path, addresses: addresses, host: host, interface: interface))
    }

    public mutating func move(_ path: String, to host: String) {
        for index in endpoints.indices where endpoints[index].path == path { endpoints[index].host = host }
    }

    public mutating func remove(_ paths: String...) { endpoints.removeAll { paths.contains($0.path) } }

    public mutating func remove(network: String) {
        endpoints.removeAll { $0.network == network }
        networks.removeAll { $0.name == network }
    }

    public mutating func remove(vpc: String) {
        for network in networks where network.name.hasPrefix(vpc + "/") { remove(network: network.name) }
        vpcs.removeAll { $0.name == vpc }
    }

    public subscript(host name: String) -> Host {
        get { hosts.first { $0.name == name } ?? Host(name: name, address: "") }
        set { for index in hosts.indices where hosts[index].name == name { hosts[index] = newValue } }
    }

    public subscript(path: String) -> Endpoint {
        endpoints.first { $0.path == path } ?? Endpoint(path: path, addresses: [], host: "", interface: "")
    }

    public func vni(of vpc: String) -> Int { vpcs.first { $0.name == vpc }?.vni ?? 0 }

    /// Ordered pairs of endpoints of the same VPC, or of different ones.
    public func pairs(within same: Bool) -> [(Endpoint, Endpoint)] {
        endpoints.flatMap { from in
            endpoints.filter { $0.path != from.path && ($0.vpc == from.vpc) == same }.map { (from, $0) }
        }
    }

    /// A file a tenant, and one of the machines.
    public var files: [String: String] {
        var files = ["hosts.yaml": machines]
        for tenant in Set(vpcs.map { String($0.name.prefix { $0 != "/" }) }) {
            var documents = ["apiVersion: mizar/v1\nkind: Tenant\nname: \(tenant)\n"]
            for vpc in vpcs where vpc.name.hasPrefix(tenant + "/") {
                documents.append(
                    """
                    apiVersion: mizar/v1
                    kind: VPC
                    name: \(vpc.name)
                    vni: \(vpc.vni)
                    cidrs: \(Self.list(vpc.cidrs))
                    dividers: \(vpc.dividers)

                    """)
            }
            for network in networks where network.name.hasPrefix(tenant + "/") { documents.append(yaml(network)) }
            files["\(tenant).yaml"] = documents.joined(separator: "---\n")
        }
        return files
    }

    private var machines: String {
        let more = (direct.map { "direct: \($0)\n" } ?? "") + (guards.map { "guards: \($0)\n" } ?? "")
        var documents = ["apiVersion: mizar/v1\nkind: Cluster\nname: test\nsettle: \(settle)\nport: \(port)\n\(more)"]
        for host in hosts {
            documents.append(
                """
                apiVersion: mizar/v1
                kind: Host
                name: \(host.name)
                address: \(host.address)
                interface: eth0
                zone: \(host.zone)
                weight: \(host.weight)
                state: \(host.state)
                datapath: \(host.datapath)
                \(host.mtu.map { "mtu: \($0)" } ?? "")

                """)
        }
        return documents.joined(separator: "---\n")
    }

    private func yaml(_ network: Network) -> String {
        var text = """
            apiVersion: mizar/v1
            kind: Network
            name: \(network.name)
            cidrs: \(Self.list(network.cidrs))
            bouncers: \(network.bouncers)

            """
        if !network.gateways.isEmpty { text += "gateways: \(Self.list(network.gateways))\n" }
        let own = endpoints.filter { $0.network == network.name }
        if !own.isEmpty { text += "endpoints:\n" }
        for endpoint in own {
            let name = endpoint.path.split(separator: "/").last ?? ""
            let mac = endpoint.mac.map { ", mac: \"\($0)\"" } ?? ""
            let place = endpoint.isHost ? "type: host" : "interface: \(endpoint.interface)"
            text += "  \(name): {ips: \(Self.list(endpoint.addresses)), host: \(endpoint.host), \(place)\(mac)}\n"
        }
        return text
    }

    private static func list(_ items: [String]) -> String {
        "[" + items.map { "\"\($0)\"" }.joined(separator: ", ") + "]"
    }
}
