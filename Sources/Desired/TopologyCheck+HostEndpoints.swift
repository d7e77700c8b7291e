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
        for (_, endpoints) in Dictionary(grouping: hostEndpoints, by: \.host).sorted(by: { $0.key < $1.key })
        where endpoints.count > 1 {
            var blocks: [Owned] = []
            var reported: Set<[Place]> = []
            // The latest endpoint of each VPC, by family.
            var latest: [[Int: HostEndpointFacts]] = [[:], [:]]
            for endpoint in endpoints.sorted(by: { $0.place < $1.place }) {
                let own = vpcs[endpoint.vpc].draft.cidrs.list.map(\.value).filter(endpoint.routes)
                let owner = vpcs[endpoint.vpc].draft.name.text
                for (family, isIPv4) in [true, false].enumerated() {
                    let routes = own.filter { $0.isIPv4 == isIPv4 }.map { Owned(block: $0, place: endpoint.place, owner: owner) }
                    guard let block = routes.first else { continue }
                    // The VPC's blocks count once, however many endpoints the host has in it.
                    if let first = latest[family].updateValue(endpoint, forKey: endpoint.vpc) {
                        var outer = block
                        outer.place = first.place
                        reportRoutes(of: block, outer, host: endpoint.host, &reported)
                    } else {
                        blocks += routes
                    }
                }
            }
            for (inner, outer) in Self.overlaps(blocks) where inner.place != outer.place {
                reportRoutes(of: inner, outer, host: endpoints[0].host, &reported)
            }
        }
    }

    /// Once a pair of endpoints, at the later one.
    private mutating func reportRoutes(of inner: Owned, _ outer: Owned, host: Int, _ reported: inout Set<[Place]>) {
        let (first, second) = inner.place < outer.place ? (inner, outer) : (outer, inner)
        guard reported.insert([first.place, second.place]).inserted else { return }
        let both =
            first.owner == second.owner
            ? "VPC “\(first.owner)”"
            : "\(second.block) of VPC “\(second.owner)”, and \(first.block) of VPC “\(first.owner)”"
        report(
            .ambiguousRoutes, second.place,
            "host “\(hosts[host].draft.name.text)” would have two routes to \(both): it has a host "
                + "endpoint at \(location(first.place)) too",
            hint: first.owner == second.owner
                ? "put both addresses on one endpoint: ips: [...]" : "a host can be in one of the two only",
            other: first.place)
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
