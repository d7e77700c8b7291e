import Topology

/// Which resource of a topology is which one of another: by its path, and where that has gone, by what it is.
///
/// A host of another name is the same if it has the same address; an endpoint, if it has the same addresses in the same VPC; a network, if it has
/// one of its blocks in the same VPC; a VPC, if it has the same VNI and an address or block of it, or the same endpoints on the same hosts; a tenant, if it has a VPC of it.
struct Pairing {
    /// From the path before to the path after.
    let hosts: [String: String]
    let tenants: [String: String]
    let vpcs: [String: String]
    let networks: [String: String]
    let endpoints: [String: String]

    init(_ before: TopologyIndex, _ after: TopologyIndex) {
        let (old, new) = (before.topology, after.topology)
        hosts = Self.pair(old.hosts, new.hosts, \.name, by: [{ ["\($0.address)"] }], [{ ["\($0.address)"] }])
        let hosts = hosts
        func identifier(_ vpc: VPC, _ index: TopologyIndex) -> [String] {
            let places = vpc.cidrs.map { "\($0)" } + index.endpoints(of: vpc).flatMap { $0.addresses.map { "\($0)" } }
            return places.map { "\(vpc.vni) \($0)" }
        }
        func population(_ vpc: VPC, _ index: TopologyIndex, _ host: (String) -> String) -> [String] {
            let all = index.endpoints(of: vpc).map { "\($0.addresses.sorted()) \(host($0.host))" }.sorted()
            return all.isEmpty ? [] : [all.joined(separator: "\n")]
        }
        vpcs = Self.pair(
            old.vpcs, new.vpcs, \.name,
            by: [{ identifier($0, before) }, { population($0, before) { hosts[$0] ?? $0 } }],
            [{ identifier($0, after) }, { population($0, after) { $0 } }])
        let vpcs = vpcs
        networks = Self.pair(
            old.networks, new.networks, \.name,
            by: [
                { network in network.cidrs.map { "\(vpcs[network.vpc] ?? "") \($0)" } },
                { ["\(vpcs[$0.vpc] ?? "")/\(Self.last($0.name))"] },
            ],
            [{ network in network.cidrs.map { "\(network.vpc) \($0)" } }, { [$0.name] }])
        let networks = networks
        func home(_ endpoint: Endpoint, _ index: TopologyIndex) -> String { index.network(endpoint.network)?.vpc ?? "" }
        endpoints = Self.pair(
            old.endpoints, new.endpoints, \.name,
            by: [
                { ["\(vpcs[home($0, before)] ?? "") \($0.addresses.sorted())"] },
                { ["\(networks[$0.network] ?? "")/\(Self.last($0.name))"] },
            ],
            [{ ["\(home($0, after)) \($0.addresses.sorted())"] }, { [$0.name] }])
        tenants = Self.pair(
            old.tenants, new.tenants, \.name,
            by: [{ tenant in old.vpcs.filter { Self.first($0.name) == tenant.name }.compactMap { vpcs[$0.name] } }],
            [{ tenant in new.vpcs.filter { Self.first($0.name) == tenant.name }.map(\.name) }])
    }

    static func last(_ path: String) -> String { path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path }
    static func first(_ path: String) -> String { String(path.prefix { $0 != "/" }) }

    /// Pairs equal names, and then what is left by each of the keys in turn; each of the new ones is given once.
    private static func pair<T>(
        _ old: [T], _ new: [T], _ name: (T) -> String, by oldKeys: [(T) -> [String]], _ newKeys: [(T) -> [String]]
    ) -> [String: String] {
        let names = Set(new.map(name))
        var result: [String: String] = [:]
        for one in old where names.contains(name(one)) { result[name(one)] = name(one) }
        var come = new.filter { result[name($0)] == nil }
        for (oldKey, newKey) in zip(oldKeys, newKeys) {
            let gone = old.filter { result[name($0)] == nil }
            guard !gone.isEmpty, !come.isEmpty else { break }
            var free = Set(come.map(name))
            let byKey = Dictionary(come.flatMap { one in newKey(one).map { ($0, name(one)) } }) { first, _ in first }
            for one in gone {
                guard let found = oldKey(one).lazy.compactMap({ byKey[$0] }).first(where: free.contains) else { continue }
                result[name(one)] = found
                free.remove(found)
            }
            come.removeAll { !free.contains(name($0)) }
        }
        return result
    }
}

extension TopologyIndex {
    /// In the order of networks' and endpoints' names.
    func endpoints(of vpc: VPC) -> [Endpoint] {
        (networksOfVPC[vpc.name] ?? []).flatMap { endpoints(of: topology.networks[$0]) }
    }

    func endpoints(of network: Network) -> [Endpoint] { (endpointsOfNetwork[network.name] ?? []).map { topology.endpoints[$0] } }

    func endpoints(on host: Host) -> [Endpoint] { (endpointsOfHost[host.name] ?? []).map { topology.endpoints[$0] } }
}
