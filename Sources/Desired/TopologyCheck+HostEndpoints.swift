import Topology

/// Host endpoints: what their routes may not catch. A host has routes to the blocks of the VPC that it is in.
extension TopologyCheck {
    struct HostEndpointFacts {
        var place: Place
        /// In `hosts`.
        var host: Int
        /// In `vpcs`.
        var vpc: Int
        /// Families of its addresses: it has routes to blocks of no other.
        var hasIPv4: Bool
        var hasIPv6: Bool

        func routes(to block: CIDR) -> Bool { block.isIPv4 ? hasIPv4 : hasIPv6 }
    }

    mutating func noteHostEndpoint(_ draft: EndpointDraft, _ network: Int, _ place: Place) {
        guard let vpc = networks[network].vpc, let host = draft.host.flatMap({ hostByName[$0.value] }) else { return }
        hostEndpoints.append(
            HostEndpointFacts(
                place: place, host: host, vpc: vpc, hasIPv4: draft.addresses.contains { $0.value.isIPv4 },
                hasIPv6: draft.addresses.contains { !$0.value.isIPv4 }))
    }

    mutating func checkHostEndpoints() {
        checkAmbiguousRoutes()
        checkUnderlayInBlocks()
    }

    /// A destination has one route: blocks of the VPCs that a host is in do not overlap, and it is in each once.
    private mutating func checkAmbiguousRoutes() {
        for endpoints in Dictionary(grouping: hostEndpoints, by: \.host).values where endpoints.count > 1 {
            let blocks = endpoints.flatMap { endpoint in
                vpcs[endpoint.vpc].draft.cidrs.list.map(\.value).filter(endpoint.routes).map {
                    Owned(block: $0, place: endpoint.place, owner: vpcs[endpoint.vpc].draft.name.text)
                }
            }
            var reported: Set<[Place]> = []
            for (inner, outer) in Self.overlaps(blocks) where inner.place != outer.place {
                // Once a pair, at the later one.
                let (first, second) = inner.place < outer.place ? (inner, outer) : (outer, inner)
                guard reported.insert([first.place, second.place]).inserted else { continue }
                let both =
                    first.owner == second.owner
                    ? "VPC “\(first.owner)”"
                    : "\(second.block) of VPC “\(second.owner)”, and \(first.block) of VPC “\(first.owner)”"
                report(
                    .ambiguousRoutes, second.place,
                    "host “\(hosts[endpoints[0].host].draft.name.text)” would have two routes to \(both): it has a host "
                        + "endpoint at \(location(first.place)) too",
                    hint: first.owner == second.owner
                        ? "put both addresses on one endpoint: ips: [...]" : "a host can be in one of the two only",
                    other: first.place)
            }
        }
    }

    /// A route to a VPC's block must not catch what goes to the hosts themselves.
    private mutating func checkUnderlayInBlocks() {
        let underlay = hosts.compactMap { host in host.draft.address.map { ($0.value, host) } }.sorted { $0.0 < $1.0 }
        var judged: Set<CIDR> = []
        for endpoint in hostEndpoints {
            for block in vpcs[endpoint.vpc].draft.cidrs.list where endpoint.routes(to: block.value) {
                guard judged.insert(block.value).inserted else { continue }
                // The first address that is not below the block: binary search.
                var (low, high) = (0, underlay.count)
                while low < high {
                    let middle = (low + high) / 2
                    if underlay[middle].0 < block.value.first { low = middle + 1 } else { high = middle }
                }
                guard low < underlay.count, block.value.contains(underlay[low].0) else { continue }
                let (address, host) = underlay[low]
                report(
                    .underlayInBlock, endpoint.place,
                    "\(block.value) of VPC “\(vpcs[endpoint.vpc].draft.name.text)” holds \(address), the underlay address of "
                        + "host “\(host.draft.name.text)”, and a host endpoint has a route to all of it",
                    hint: "give the VPC smaller blocks, or do without the host endpoint", other: host.place)
            }
        }
    }
}
