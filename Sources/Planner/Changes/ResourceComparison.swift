import Topology

/// Compares resource with resource.
struct ResourceComparison {
    let before: TopologyIndex
    let after: TopologyIndex
    let pairing: Pairing

    var changes: [ResourceChange] {
        let (old, new) = (before.topology, after.topology)
        var all: [ResourceChange] = []
        let cluster = Setting.differences(old.cluster.settings, new.cluster.settings)
        if !cluster.isEmpty {
            let item = Inventory.Item(.cluster, new.cluster.name, at: new.cluster.at)
            all.append(ResourceChange(action: .update, resource: item, was: nil, tenant: nil, differences: cluster))
        }
        all += compare(
            .host, old.hosts, new.hosts, \.name, \.at, pairing.hosts, { _ in "" }, { $0.settings }, { $0.settings })
        all += compare(
            .tenant, old.tenants, new.tenants, \.name, \.at, pairing.tenants, { _ in "" }, { $0.settings }, { $0.settings })
        all += compare(
            .vpc, old.vpcs, new.vpcs, \.name, \.at, pairing.vpcs, { pairing.tenants[Pairing.first($0)] }, { $0.settings }, { $0.settings })
        all += compare(
            .network, old.networks, new.networks, \.name, \.at, pairing.networks, { pairing.vpcs[Self.parent($0)] }, { $0.settings },
            { $0.settings })
        all += compare(
            .endpoint, old.endpoints, new.endpoints, \.name, \.at, pairing.endpoints, { pairing.networks[Self.parent($0)] },
            // A host of another name is the same host.
            { $0.settings(home: pairing.hosts[$0.host] ?? $0.host) }, { $0.settings(home: $0.host) })
        return all
    }

    static func parent(_ path: String) -> String { path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "" }

    /// - Parameter parent: what that which the path before belongs to is called after; nil: it is gone.
    private func compare<T>(
        _ kind: Inventory.Item.Kind, _ old: [T], _ new: [T], _ name: (T) -> String, _ at: (T) -> SourceLocation, _ pairs: [String: String],
        _ parent: (String) -> String?, _ oldSettings: (T) -> [Setting], _ newSettings: (T) -> [Setting]
    ) -> [ResourceChange] {
        let byName = Dictionary(new.map { (name($0), $0) }) { first, _ in first }
        func tenant(_ path: String) -> String? { kind == .host ? nil : Pairing.first(path) }
        func change(_ action: Step.Action, _ one: T, was: String? = nil, _ differences: [ResourceChange.Difference]) -> ResourceChange {
            ResourceChange(
                action: action, resource: Inventory.Item(kind, name(one), at: at(one)), was: was, tenant: tenant(name(one)),
                differences: differences)
        }
        var result: [ResourceChange] = []
        for one in old {
            guard let path = pairs[name(one)], let other = byName[path] else {
                let settings = oldSettings(one).filter(\.isSaid)
                result.append(
                    change(.delete, one, settings.map { ResourceChange.Difference(field: $0.field, before: $0.value, after: nil) }))
                continue
            }
            let isRenamed = Pairing.last(path) != Pairing.last(name(one)) || Self.parent(path) != parent(name(one)) ?? ""
            let was = isRenamed && path != name(one) ? name(one) : nil
            let differences = Setting.differences(oldSettings(one), newSettings(other))
            if was != nil || !differences.isEmpty { result.append(change(.update, other, was: was, differences)) }
        }
        let known = Set(pairs.values)
        for one in new where !known.contains(name(one)) {
            let settings = newSettings(one).filter(\.isSaid)
            result.append(
                change(.create, one, settings.map { ResourceChange.Difference(field: $0.field, before: nil, after: $0.value) }))
        }
        return result.sorted { $0.resource.name < $1.resource.name }
    }
}
