public import Planner
public import Topology

/// A host without a kernel: its maps, attachments and interfaces as values, and steps done to them one by one.
public struct PlanSimulator: Sendable {
    public struct Refusal: Error, CustomStringConvertible {
        public let description: String
    }

    public var name: String
    public var image = Image()
    public var capacities: [Table: Int] = [:]
    public var attachments: Set<Attachment> = []
    public var interfaces: [Interface]
    public var devices: [Device] = []
    /// Digest of the object that this host's program carries.
    public var programs: UInt64 = 7
    public var now: UInt64 = 1_000_000_000

    public init(name: String, interfaces: [Interface] = []) {
        self.name = name
        self.interfaces = interfaces
    }

    /// Makes the interfaces that the topology names here, unless they exist.
    public mutating func makeInterfaces(_ topology: Topology, driver: String = "virtio_net") {
        guard let host = topology.hosts.first(where: { $0.name == name }) else { return }
        if interfaces.isEmpty { interfaces.append(Interface(name: "lo", ifindex: 1)) }
        let names = [host.interface] + topology.endpoints.filter { $0.host == name && !$0.isHost }.map(\.interface)
        for name in names where !interfaces.contains(where: { $0.name == name }) {
            let next = (interfaces.map(\.ifindex).max() ?? 1) + 1
            interfaces.append(
                Interface(
                    name: name, ifindex: next, mtu: name == host.interface ? 1500 : 1400, driver: name == host.interface ? driver : "veth",
                    addresses: name == host.interface ? [host.address] : []))
        }
    }

    public var observation: Observation {
        Observation(
            image: image, capacities: capacities, interfaces: interfaces, attachments: attachments, devices: devices,
            programs: programs, now: now)
    }

    /// Does the step, or refuses it: what it expects is not there, or there is no room.
    public mutating func apply(_ step: Step) throws(Refusal) {
        switch step.change {
        case .row(let before, let after):
            guard let record = after ?? before else { throw Refusal(description: "\(step.subject): nothing to do") }
            let found = Self.row(in: image, at: record)
            guard found == before else {
                throw Refusal(
                    description:
                        "\(step.subject): expects \(before.map { "\($0)" } ?? "nothing"), finds \(found.map { "\($0)" } ?? "nothing")")
            }
            if let after { image.put(after) } else { image.remove(record) }
            guard image.count(record.table) <= capacities[record.table] ?? 0 else {
                throw Refusal(description: "\(step.subject): table \(record.table.rawValue) is full")
            }
        case .capacity(let table, let from, let to):
            guard capacities[table] ?? 0 == from else { throw Refusal(description: "\(step.subject): not of \(from)") }
            guard image.count(table) <= to else { throw Refusal(description: "\(step.subject): rows do not fit") }
            capacities[table] = to
        case .programs(let from, let to):
            guard image.datapath?.programs ?? 0 == from, to == programs else {
                throw Refusal(description: "\(step.subject): other programs run")
            }
        case .attach(let attachment, _):
            guard interfaces.contains(where: { $0.ifindex == attachment.ifindex && $0.name == attachment.interface }) else {
                throw Refusal(description: "\(step.subject): no such interface")
            }
            guard attachments.insert(attachment).inserted else { throw Refusal(description: "\(step.subject): is there") }
        case .detach(let attachment):
            guard attachments.remove(attachment) != nil else { throw Refusal(description: "\(step.subject): is not there") }
        case .device(let before, let after): try apply(step, before, after)
        }
    }

    /// A device, its two interfaces, and what is attached to them.
    private mutating func apply(_ step: Step, _ before: Device?, _ after: Device?) throws(Refusal) {
        if let before {
            guard let index = devices.firstIndex(of: before) else { throw Refusal(description: "\(step.subject): is not there") }
            devices.remove(at: index)
            guard let after else {
                interfaces.removeAll { [before.ifindex, before.portIndex].contains($0.ifindex) }
                attachments = attachments.filter { $0.ifindex != before.portIndex }
                return
            }
            guard (before.ifindex, before.portIndex) == (after.ifindex, after.portIndex) else {
                throw Refusal(description: "\(step.subject): another pair")
            }
            try rename(step, before.ifindex, after.name)
            try rename(step, before.portIndex, after.port)
        } else if let after {
            let ends = [(after.name, after.ifindex), (after.port, after.portIndex)]
            guard !interfaces.contains(where: { one in ends.contains { $0.0 == one.name || $0.1 == one.ifindex } }) else {
                throw Refusal(description: "\(step.subject): its names or indices are taken")
            }
            interfaces += ends.map { Interface(name: $0.0, ifindex: $0.1, mtu: after.mtu, driver: "veth") }
        }
        guard let after else { throw Refusal(description: "\(step.subject): nothing to do") }
        let addresses = devices.flatMap(\.addresses)
        let destinations = devices.flatMap(\.routes).map(\.destination)
        guard !after.addresses.contains(where: addresses.contains),
            !after.routes.contains(where: { route in destinations.contains { $0.overlaps(route.destination) } })
        else { throw Refusal(description: "\(step.subject): its addresses or routes are taken") }
        devices.append(after)
    }

    /// The interface, with what is attached to it.
    private mutating func rename(_ step: Step, _ ifindex: UInt32, _ name: String) throws(Refusal) {
        guard !interfaces.contains(where: { $0.name == name && $0.ifindex != ifindex }) else {
            throw Refusal(description: "\(step.subject): the name \(name) is taken")
        }
        call(ifindex, name)
    }

    /// After a device was called otherwise by hand.
    public mutating func callInterfacesAsDevices() {
        for (ifindex, name) in devices.flatMap({ [($0.ifindex, $0.name), ($0.portIndex, $0.port)] }) { call(ifindex, name) }
    }

    private mutating func call(_ ifindex: UInt32, _ name: String) {
        for index in interfaces.indices where interfaces[index].ifindex == ifindex { interfaces[index].name = name }
        attachments = Set(
            attachments.map { $0.ifindex == ifindex ? Attachment(ifindex: ifindex, interface: name, point: $0.point) : $0 })
    }

    public mutating func apply(_ plan: Plan) throws(Refusal) {
        for step in plan.steps { try apply(step) }
    }

    /// The row with the record's key: written again here, so that the planner's own look-up is not its own judge.
    static func row(in image: Image, at record: Record) -> Record? {
        switch record {
        case .config: return image.config.map { .config($0) }
        case .host(let key, _): return image.hosts[key].map { .host(key, $0) }
        case .vpc(let key, _): return image.vpcs[key].map { .vpc(key, $0) }
        case .network(let key, _): return image.networks[key].map { .network(key, $0) }
        case .endpoint(let key, _): return image.endpoints[key].map { .endpoint(key, $0) }
        case .port(let key, _): return image.ports[key].map { .port(key, $0) }
        case .portMAC(let key, _): return image.portMACs[key].map { .portMAC(key, $0) }
        case .direct(let vni, _): return image.direct[vni].map { .direct(vni, capacity: $0) }
        case .name(let id, _): return image.names[id].map { .name(id, $0) }
        case .wait(let digest, _): return image.waits[digest].map { .wait(digest: digest, since: $0) }
        case .datapath: return image.datapath.map { .datapath($0) }
        case .applied: return image.applied.map { .applied($0) }
        case .foreign: return image.foreign.first { $0 == record }
        }
    }
}
