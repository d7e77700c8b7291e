import Topology

// The devices of host endpoints: made before their ports' rows, set after the rows that they speak by, removed after them.
extension Differ {
    /// Devices of ours that go, with whether they go first, since a wanted one cannot be there beside them.
    private var leaving: [(device: Device, isFirst: Bool)] {
        meanwhile.devices.unwanted.filter { device in
            // What is left of one that was deleted serves the next of its name.
            next.ports[device.portIndex] == nil
                && (device.isThere || !meanwhile.devices.wanted.contains { $0.device.name == device.name })
        }.map { device in
            (device, device.endpoint.isEmpty || meanwhile.devices.wanted.contains { $0.device.excludes(device) })
        }
    }

    /// Ports whose programs go with their device.
    var portsLeavingFirst: Set<UInt32> { Set(leaving.filter(\.isFirst).map(\.device.portIndex)) }

    /// Whether the interface is the port of a device that stays, and takes on another MAC.
    func changesMAC(_ ifindex: UInt32) -> Bool {
        meanwhile.devices.wanted.contains {
            $0.device.portIndex == ifindex && $0.found.map(\.mac) != .some($0.device.mac) && $0.found != nil
        }
    }

    mutating func diffDevices() {
        for (_, device, found) in meanwhile.devices.wanted where found != device {
            schedule(found == nil ? .devices : .configure, .add, before: found, after: device)
        }
        for (device, isFirst) in leaving {
            let phase = live.ports[device.portIndex].map { removalPhase($0) } ?? .add
            schedule(isFirst ? .release : .removeDevices, phase, before: device, after: nil)
        }
        for device in meanwhile.devices.unwanted where next.ports[device.portIndex] != nil {
            let change = Change.device(before: device, after: nil)
            let step = Step(phase: .remove, change: change, subject: names.describe(device).subject, detail: names.detail(change))
            waiting.append(Plan.Waiting(step: step, due: meanwhile.portDue[device.portIndex] ?? meanwhile.longest))
        }
        warnBlocked()
    }

    private mutating func schedule(_ rank: Rank, _ phase: Phase, before: Device?, after: Device?) {
        guard let device = after ?? before else { return }
        let (subject, at) = names.describe(device)
        schedule(rank, phase, .device(before: before, after: after), subject, at: at)
    }

    private mutating func warnBlocked() {
        for (endpoint, interface) in meanwhile.devices.blocked {
            warnings.append(
                Diagnostic(
                    .warning, "MZ503", at: endpoint.at,
                    "\(endpoint.name) waits: \(host.name) has an interface \(interface) that is somebody else's",
                    hint: interface == endpoint.device
                        ? "give the endpoint's device another name (interface), or remove the other one" : "remove the other one"))
        }
    }
}

extension Names {
    func describe(_ device: Device) -> (subject: String, at: SourceLocation?) {
        let name = device.name.isEmpty ? device.port : device.name
        guard !device.endpoint.isEmpty else { return ("device \(name)", nil) }
        func place(_ index: TopologyIndex) -> SourceLocation? {
            index.endpoint(label: device.endpoint).flatMap { $0.isHost ? $0.at : nil }
        }
        return ("device \(name) of \(device.endpoint)", place(head))
    }

    /// What is set, of a device that stays: what differs.
    func detail(from before: Device?, to after: Device?) -> String {
        guard let device = after ?? before else { return "" }
        guard let before, let after else {
            let facts = [device.addresses.map(\.description).joined(separator: " "), "MAC \(device.mac)", "MTU \(device.mtu)"]
            return after == nil ? facts[0] : (facts + device.routes.map { "to \(Self.text($0))" }).joined(separator: ", ")
        }
        func list(_ items: [String]) -> String { items.isEmpty ? "none" : items.joined(separator: " ") }
        let facts: [(word: String, old: String, new: String)] = [
            ("of ", before.endpoint.isEmpty ? "nobody" : before.endpoint, after.endpoint),
            ("name ", before.name, after.name), ("port ", before.port, after.port),
            ("", before.isUp ? "up" : "down", after.isUp ? "up" : "down"),
            ("MAC ", "\(before.mac)", "\(after.mac)"),
            ("MTU ", before.mtu == 0 ? "of each end another" : "\(before.mtu)", "\(after.mtu)"),
            ("addresses ", list(before.addresses.map(\.description)), list(after.addresses.map(\.description))),
            ("routes ", list(before.routes.map(Self.text)), list(after.routes.map(Self.text))),
            ("settings ", before.isConfined ? "right" : "changed", after.isConfined ? "right" : "changed"),
        ]
        return facts.filter { $0.old != $0.new }.map { "\($0.word)\($0.old) -> \($0.new)" }.joined(separator: ", ")
    }

    private static func text(_ route: Device.Route) -> String {
        "\(route.destination)\(route.gateway.map { " by \($0)" } ?? "")"
    }
}
