import Topology

// Pointers: bouncers, dividers, an endpoint's host. They leave a live target one settle time after this host wanted it.
extension Meanwhile {
    /// Whether something sent to this address arrives at a host that answers for what it had.
    private func isAlive(_ address: IPAddress) -> Bool {
        if let target = index.host(at: address) { return target.state != .down }
        return switched.hosts[address] != nil
    }

    /// Whether the row, or the commit before, is about the same endpoint: a new one with an old address is not.
    func isSame(_ endpoint: Endpoint, _ key: EndpointKey, _ found: EndpointRow) -> Bool {
        if found.ifindex != 0, let port = live.ports[found.ifindex] { return port.endpoint == StableHash.id(endpoint.name) }
        guard let before = base?.endpoint(key) else { return true }
        return before.name == endpoint.name
    }

    mutating func pointEndpoints() {
        for (key, row) in switched.endpoints where row.kind == .remote || (row.kind == .local && row.ifindex == 0) {
            guard let endpoint = index.endpoint(key), let before = earlier(key, endpoint), before.host != row.host else {
                continue
            }
            let digest = Self.digest(.pointer) { hash in
                hash.combine(key.vni)
                hash.combine(key.address.bits)
                hash.combine(row.host.bits)
            }
            guard let due = remaining(.switch, digest) else { continue }
            endpointDue[key] = due
            next.endpoints[key] = before
        }
    }

    /// The row that leads to where the endpoint was, if something is there to lead to.
    private func earlier(_ key: EndpointKey, _ endpoint: Endpoint) -> EndpointRow? {
        if let found = live.endpoints[key], !released.contains(key.vni) {
            guard isSame(endpoint, key, found) else { return nil }
            switch found.kind {
            case .local: return switched.ports[found.ifindex]?.endpoint == StableHash.id(endpoint.name) ? found : nil
            case .remote:
                guard isAlive(found.host), found.host != host.address else { return nil }
                var row = found
                row.ifindex = switched.endpoints[key]?.ifindex ?? 0
                return row
            case .unreachable, .gateway, .broadcast: return nil
            }
        }
        // New here, not to others: where the commit before had it.
        guard let before = base?.endpoint(key), before.name == endpoint.name, let home = base?.host(before.host),
            home.state != .down, home.address != host.address, isAlive(home.address)
        else { return nil }
        return EndpointRow(kind: .remote, host: home.address, network: StableHash.id(endpoint.network))
    }

    mutating func pointRoles() {
        for (key, row) in switched.networks {
            guard let network = index.network(key) else { continue }
            var before: [IPAddress] = []
            if !released.contains(key.vni) {
                before = live.networks[key]?.bouncers ?? []
                if before.isEmpty, let base, let old = base.network(network.name), base.vni(of: old) == key.vni {
                    before = base.addresses(base.placement.bouncers[old.name] ?? [])
                }
            }
            guard let members = members(before, wanted: row.bouncers, held: row.held) else { continue }
            let digest = Self.digest(.pointer) { hash in
                hash.combine(key.vni)
                hash.combine(key.cidr.prefix.bits)
                hash.combine(UInt8(key.cidr.fullLength))
                for address in row.bouncers { hash.combine(address.bits) }
            }
            guard let due = remaining(.switch, digest) else { continue }
            networkDue[key] = due
            next.networks[key]?.bouncers = members
        }
        for (vni, row) in switched.vpcs {
            guard let vpc = index.vpc(vni: vni) else { continue }
            var before: [IPAddress] = []
            if !released.contains(vni) {
                before = live.vpcs[vni]?.dividers ?? []
                if before.isEmpty, let base, base.vpc(vni: vni)?.name == vpc.name {
                    before = base.addresses(base.placement.dividers[vpc.name] ?? [])
                }
            }
            guard let members = members(before, wanted: row.dividers, held: row.held) else { continue }
            let digest = Self.digest(.pointer) { hash in
                hash.combine(vni)
                for address in row.dividers { hash.combine(address.bits) }
            }
            guard let due = remaining(.switch, digest) else { continue }
            vpcDue[vni] = due
            next.vpcs[vni]?.dividers = members
        }
    }

    /// Members to use until the switch; nil: the wanted ones at once.
    ///
    /// Those of before that the topology still has and that live; a host that left only where no other is.
    private func members(_ before: [IPAddress], wanted: [IPAddress], held: Bool) -> [IPAddress]? {
        guard before != wanted else { return nil }
        let usable = before.filter { ($0 != host.address || held) && isAlive($0) }
        let staying = usable.filter { index.host(at: $0) != nil }
        let members = staying.isEmpty ? usable : staying
        return members.isEmpty || members == wanted ? nil : members
    }
}
