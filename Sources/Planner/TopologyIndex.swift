import Topology

/// Look-ups into a topology, made once a plan.
struct TopologyIndex {
    let topology: Topology
    let placement: Placement

    let hostByName: [String: Int]
    let hostByAddress: [IPAddress: Int]
    let vpcByName: [String: Int]
    let vpcByVNI: [UInt32: Int]
    let networkByName: [String: Int]
    let networkByKey: [NetworkKey: Int]
    let networkByID: [UInt64: Int]
    let networksOfVPC: [String: [Int]]
    let endpointsOfNetwork: [String: [Int]]
    let endpointsOfHost: [String: [Int]]
    let endpointByID: [UInt64: Int]
    let endpointByKey: [EndpointKey: Int]

    init(_ topology: Topology) {
        self.topology = topology
        placement = Placement(topology)
        hostByName = Self.unique(topology.hosts) { $0.name }
        hostByAddress = Self.unique(topology.hosts) { $0.address }
        vpcByName = Self.unique(topology.vpcs) { $0.name }
        vpcByVNI = Self.unique(topology.vpcs) { $0.vni }
        networkByName = Self.unique(topology.networks) { $0.name }
        var byKey: [NetworkKey: Int] = [:]
        var ofVPC: [String: [Int]] = [:]
        for (index, network) in topology.networks.enumerated() {
            ofVPC[network.vpc, default: []].append(index)
            guard let vpc = vpcByName[network.vpc] else { continue }
            for cidr in network.cidrs { byKey[NetworkKey(vni: topology.vpcs[vpc].vni, cidr: cidr)] = index }
        }
        networkByKey = byKey
        networkByID = Self.unique(topology.networks) { StableHash.id($0.name) }
        networksOfVPC = ofVPC
        var ofNetwork: [String: [Int]] = [:]
        var ofHost: [String: [Int]] = [:]
        for (index, endpoint) in topology.endpoints.enumerated() {
            ofNetwork[endpoint.network, default: []].append(index)
            ofHost[endpoint.host, default: []].append(index)
        }
        endpointsOfNetwork = ofNetwork
        endpointsOfHost = ofHost
        endpointByID = Self.unique(topology.endpoints) { StableHash.id($0.name) }
        var byAddress: [EndpointKey: Int] = [:]
        byAddress.reserveCapacity(topology.endpoints.count)
        for network in topology.networks {
            guard let vpc = vpcByName[network.vpc] else { continue }
            let vni = topology.vpcs[vpc].vni
            for index in ofNetwork[network.name] ?? [] {
                for address in topology.endpoints[index].addresses {
                    byAddress[EndpointKey(vni: vni, address: address)] = index
                }
            }
        }
        endpointByKey = byAddress
    }

    private static func unique<T, K: Hashable>(_ values: [T], _ key: (T) -> K) -> [K: Int] {
        var result: [K: Int] = [:]
        result.reserveCapacity(values.count)
        for (index, value) in values.enumerated() { result[key(value)] = index }
        return result
    }

    func host(_ name: String) -> Host? { hostByName[name].map { topology.hosts[$0] } }
    func host(at address: IPAddress) -> Host? { hostByAddress[address].map { topology.hosts[$0] } }
    func vpc(_ name: String) -> VPC? { vpcByName[name].map { topology.vpcs[$0] } }
    func vpc(vni: UInt32) -> VPC? { vpcByVNI[vni].map { topology.vpcs[$0] } }
    func network(_ name: String) -> Network? { networkByName[name].map { topology.networks[$0] } }
    func network(_ key: NetworkKey) -> Network? { networkByKey[key].map { topology.networks[$0] } }
    func network(id: UInt64) -> Network? { networkByID[id].map { topology.networks[$0] } }
    /// By `Endpoint.label` of its path.
    func endpoint(label: String) -> Endpoint? {
        let id = label.lastIndex(of: "#").flatMap { UInt64(label[label.index(after: $0)...], radix: 16) } ?? StableHash.id(label)
        return endpointByID[id].map { topology.endpoints[$0] }
    }
    func endpoint(_ key: EndpointKey) -> Endpoint? { endpointByKey[key].map { topology.endpoints[$0] } }
    func vni(of network: Network) -> UInt32? { vpc(network.vpc)?.vni }

    /// Addresses of the hosts with these indices, ascending.
    func addresses(_ hosts: [Int]) -> [IPAddress] { hosts.map { topology.hosts[$0].address }.sorted() }
}
