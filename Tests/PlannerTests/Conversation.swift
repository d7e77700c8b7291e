import Planner
import TestSupport
import Testing
import Topology

/// Packets and what they teach, between hosts that take a commit: the data plane's model over the tables of a fleet.
///
/// Between any two steps endpoints send, hosts ask and answer, and answers arrive at once, late, out of order, or when
/// nobody believes them any more.
final class Conversation: RolloutObserver {
    private let topologies: [Topology]
    private var flows: [Flow]
    /// A host that hears of no commit, and whose neighbours need not reach it for long.
    private let laggard: String?
    /// Its clock stands, nor does it send, until all others have settled.
    private var isAsleep: Bool
    private let note: String
    private let glossary: Glossary
    private var random: SeededGenerator
    private var underlay = Underlay([:])
    private var fleet: Fleet
    /// By name of the host, so that every host has a clock of its own.
    private var boot: [String: UInt64] = [:]
    private var addresses: [String: IPAddress] = [:]
    private var clock: UInt64 = 0
    private var flight: [(arrives: UInt64, packet: ControlPacket)] = []
    private var broken: Set<Flow> = []
    /// What was seen, so that no run is empty without a word.
    private(set) var seen = Seen()

    struct Seen {
        var tables = 0
        var direct = 0
        var gone = 0
        var late = 0
        var nobody = 0

        static func + (left: Self, right: Self) -> Self {
            Self(
                tables: left.tables + right.tables, direct: left.direct + right.direct, gone: left.gone + right.gone,
                late: left.late + right.late, nobody: left.nobody + right.nobody)
        }
    }

    /// - Parameter flows: those that shall never break; with a laggard, that are spoken on before.
    init(_ rollout: Rollout, flows: [Flow], seed: Int, isAsleep: Bool = false) {
        laggard = rollout.laggard
        self.isAsleep = isAsleep
        topologies = rollout.topologies
        note = rollout.note
        fleet = rollout.fleet
        self.flows = flows
        glossary = Glossary(topologies)
        random = SeededGenerator(seed: UInt64(seed))
        for name in fleet.hosts.keys.sorted() { boot[name] = .random(in: (1 << 40)...(1 << 50), using: &random) }
        for name in fleet.hosts.keys.sorted() { update(name) }
        // Everybody has talked before.
        for _ in 0..<4 {
            for flow in flows { check(flow, "before") }
            pass(to: clock + 200_000_000)
        }
        if laggard != nil { self.flows = [] }
    }

    // MARK: The fleet

    func look(_ fleet: Fleet, after step: Step, of host: String) {
        self.fleet = fleet
        update(host)
        // A step takes its time.
        pass(to: clock + .random(in: 0...100_000_000, using: &random))
        if case .row(let before, let after) = step.change {
            switch after ?? before {
            case .wait?, .portMAC?, .applied?, .datapath?, .name?: return
            default: break
            }
        }
        talk("host \(host), \(step.phase) \(step.subject): \(step.detail)")
    }

    /// Nobody is silent while hosts wait for one another.
    func advance(to clock: UInt64) {
        while self.clock < clock {
            pass(to: min(clock, self.clock + .random(in: 200_000_000...2_000_000_000, using: &random)))
            talk("while time passes")
        }
    }

    private func pass(to clock: UInt64) {
        let passed = max(self.clock, clock) - self.clock
        self.clock += passed
        if isAsleep, let laggard { boot[laggard]? -= passed }
        for (name, machine) in fleet.hosts {
            guard let address = machine.image.config?.address else { continue }
            underlay.hosts[address]?.tick = UInt32(truncatingIfNeeded: ((boot[name] ?? 0) + self.clock) >> 24)
        }
        let due = flight.filter { $0.arrives <= self.clock }
        flight.removeAll { $0.arrives <= self.clock }
        for (_, packet) in due.shuffled(using: &random) { deliver(packet) }
    }

    /// The host's rows into its model, which keeps what it has learned as long as its table stays.
    private func update(_ name: String) {
        guard let machine = fleet.hosts[name], let address = machine.image.config?.address,
            machine.attachments.contains(where: { $0.point == .uplink })
        else { return }
        if let before = addresses.updateValue(address, forKey: name), before != address {
            underlay.hosts[address] = underlay.hosts.removeValue(forKey: before)
        }
        var forwarder = underlay.hosts[address] ?? Forwarder(Image())
        for (vni, capacity) in forwarder.image.direct where machine.image.direct[vni] != capacity { forwarder.learned[vni] = nil }
        // A row that is written is proven by nobody.
        for key in forwarder.proofs.keys where machine.image.endpoints[key] != forwarder.image.endpoints[key] {
            forwarder.proofs[key] = nil
        }
        forwarder.image = machine.image
        forwarder.tick = UInt32(truncatingIfNeeded: ((boot[name] ?? 0) + clock) >> 24)
        underlay.hosts[address] = forwarder
    }

    // MARK: Packets

    /// Some pairs that shall work, and some of whoever to wherever.
    private func talk(_ place: @autoclosure () -> String) {
        for flow in flows.shuffled(using: &random).prefix(4) { check(flow, place()) }
        for _ in 0..<2 { stray(place()) }
    }

    private func ports(of name: String) -> [(host: IPAddress, ifindex: UInt32)] {
        let id = StableHash.id(name)
        var found: [(host: IPAddress, ifindex: UInt32)] = []
        for host in fleet.hosts.keys.sorted() {
            guard let machine = fleet.hosts[host], let address = machine.image.config?.address, !(isAsleep && host == laggard)
            else { continue }
            for ifindex in machine.image.ports.keys.sorted() where machine.image.ports[ifindex]?.endpoint == id {
                guard machine.attachments.contains(where: { $0.point == .port && $0.ifindex == ifindex }) else { continue }
                found.append((address, ifindex))
            }
        }
        return found
    }

    /// The endpoint's packet arrives, out of one of its ports at least: after a move there are two, and one has its interface.
    private func check(_ flow: Flow, _ place: String) {
        var ways: [Underlay.Way] = []
        for port in ports(of: flow.from) {
            for source in sources(flow.from, flow.destination) {
                let way = send(from: source, to: flow.destination, host: port.host, port: port.ifindex, sender: flow.from, place)
                if receiver(way) == flow.to { return }
                ways.append(way)
            }
        }
        guard laggard == nil, broken.insert(flow).inserted else { return }
        Issue.record("\(note), \(place): \(flow.from) no longer reaches \(flow.to) \(flow.destination): \(ways.map(Self.words))")
    }

    private func sources(_ name: String, _ destination: IPAddress) -> [IPAddress] {
        (glossary.entries[StableHash.id(name)]?.addresses ?? []).filter { $0.isIPv4 == destination.isIPv4 }.sorted()
    }

    /// Also to addresses that come or go, where `NONE` has its part.
    private func stray(_ place: String) {
        guard let entry = glossary.entries.values.map(\.name).sorted().randomElement(using: &random),
            let port = ports(of: entry).randomElement(using: &random),
            let destination = glossary.destinations.randomElement(using: &random),
            let source = sources(entry, destination).first
        else { return }
        _ = send(from: source, to: destination, host: port.host, port: port.ifindex, sender: entry, place)
    }

    private func send(
        from source: IPAddress, to destination: IPAddress, host: IPAddress, port: UInt32, sender: String, _ place: String
    ) -> Underlay.Way {
        let packet = InnerPacket(
            source: source, destination: destination, protocolNumber: 6,
            ports: .init(source: .random(in: 1...9, using: &random), destination: 80))
        let way = underlay.send(packet, from: host, port: port)
        // Each stage once, and a stage more after each move.
        if way.hops.count > 8 { Issue.record("\(note), \(place): goes round: \(Self.words(way))") }
        if case .send(_, let stage)? = way.hops.first?.decision.verdict {
            if stage == .none || stage == .host { seen.direct += 1 } else { seen.tables += 1 }
        }
        if case .learned(_, let row)? = way.hops.first?.decision.lookups.last, row.nobody != nil { seen.nobody += 1 }
        if case .deliver? = way.verdict {
            let own = glossary.entries[StableHash.id(sender)], name = receiver(way) ?? ""
            let found = glossary.entries[StableHash.id(name)]
            if found?.vpc != own?.vpc || found?.addresses.contains(destination) != true {
                Issue.record("\(note), \(place): \(sender) reaches \(destination) at \(name), whose it is not: \(Self.words(way))")
            }
        }
        for packet in way.said { say(packet) }
        return way
    }

    private func receiver(_ way: Underlay.Way) -> String? {
        guard case .deliver(let ifindex)? = way.verdict, let host = way.hops.last?.host,
            let id = underlay.hosts[host]?.image.ports[ifindex]?.endpoint
        else { return nil }
        return glossary.entries[id]?.name
    }

    private static func words(_ way: Underlay.Way) -> String {
        way.hops.map { "\($0.host) \($0.place) \($0.decision.verdict)" }.joined(separator: " | ") + (way.isLost ? " | lost" : "")
    }

    // MARK: Questions and answers

    /// Mostly at once, sometimes late, rarely when no nonce holds any more.
    private func say(_ packet: ControlPacket) {
        let delay: ClosedRange<UInt64> =
            random.oneIn(12) ? 4_500_000_000...10_000_000_000 : random.oneIn(3) ? 0...3_900_000_000 : 0...20_000_000
        if delay.lowerBound > 0 { seen.late += 1 }
        if packet.message == .gone { seen.gone += 1 }
        flight.append((clock + .random(in: delay, using: &random), packet))
    }

    private func deliver(_ packet: ControlPacket) {
        if let answer = underlay.deliver(packet) { say(answer) }
    }

    // MARK: The end

    /// The laggard sends to everybody that anybody has ever heard of, before it hears of anything.
    private func wake() {
        guard let laggard, let address = fleet.hosts[laggard]?.image.config?.address else { return }
        for name in glossary.entries.values.map(\.name).sorted() {
            for port in ports(of: name) where port.host == address {
                for destination in glossary.destinations {
                    guard let source = sources(name, destination).first else { continue }
                    _ = send(from: source, to: destination, host: port.host, port: port.ifindex, sender: name, "awake")
                }
            }
        }
    }

    /// Everybody talks for a while: then every pair of the last commit works, and no entry says what is not so.
    func settle() {
        guard let last = topologies.last else { return }
        isAsleep = false
        wake()
        for _ in 0..<20 {
            for flow in flows { check(flow, "settled") }
            for _ in 0..<10 { stray("settled") }
            pass(to: clock + 1_000_000_000)
        }
        pass(to: clock + 11_000_000_000)
        let vpcs = Dictionary(uniqueKeysWithValues: last.vpcs.map { ($0.name, $0.vni) })
        var homes: [UInt32: [IPAddress: IPAddress]] = [:]
        for endpoint in last.endpoints {
            guard let network = last.networks.first(where: { $0.name == endpoint.network }), let vni = vpcs[network.vpc],
                let home = last.hosts.first(where: { $0.name == endpoint.host })
            else { continue }
            for address in endpoint.addresses { homes[vni, default: [:]][address] = home.address }
        }
        // It believes itself to be the home of what has moved away.
        let late = laggard.flatMap { fleet.hosts[$0]?.image.config?.address }
        for host in last.hosts where host.name != laggard {
            guard let forwarder = underlay.hosts[host.address], let config = forwarder.image.config else { continue }
            for (vni, entries) in forwarder.learned {
                for (address, entry) in entries {
                    let home = homes[vni]?[address]
                    let age = forwarder.tick &- entry.proven
                    if let named = entry.host, named != home, named != late, age <= config.directAge, forwarder.image.hosts[named] != nil {
                        Issue.record(
                            "\(note): \(host.name) still believes that \(address) of VNI \(vni) is on \(named), not \(home.map { "\($0)" } ?? "gone")"
                        )
                    }
                    if entry.nobody == .noEndpoint, entry.host == nil, home != nil, age <= 192 {
                        Issue.record("\(note): \(host.name) still believes that nobody has \(address) of VNI \(vni)")
                    }
                }
            }
        }
    }
}
