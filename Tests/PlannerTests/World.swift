import Planner
import TestSupport
import Testing
import Topology

/// From an endpoint to one address of another, by names.
struct Flow: Hashable {
    var from: String
    var to: String
    var destination: IPAddress
}

/// What the ids in the tables are called, in any of several topologies.
struct Glossary {
    struct Entry {
        var name: String
        var vpc: String
        var addresses: Set<IPAddress>
    }

    private(set) var entries: [UInt64: Entry] = [:]
    private(set) var destinations: [IPAddress] = []

    init(_ topologies: [Topology]) {
        for topology in topologies {
            let vpcs = Dictionary(uniqueKeysWithValues: topology.networks.map { ($0.name, $0.vpc) })
            for endpoint in topology.endpoints {
                entries[
                    StableHash.id(endpoint.name),
                    default: Entry(name: endpoint.name, vpc: vpcs[endpoint.network] ?? "", addresses: [])
                ].addresses.formUnion(endpoint.addresses)
            }
        }
        destinations = Set(entries.values.flatMap(\.addresses)).sorted()
    }
}

/// The tables of a fleet at one instant.
struct World {
    struct Port: Hashable {
        var host: IPAddress
        var ifindex: UInt32
        var vni: UInt32
    }

    let reachability: Reachability
    let glossary: Glossary
    let ports: [String: [Port]]

    /// `without`: hosts that are dead.
    init(_ fleet: Fleet, _ glossary: Glossary, without dead: Set<String> = []) {
        self.glossary = glossary
        var nodes: [IPAddress: Reachability.Node] = [:]
        var ports: [String: [Port]] = [:]
        for (name, machine) in fleet.hosts where !dead.contains(name) {
            guard let address = machine.image.config?.address else { continue }
            nodes[address] = Reachability.Node(image: machine.image, attachments: machine.attachments)
            for (ifindex, row) in machine.image.ports {
                guard let name = glossary.entries[row.endpoint]?.name else { continue }
                ports[name, default: []].append(Port(host: address, ifindex: ifindex, vni: row.vni))
            }
        }
        reachability = Reachability(nodes)
        self.ports = ports
    }

    private func sources(_ name: String, for destination: IPAddress) -> [IPAddress] {
        (glossary.entries[StableHash.id(name)]?.addresses ?? []).filter { $0.isIPv4 == destination.isIPv4 }
    }

    /// Whether packets from some port of the sender, whatever the hashes choose, arrive at a port of the receiver.
    func works(_ flow: Flow) -> Bool {
        for port in ports[flow.from] ?? [] {
            for source in sources(flow.from, for: flow.destination) {
                let outcomes = reachability.send(
                    from: port.host, port: port.ifindex, source: source, to: flow.destination)
                let arrives =
                    !outcomes.isEmpty
                    && outcomes.allSatisfy {
                        guard case .delivered(_, _, let endpoint) = $0 else { return false }
                        return glossary.entries[endpoint]?.name == flow.to
                    }
                if arrives { return true }
            }
        }
        return false
    }

    func outcomes(_ flow: Flow) -> String {
        (ports[flow.from] ?? []).flatMap { port in
            sources(flow.from, for: flow.destination).map { source in
                "\(port.host)/\(port.ifindex): "
                    + reachability.send(from: port.host, port: port.ifindex, source: source, to: flow.destination)
                    .map { "\($0)" }.sorted().joined(separator: ", ")
            }
        }.joined(separator: "; ")
    }

    func answersGateway(_ endpoint: Endpoint, _ gateway: IPAddress) -> Bool {
        guard let port = ports[endpoint.name]?.first,
            let source = endpoint.addresses.first(where: { $0.isIPv4 == gateway.isIPv4 })
        else { return false }
        return reachability.send(from: port.host, port: port.ifindex, source: source, to: gateway) == [.gateway]
    }

    /// Everything that every port (of the VNI, if one is given) sends to every address: nothing may come out in another
    /// VPC.
    ///
    /// - Returns: the flows that arrive, whatever the hashes choose.
    @discardableResult
    func look(vni: UInt32? = nil, _ note: @autoclosure () -> String) -> Set<Flow> {
        var arriving: Set<Flow> = []
        for (name, all) in ports {
            guard let own = glossary.entries[StableHash.id(name)] else { continue }
            for port in all where vni == nil || port.vni == vni {
                for source in own.addresses {
                    for destination in glossary.destinations where destination.isIPv4 == source.isIPv4 {
                        let outcomes = reachability.send(
                            from: port.host, port: port.ifindex, source: source, to: destination)
                        var receivers: Set<String> = []
                        for outcome in outcomes {
                            guard case .delivered(let host, let ifindex, let endpoint) = outcome else {
                                receivers.insert("")
                                continue
                            }
                            let receiver = glossary.entries[endpoint]
                            receivers.insert(receiver?.name ?? "")
                            if receiver?.vpc != own.vpc {
                                Issue.record(
                                    "\(note()): \(name) reaches \(destination) at \(host)/\(ifindex), \(receiver?.name ?? "nobody")")
                            }
                        }
                        if receivers.count == 1, let to = receivers.first, to != "" {
                            arriving.insert(Flow(from: name, to: to, destination: destination))
                        }
                    }
                }
            }
        }
        return arriving
    }
}

/// Looks at a fleet after each step for what the law forbids.
final class Watch: RolloutObserver {
    let topologies: [Topology]
    let flows: [Flow]
    let note: String
    private let glossary: Glossary
    private let vnis: [String: Set<UInt32>]
    private var broken: Set<Flow> = []

    /// The flows that work in each of the topologies once they have settled; only those whose VNI stays.
    init(_ topologies: [Topology], fleet: Fleet, note: String) throws {
        self.topologies = topologies
        self.note = note
        glossary = Glossary(topologies)
        // What goes by a host that is, or was, down needs no plan to break.
        let dead = Set(topologies.flatMap(\.hosts).filter { $0.state == .down }.map(\.name))
        var result: Set<Flow>?
        for topology in topologies {
            var settled = Fleet(topology)
            for (name, machine) in fleet.hosts where settled.hosts[name] != nil { settled.hosts[name]?.interfaces = machine.interfaces }
            _ = try settled.converge(to: topology, base: nil, seed: 0)
            let world = World(settled, Glossary([topology]), without: dead)
            let network = Dictionary(uniqueKeysWithValues: topology.networks.map { ($0.name, $0.vpc) })
            var working: Set<Flow> = []
            for from in topology.endpoints {
                for to in topology.endpoints where network[from.network] == network[to.network] && from != to {
                    for destination in to.addresses {
                        let flow = Flow(from: from.name, to: to.name, destination: destination)
                        if world.works(flow) { working.insert(flow) }
                    }
                }
            }
            result = result?.intersection(working) ?? working
        }
        var vnis: [String: Set<UInt32>] = [:]
        for vpc in topologies.flatMap(\.vpcs) { vnis[vpc.name, default: []].insert(vpc.vni) }
        self.vnis = vnis
        var addresses: [String: Set<IPAddress>] = [:]
        for host in topologies.flatMap(\.hosts) { addresses[host.name, default: []].insert(host.address) }
        let isReaddressed = addresses.values.contains { $0.count > 1 }
        var sources: [String: Set<[IPAddress]>] = [:]
        var users: [String: Set<String>] = [:]
        for endpoint in topologies.flatMap(\.endpoints) {
            sources[endpoint.name, default: []].insert(endpoint.addresses)
            users["\(endpoint.host) \(endpoint.interface)", default: []].insert(endpoint.name)
            // Of devices with the same routes a host has one at a time.
            if endpoint.isHost { users["\(endpoint.host) itself", default: []].insert(endpoint.name) }
        }
        let sharers = Set(users.values.filter { $0.count > 1 }.joined())
        flows = (result ?? []).filter { flow in
            // A sender with other addresses is another one; an interface cannot be two endpoints' at a time; and another
            // VNI or underlay address is another wire.
            !isReaddressed && sources[flow.from]?.count == 1 && !sharers.contains(flow.from) && !sharers.contains(flow.to)
                && vnis[Self.vpc(flow)]?.count == 1
        }.sorted { ($0.from, $0.to, $0.destination) < ($1.from, $1.to, $1.destination) }
    }

    private static func vpc(_ flow: Flow) -> String { flow.from.split(separator: "/").prefix(2).joined(separator: "/") }

    /// Rows alone know no time.
    func advance(to clock: UInt64) {}

    func look(_ fleet: Fleet, after step: Step, of host: String) {
        if step.isBookkeeping { return }
        if case .programs = step.change { return }
        var vni: UInt32?
        if case .row(let before, let after) = step.change {
            switch after ?? before {
            case .vpc(let number, _)?: vni = number
            case .network(let key, _)?: vni = key.vni
            case .endpoint(let key, _)?: vni = key.vni
            case .wait?, .portMAC?, .applied?, .datapath?: return
            default: break
            }
        }
        let world = World(fleet, glossary)
        func place() -> String { "\(note), host \(host), \(step.phase) \(step.subject): \(step.detail)" }
        let arriving = world.look(vni: vni, place())
        for flow in flows where !broken.contains(flow) && (vni.map { vnis[Self.vpc(flow)]?.contains($0) ?? true } ?? true) {
            if arriving.contains(flow) { continue }
            broken.insert(flow)
            Issue.record("\(place()): \(flow.from) no longer reaches \(flow.to) \(flow.destination): \(world.outcomes(flow))")
        }
    }
}
