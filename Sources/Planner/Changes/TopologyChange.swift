public import Topology

/// What lies between two topologies as people see it: resources, the roles that follow, and what stops meanwhile.
///
/// A value of both topologies alone. What hosts do about it is in `FleetPlan.hosts`.
public struct TopologyChange: Hashable, Sendable, Codable {
    /// Of the head, in milliseconds: what every wait is counted in.
    public let settle: UInt64
    /// Of resources.
    public let summary: PlanSummary
    /// The cluster, hosts, then tenants, VPCs, networks and endpoints, each by name.
    public let resources: [ResourceChange]
    public let roles: [RoleMove]
    /// The longest first.
    public let interruptions: [Interruption]

    public var isEmpty: Bool { resources.isEmpty && roles.isEmpty }

    public init(from base: Topology, to head: Topology) {
        self.init(TopologyIndex(base), TopologyIndex(head))
    }

    init(_ before: TopologyIndex, _ after: TopologyIndex) {
        let pairing = Pairing(before, after)
        settle = after.topology.cluster.settle
        resources = ResourceComparison(before: before, after: after, pairing: pairing).changes
        roles = Self.roles(before, after, pairing)
        interruptions = InterruptionFinder(before: before, after: after, pairing: pairing).all
        summary = resources.reduce(into: PlanSummary()) { sum, change in
            switch change.action {
            case .create: sum.add += 1
            case .update: sum.change += 1
            case .delete: sum.destroy += 1
            }
        }
    }

    private static func roles(_ before: TopologyIndex, _ after: TopologyIndex, _ pairing: Pairing) -> [RoleMove] {
        func names(_ members: [Int]?, _ index: TopologyIndex) -> [String] { (members ?? []).map { index.topology.hosts[$0].name } }
        func move(_ role: RoleMove.Role, _ resource: Inventory.Item, _ old: [Int]?, _ new: [Int]?) -> RoleMove? {
            let old = names(old, before).map { pairing.hosts[$0] ?? $0 }
            let new = names(new, after)
            let leave = old.filter { !new.contains($0) }.sorted()
            let join = new.filter { !old.contains($0) }.sorted()
            return leave.isEmpty && join.isEmpty ? nil : RoleMove(role: role, resource: resource, leave: leave, join: join)
        }
        var result: [RoleMove] = []
        for old in before.topology.networks {
            guard let new = pairing.networks[old.name].flatMap(after.network) else { continue }
            let item = Inventory.Item(.network, new.name, at: new.at)
            result += [move(.bouncers, item, before.placement.bouncers[old.name], after.placement.bouncers[new.name])].compactMap(\.self)
        }
        for old in before.topology.vpcs {
            guard let new = pairing.vpcs[old.name].flatMap(after.vpc) else { continue }
            let item = Inventory.Item(.vpc, new.name, at: new.at)
            result += [move(.dividers, item, before.placement.dividers[old.name], after.placement.dividers[new.name])].compactMap(\.self)
        }
        return result
    }
}
