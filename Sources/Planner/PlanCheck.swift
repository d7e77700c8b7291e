import Topology

/// Judges a finished plan by itself, knowing nothing of how it was made: the safety argument does not rest on the
/// differ alone.
public enum PlanCheck {
    /// What is wrong with the plan; empty: nothing. An error here is a defect of the planner, and nothing is applied.
    public static func violations(_ plan: Plan, on observation: Observation) -> [String] {
        var image = observation.image
        var capacities = observation.capacities
        var devices = observation.devices
        let interfaces = Set(observation.interfaces.map(\.ifindex))
        var result: [String] = []
        if plan.stateDigest != observation.digest { result.append("the plan was made on another state") }
        for (number, step) in plan.steps.enumerated() {
            let place = "step \(number + 1), \(step.subject)"
            switch step.change {
            case .row(let before, let after):
                guard let record = after ?? before else {
                    result.append("\(place): neither writes nor removes")
                    continue
                }
                if let before, let after, !before.hasKey(of: after) { result.append("\(place): changes its key") }
                if image.value(of: record) != before {
                    result.append("\(place): expects \(text(before)), finds \(text(image.value(of: record)))")
                }
                if let after { image.put(after) } else { image.remove(record) }
                let capacity = capacities[record.table] ?? 0
                if image.count(record.table) > capacity {
                    result.append("\(place): \(record.table.rawValue) holds \(capacity) rows at most")
                }
                if case .applied = record, number != plan.steps.count - 1 {
                    result.append("\(place): the applied commit is not the last row")
                }
            case .capacity(let table, let from, let to):
                if capacities[table] ?? 0 != from { result.append("\(place): expects a capacity of \(from)") }
                capacities[table] = to
            case .device(let before, let after):
                if let before {
                    let found = devices.firstIndex(of: before)
                    if found == nil { result.append("\(place): expects a device that is not there: \(before)") }
                    if let found { devices.remove(at: found) }
                }
                if let after {
                    if let other = devices.first(where: { $0.excludes(after) }) {
                        result.append("\(place): cannot be beside \(other.name) of \(other.endpoint)")
                    }
                    devices.append(after)
                }
            case .attach(let attachment, _):
                if !interfaces.contains(attachment.ifindex), !devices.contains(where: { $0.portIndex == attachment.ifindex }) {
                    result.append("\(place): attaches to \(attachment.interface), index \(attachment.ifindex), which nothing makes")
                }
            case .programs, .detach: break
            }
        }
        result += cutsUplink(plan, observation, image)
        result += incoherences(image)
        return result
    }

    /// Programs that are taken off what has the host's address, while what carries them then does not have it.
    private static func cutsUplink(_ plan: Plan, _ observation: Observation, _ image: Image) -> [String] {
        guard let config = image.config else { return [] }
        let holders = Set(observation.interfaces.filter { $0.addresses.contains(config.address) }.map(\.ifindex))
        guard !holders.contains(config.uplink) else { return [] }
        return plan.steps.enumerated().compactMap { number, step in
            guard case .detach(let attachment) = step.change, attachment.point == .uplink || attachment.point == .guardEgress,
                holders.contains(attachment.ifindex)
            else { return nil }
            return "step \(number + 1), \(step.subject): takes it off the interface that has the host's address"
        }
    }

    /// Rows that contradict one another once the plan is done.
    static func incoherences(_ image: Image) -> [String] {
        var result: [String] = []
        guard let config = image.config else { return result }
        let own = config.address
        if config.otherPorts.count > 2 || Set([0, config.port] + config.otherPorts).count != config.otherPorts.count + 2 {
            result.append("UDP port \(config.port) and others, \(config.otherPorts), of which each must be another")
        }
        func isKnown(_ address: IPAddress) -> Bool { address == own || image.hosts[address] != nil }
        for (key, row) in image.networks {
            if row.bouncers.isEmpty { result.append("network \(key.cidr) of VNI \(key.vni) has no bouncer") }
            if !row.bouncers.allSatisfy(isKnown) { result.append("a bouncer of \(key.cidr), VNI \(key.vni), is no host") }
            if image.vpcs[key.vni] == nil { result.append("network \(key.cidr) has no row for VNI \(key.vni)") }
        }
        for (vni, row) in image.vpcs {
            if row.dividers.isEmpty { result.append("VNI \(vni) has no divider") }
            if !row.dividers.allSatisfy(isKnown) { result.append("a divider of VNI \(vni) is no host") }
        }
        // By whose tag packets are judged.
        for vni in Set(image.endpoints.keys.map(\.vni)).union(image.ports.values.map(\.vni)) where image.vpcs[vni] == nil {
            result.append("VNI \(vni) has endpoints or ports, and no row")
        }
        for (key, row) in image.endpoints where row.kind == .remote && !isKnown(row.host) {
            result.append("\(key.address) of VNI \(key.vni) is at \(row.host), which is no host")
        }
        for (key, row) in image.endpoints where row.ifindex != 0 {
            guard let port = image.ports[row.ifindex] else {
                result.append(
                    "\(key.address) of VNI \(key.vni) is behind \(image.interfaceName(row.ifindex) ?? "interface \(row.ifindex)"), which is no port"
                )
                continue
            }
            if port.vni != key.vni {
                result.append("\(key.address) of VNI \(key.vni) is behind a port of VNI \(port.vni)")
            }
        }
        return result.sorted()
    }

    private static func text(_ record: Record?) -> String { record.map { "\($0)" } ?? "nothing" }
}

extension Image {
    /// The row with the record's key.
    func value(of record: Record) -> Record? {
        switch record {
        case .config: config.map(Record.config)
        case .host(let key, _): hosts[key].map { .host(key, $0) }
        case .vpc(let key, _): vpcs[key].map { .vpc(key, $0) }
        case .network(let key, _): networks[key].map { .network(key, $0) }
        case .endpoint(let key, _): endpoints[key].map { .endpoint(key, $0) }
        case .port(let key, _): ports[key].map { .port(key, $0) }
        case .portMAC(let key, _): portMACs[key].map { .portMAC(key, $0) }
        case .direct(let vni, _): direct[vni].map { .direct(vni, capacity: $0) }
        case .name(let id, _): names[id].map { .name(id, $0) }
        case .wait(let digest, _): waits[digest].map { .wait(digest: digest, since: $0) }
        case .datapath: datapath.map(Record.datapath)
        case .applied: applied.map(Record.applied)
        case .foreign: foreign.contains(record) ? record : nil
        }
    }
}

extension Record {
    func hasKey(of other: Record) -> Bool { table == other.table && sortableKey == other.sortableKey }
}
