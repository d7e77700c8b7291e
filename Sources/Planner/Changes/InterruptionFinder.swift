import Topology

/// What the phases cannot hide: traffic that works with both topologies, or with the first, and stops in between.
///
/// Policy: each resource is named once, by the largest thing that stops with it. Whatever is not here goes on at every instant, and
/// lasts as long as `Interruption` says (`InterruptionTests` runs both through the planner).
struct InterruptionFinder {
    let before: TopologyIndex
    let after: TopologyIndex
    let pairing: Pairing

    var all: [Interruption] {
        var result: [Interruption] = []
        // VPCs that stop as a whole: nothing of them needs a word of its own.
        var stopped: Set<String> = []
        var deaf: [Interruption] = []
        for vpc in before.topology.vpcs {
            guard let found = interruption(of: vpc) else { continue }
            result.append(found)
            stopped.insert(vpc.name)
        }
        for network in before.topology.networks {
            let endpoints = before.endpoints(of: network)
            guard !endpoints.isEmpty, pairing.vpcs[network.vpc] != nil else { continue }
            guard let new = pairing.networks[network.name].flatMap(after.network) else {
                if endpoints.allSatisfy({ pairing.endpoints[$0.name] == nil }) {
                    result.append(gone(.network, network.name, network.at, endpoints.count))
                }
                continue
            }
            deaf += gateways(network, new, endpoints.count)
        }
        for endpoint in before.topology.endpoints { result += interruptions(of: endpoint, stopped) }
        for host in before.topology.hosts { result += interruptions(of: host) }
        result += deaf
        return result.enumerated().sorted { (Self.order($0.element), $0.offset) < (Self.order($1.element), $1.offset) }.map(\.element)
    }

    private static func order(_ interruption: Interruption) -> Int {
        switch interruption.ends {
        case .never: 0
        case .settled: 10 - (interruption.mostSettleTimes ?? 0)
        case .applied: 20
        }
    }

    private func gone(_ kind: Inventory.Item.Kind, _ name: String, _ at: SourceLocation, _ count: Int) -> Interruption {
        Interruption(
            Inventory.Item(kind, name, at: at), tenant: Pairing.first(name), .removed, endpoints: count, "all traffic",
            why: "it is removed",
            .forGood)
    }

    // MARK: VPCs

    private func interruption(of old: VPC) -> Interruption? {
        let count = before.endpoints(of: old).count
        guard count > 0 else { return nil }
        guard let new = pairing.vpcs[old.name].flatMap(after.vpc) else { return gone(.vpc, old.name, old.at, count) }
        guard new.vni != old.vni || new.name != old.name else { return nil }
        let owner = before.vpc(vni: new.vni)
        let isHandedOver = owner.map { $0.name != new.name } ?? false
        var why: String
        if new.vni != old.vni {
            why = "its VNI changes from \(old.vni) to \(new.vni)"
            if let owner, isHandedOver { why += ", which belonged to \(owner.name): hosts keep it empty until none sends by it any more" }
        } else {
            why = "it was \(old.name), and hosts treat a renamed VPC as a new one: they keep its VNI empty until none sends by it any more"
        }
        return Interruption(
            Inventory.Item(.vpc, new.name, at: new.at), tenant: Pairing.first(new.name), new.vni != old.vni ? .vni : .renamed,
            endpoints: count,
            "all traffic", why: why, isHandedOver ? .handover(after.topology.cluster) : .untilAllTookIt)
    }

    // MARK: Networks

    private func gateways(_ old: Network, _ new: Network, _ count: Int) -> [Interruption] {
        let kept = new.gateways.compactMap(\.self)
        let lost = old.gateways.compactMap(\.self).filter { !kept.contains($0) }
        guard !lost.isEmpty else { return [] }
        let now = kept.filter { gateway in !old.gateways.contains(gateway) }
        return [
            Interruption(
                Inventory.Item(.network, new.name, at: new.at), tenant: Pairing.first(new.name), .gateway, endpoints: count,
                "what is routed by \(Self.list(lost))",
                why: now.isEmpty
                    ? "that is no gateway any more" : "the gateway is \(Self.list(now)) from now on, and endpoints must be told", .forGood)
        ]
    }

    private static func list(_ addresses: [IPAddress]) -> String { addresses.map { "\($0)" }.joined(separator: ", ") }

    // MARK: Endpoints

    private func interruptions(of old: Endpoint, _ stopped: Set<String>) -> [Interruption] {
        let vpc = before.network(old.network)?.vpc ?? ""
        guard let new = pairing.endpoints[old.name].flatMap({ after.endpointByID[StableHash.id($0)] }).map({ after.topology.endpoints[$0] })
        else {
            // Gone with its network or VPC: those say it.
            if pairing.vpcs[vpc] == nil { return [] }
            if pairing.networks[old.network] == nil,
                (before.network(old.network).map(before.endpoints) ?? []).allSatisfy({ pairing.endpoints[$0.name] == nil })
            {
                return []
            }
            return [gone(.endpoint, old.name, old.at, 1)]
        }
        func report(_ cause: Interruption.Cause, _ what: String, _ why: String, _ duration: Interruption.Duration) -> Interruption {
            Interruption(
                Inventory.Item(.endpoint, new.name, at: new.at), tenant: Pairing.first(new.name), cause, endpoints: 1, what, why: why,
                duration)
        }
        var result: [Interruption] = []
        let lost = old.addresses.filter { !new.addresses.contains($0) }
        let come = new.addresses.filter { !old.addresses.contains($0) }
        if !lost.isEmpty {
            let why =
                come.isEmpty
                ? "it is removed" : "\(Self.list(come)) takes its place, and works once every host has taken the commit"
            result.append(report(.address, "from and to \(Self.list(lost))", why, .forGood))
        }
        guard !stopped.contains(vpc) else { return result }
        let isMoved = new.host != pairing.hosts[old.host] ?? old.host
        if isMoved, new.name != old.name {
            result.append(
                report(
                    .renamedAndMoved, "all traffic", "its path and its host change at once, and hosts take it for another endpoint",
                    .untilAllTookIt))
        } else if isMoved, let heir = heir(of: old, new) {
            result.append(
                report(
                    .interfaceTaken, "all traffic",
                    "\(heir.name) gets its \(old.isHost ? "device's name, address or routes" : "interface \(old.interface)") on \(old.host) at once",
                    .untilAllTookIt))
        } else if !isMoved, new.isHost != old.isHost || (!new.isHost && new.interface != old.interface) {
            let why =
                new.isHost == old.isHost
                ? "its interface changes from \(old.interface) to \(new.interface)"
                : new.isHost ? "it becomes the host's own" : "it is the host's own no more"
            result.append(report(.interface, "all traffic", why, .moment))
        }
        return result
    }

    /// Who cannot be on the host that the endpoint leaves together with what the endpoint has there.
    private func heir(of old: Endpoint, _ new: Endpoint) -> Endpoint? {
        guard let home = pairing.hosts[old.host].flatMap(after.host) else { return nil }
        let device = Devices.device(of: old, index: before, mtu: 1500)
        return after.endpoints(on: home).first { other in
            if other.interface == old.interface { return true }
            guard let device, let theirs = Devices.device(of: other, index: after, mtu: 1500) else { return false }
            return theirs.collides(with: device)
        }
    }

    // MARK: Hosts

    private func interruptions(of old: Host) -> [Interruption] {
        guard let new = pairing.hosts[old.name].flatMap(after.host) else { return [] }
        let count = after.endpoints(on: new).count
        func report(_ cause: Interruption.Cause, _ what: String, _ why: String, _ duration: Interruption.Duration) -> Interruption {
            Interruption(Inventory.Item(.host, new.name, at: new.at), tenant: nil, cause, endpoints: count, what, why: why, duration)
        }
        if new.state == .down {
            guard old.state != .down, count > 0 else { return [] }
            return [report(.hostDown, "all traffic of its endpoints", "it is down from now on, and its endpoints with it", .forGood)]
        }
        var result: [Interruption] = []
        if new.address != old.address {
            result.append(
                report(
                    .hostAddress, "all traffic with other hosts, and what goes by its tables",
                    "its address changes from \(old.address) to \(new.address), and the others send to the old one for one settle time more",
                    .untilAllPoint))
        } else if new.interface != old.interface {
            result.append(
                report(.uplink, "all traffic with other hosts", "its uplink changes from \(old.interface) to \(new.interface)", .moment))
        }
        return result
    }
}
