import Planner
import Topology

/// How roles move when the fleet changes, against the least that is possible and against the usual modulo; and what a plan
/// costs.
enum Roles {
    static let hostCount = 100
    static let networkCount = 10_000

    static func run(_ bench: Bench) -> Report.Section {
        var section = Report.Section(
            "roles", "Placement and plans",
            note: "\(hostCount) hosts in 4 zones, \(networkCount) networks of 2 bouncers each; no kernel has a part in it")
        let topology = fleet(hosts: hostCount)
        let clock = ContinuousClock()
        let times = (0..<bench.rounds).map { _ in clock.measure { _ = Placement(topology) } / .milliseconds(1) }
        let before = Placement(topology)
        let counts = (0..<hostCount).map { host in Double(before.bouncers.values.count { $0.contains(host) }) }
        section.add("all roles placed", unit: "ms", Samples(values: times))
        section.add("roles of a host, mean \(2 * networkCount / hostCount)", unit: "roles", Samples(values: counts))

        var removed = topology
        removed.hosts.remove(at: 41)
        let afterRemoval = moves(topology, removed)
        section.add("one host removed: moved / least possible", unit: "×", ratio(afterRemoval.moved, afterRemoval.least))
        section.add("one host removed: by modulo", unit: "×", ratio(afterRemoval.modulo, afterRemoval.least))
        let grown = fleet(hosts: hostCount + 1)
        let afterAddition = moves(topology, grown)
        section.add("one host added: moved / least possible", unit: "×", ratio(afterAddition.moved, afterAddition.least))
        section.add("one host added: by modulo", unit: "×", ratio(afterAddition.modulo, afterAddition.least))

        var first = Observation(interfaces: interfaces(of: topology.hosts[0], in: topology), programs: 1)
        var plan: Plan?
        let making = clock.measure {
            plan = Planner.plan(topology, host: "h000", commit: "", observation: first, through: .remove)
        }
        for step in plan?.steps ?? [] {
            switch step.change {
            case .row(let old, let new):
                if let new { first.image.put(new) } else if let old { first.image.remove(old) }
            case .capacity(let table, _, let to): first.capacities[table] = to
            case .attach(let attachment, _): first.attachments.insert(attachment)
            case .detach(let attachment): first.attachments.remove(attachment)
            case .programs, .device: break
            }
        }
        var idle: Plan?
        let repeating = clock.measure {
            idle = Planner.plan(topology, host: "h000", commit: "", observation: first, through: .remove)
        }
        section.add("plan of one host from nothing: \(plan?.steps.count ?? 0) steps", unit: "ms", one(making / .milliseconds(1)))
        section.add("plan of it again: \(idle?.steps.count ?? 0) steps", unit: "ms", one(repeating / .milliseconds(1)))
        return section
    }

    private static func one(_ value: Double) -> Samples { Samples(values: [value]) }

    private static func ratio(_ part: Int, _ whole: Int) -> Samples { one(Double(part) / Double(max(whole, 1))) }

    /// Roles that a host has after and had not before; the least that any placement could move; and what h mod n would.
    static func moves(_ before: Topology, _ after: Topology) -> (moved: Int, least: Int, modulo: Int) {
        let (old, new) = (Placement(before), Placement(after))
        var moved = 0
        var least = 0
        var modulo = 0
        let gone = Set(before.hosts.map(\.name)).subtracting(after.hosts.map(\.name))
        let come = Set(after.hosts.map(\.name)).subtracting(before.hosts.map(\.name))
        for network in before.networks {
            let was = Set((old.bouncers[network.name] ?? []).map { before.hosts[$0].name })
            let now = Set((new.bouncers[network.name] ?? []).map { after.hosts[$0].name })
            moved += now.subtracting(was).count
            // What a host that left had must move; what a host that came has must have moved to it.
            least += was.intersection(gone).count + now.intersection(come).count
            let hash = StableHash.id(network.name)
            for place in 0..<2 {
                let first = before.hosts[Int((hash &+ UInt64(place)) % UInt64(before.hosts.count))].name
                let second = after.hosts[Int((hash &+ UInt64(place)) % UInt64(after.hosts.count))].name
                modulo += first == second ? 0 : 1
            }
        }
        return (moved, least, modulo)
    }

    static func fleet(hosts: Int) -> Topology {
        let at = SourceLocation(file: "bench", line: 1, column: 1)
        func padded(_ number: Int) -> String { String(String(1000 + number).dropFirst()) }
        let all = (0..<hosts).map { number in
            Host(
                name: "h\(padded(number))", address: IPAddress(v4: 0xac10_0001 + UInt32(number)), interface: "eth0",
                zone: "az-\(number % 4)", at: at)
        }
        var vpcs: [VPC] = []
        var networks: [Network] = []
        var endpoints: [Endpoint] = []
        for number in 0..<networkCount {
            let (vpc, inVPC) = (number / 100, number % 100)
            let name = "t/v\(vpc)"
            if inVPC == 0 {
                vpcs.append(
                    VPC(name: name, vni: UInt32(vpc + 1), cidrs: [CIDR(containing: IPAddress(v4: 0x0a00_0000), length: 8)], at: at))
            }
            let base = 0x0a00_0000 + UInt32(inVPC) << 8
            networks.append(
                Network(
                    name: "\(name)/n\(inVPC)", vpc: name, cidrs: [CIDR(containing: IPAddress(v4: base), length: 24)],
                    gateways: [IPAddress(v4: base + 1)], at: at))
            for place in 0..<2 {
                endpoints.append(
                    Endpoint(
                        name: "\(name)/n\(inVPC)/e\(place)", network: "\(name)/n\(inVPC)",
                        addresses: [IPAddress(v4: base + 10 + UInt32(place))], host: "h\(padded((number + 50 * place) % hostCount))",
                        interface: "v\(number)-\(place)", at: at))
            }
        }
        return Topology(
            hosts: all, tenants: [Tenant(name: "t", at: at)], vpcs: vpcs, networks: networks, endpoints: endpoints)
    }

    static func interfaces(of host: Host, in topology: Topology) -> [Interface] {
        let names = [host.interface] + topology.endpoints.filter { $0.host == host.name }.map(\.interface)
        return names.enumerated().map { Interface(name: $1, ifindex: UInt32($0 + 1)) }
    }
}
