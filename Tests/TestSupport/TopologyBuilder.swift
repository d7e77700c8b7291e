public import Topology

/// Valid topologies made by hand or at random, and changes to them; the arrays are in the order of making.
public struct TopologyBuilder: Sendable {
    public var cluster = Cluster(name: "test", settle: 60_000)
    public var hosts: [Host] = []
    public var tenants: [Tenant] = []
    public var vpcs: [VPC] = []
    public var networks: [Network] = []
    public var endpoints: [Endpoint] = []
    /// Numbers never used twice, so that new things have new names.
    private var serial = 0

    public init(settle: UInt64 = 60_000) { cluster.settle = settle }

    /// A checked value; sorted by name, as Desired's are.
    public func build() -> Topology {
        Topology(
            cluster: cluster, hosts: hosts, tenants: tenants, vpcs: vpcs, networks: networks, endpoints: checkedEndpoints)
    }

    /// Host endpoints with the interfaces that their paths give. All VPCs have the same blocks, and so a host has one host
    /// endpoint at most: others are simple.
    private var checkedEndpoints: [Endpoint] {
        var first: [String: String] = [:]
        for endpoint in endpoints where endpoint.isHost { first[endpoint.host] = min(first[endpoint.host] ?? endpoint.name, endpoint.name) }
        return endpoints.map { endpoint in
            var endpoint = endpoint
            guard endpoint.isHost, first[endpoint.host] == endpoint.name else {
                endpoint.device = nil
                return endpoint
            }
            endpoint.interface = Endpoint.portName(of: endpoint.name)
            endpoint.device = Endpoint.deviceName(of: endpoint.name)
            return endpoint
        }
    }

    mutating func nextSerial() -> Int {
        serial += 1
        return serial
    }

    public func place(_ file: String, _ line: Int, _ column: Int = 3) -> SourceLocation {
        SourceLocation(file: file, line: line, column: column)
    }

    @discardableResult
    public mutating func host(
        _ name: String, _ number: UInt32, zone: String = "default", weight: Int = 100, state: Host.State = .active,
        datapath: Host.Datapath = .auto, mtu: Int? = nil
    ) -> Host {
        let host = Host(
            name: name, address: IPAddress(v4: 0xac10_0000 + number), interface: "eth0", zone: zone, weight: weight,
            state: state, datapath: datapath, mtu: mtu, at: place("hosts.yaml", 10 * hosts.count + 3))
        hosts.append(host)
        return host
    }

    /// A VPC of 10.0.0.0/16 and fd00::/32, as every other: VPCs may use the same addresses.
    @discardableResult
    public mutating func vpc(_ name: String, vni: UInt32, dividers: Int = 2) -> VPC {
        let vpc = VPC(
            name: name, vni: vni,
            cidrs: [
                CIDR(containing: IPAddress(v4: 0x0a00_0000), length: 16),
                CIDR(containing: IPAddress(bits: 0xfd00 << 112), length: 32),
            ], dividers: dividers, at: place("vpcs.yaml", 10 * vpcs.count + 3))
        vpcs.append(vpc)
        return vpc
    }

    /// Network `number` (0...255) of the VPC: 10.0.number.0/24, or shorter; with `six`, fd00:0:number::/48 too.
    @discardableResult
    public mutating func network(
        _ name: String, of vpc: String, _ number: UInt32, length: Int = 24, six: Bool = false, bouncers: Int = 2
    ) -> Network {
        var cidrs = [CIDR(containing: IPAddress(v4: 0x0a00_0000 + number << 8), length: length)]
        if six { cidrs.append(CIDR(containing: IPAddress(bits: 0xfd00 << 112 | UInt128(number) << 80), length: 48)) }
        let network = Network(
            name: name, vpc: vpc, cidrs: cidrs, gateways: cidrs.map { IPAddress(bits: $0.first.bits + 1) },
            bouncers: bouncers, at: place("networks.yaml", 10 * networks.count + 3))
        networks.append(network)
        return network
    }

    /// Endpoint with the `number`-th address of each block of its network (2...).
    @discardableResult
    public mutating func endpoint(
        _ name: String, of network: String, _ number: Int, on host: String, interface: String? = nil, isHost: Bool = false,
        mac: MACAddress? = nil
    ) -> Endpoint {
        let cidrs = networks.first { $0.name == network }?.cidrs ?? []
        let endpoint = Endpoint(
            name: name, network: network, addresses: cidrs.map { IPAddress(bits: $0.first.bits + UInt128(number)) },
            host: host, interface: interface ?? "v\(nextSerial())", device: isHost ? Endpoint.deviceName(of: name) : nil, mac: mac,
            at: place("endpoints.yaml", 10 * endpoints.count + 3))
        endpoints.append(endpoint)
        return endpoint
    }

    /// Small, with everything in it: several zones and states, IPv6, the same addresses in every VPC.
    public static func random(
        using random: inout SeededGenerator, hosts: ClosedRange<Int> = 2...5, vpcs: ClosedRange<Int> = 1...3,
        networks: ClosedRange<Int> = 1...3, endpoints: ClosedRange<Int> = 0...3, settle: UInt64 = 60_000
    ) -> TopologyBuilder {
        var builder = TopologyBuilder(settle: settle)
        for _ in 0..<Int.random(in: hosts, using: &random) { builder.addHost(using: &random) }
        builder.hosts[0].state = .active
        builder.hosts[0].weight = 100
        for _ in 0..<Int.random(in: vpcs, using: &random) {
            builder.addVPC(using: &random, networks: networks, endpoints: endpoints)
        }
        return builder
    }
}
