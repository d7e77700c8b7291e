import Topology

/// What one inventory has and the next one has not, weighed by the guards of the first.
///
/// An endpoint is taken away if one of its addresses is no endpoint's of its VPC any more: a move to another host is none, a
/// renamed VPC takes all of its endpoints away. A host is taken away if it is removed, or `down` from now on.
struct Loss: Sendable {
    /// How many of a whole are taken away.
    struct Count {
        var taken: Int
        var total: Int
    }

    let guards: Cluster.Guards
    private let totalEndpoints: Int
    private let totalHosts: Int
    private let totalOfTenant: [String: Int]
    private(set) var endpoints: [Inventory.Endpoint]
    private(set) var hosts: [Inventory.Host]
    /// Removed or renamed, although it was protected.
    private(set) var protected: [Inventory.Item]

    init(from before: Inventory, to after: Inventory) {
        guards = before.guards
        totalEndpoints = before.endpoints.count
        totalHosts = before.hosts.count
        totalOfTenant = before.endpoints.reduce(into: [:]) { $0[$1.tenant, default: 0] += 1 }
        endpoints = before.endpoints
        hosts = before.hosts
        protected = before.protected
        keepMissing(in: after)
    }

    /// The part of it that `inventory` does not have either.
    func remaining(in inventory: Inventory) -> Loss {
        var loss = self
        loss.keepMissing(in: inventory)
        return loss
    }

    private mutating func keepMissing(in after: Inventory) {
        endpoints = endpoints.filter { !$0.places.allSatisfy(after.places.contains) }
        hosts = hosts.filter { !after.hostIDs.contains($0.id) }
        protected = protected.filter { !after.names.contains(Inventory.Name(kind: $0.kind, name: $0.name)) }
    }

    /// What is beyond the guards: all endpoints first, then tenants by name, then hosts.
    var excess: [RefusedCommit.Share] {
        var shares: [RefusedCommit.Share] = []
        func weigh(_ scope: RefusedCommit.Share.Scope, _ taken: Int, of total: Int, tenant: String? = nil) {
            guard taken > guards.least, taken * 100 > guards.destroy * total else { return }
            shares.append(RefusedCommit.Share(scope: scope, tenant: tenant, taken: taken, total: total))
        }
        weigh(.endpoints, endpoints.count, of: totalEndpoints)
        let ofTenant: [String: Int] = endpoints.reduce(into: [:]) { $0[$1.tenant, default: 0] += 1 }
        for (tenant, taken) in ofTenant.sorted(by: { $0.key < $1.key }) where !tenant.isEmpty {
            weigh(.tenant, taken, of: totalOfTenant[tenant] ?? 0, tenant: tenant)
        }
        weigh(.hosts, hosts.count, of: totalHosts)
        return shares
    }
}
