public import Topology

/// What every host of the fleet would change between two commits: worked out from the commits alone, for who has neither
/// privileges nor a kernel.
public struct FleetPlan: Hashable, Sendable, Codable {
    public var formatVersion = Plan.formatVersion
    public var base: String
    public var head: String
    /// What is compared with `base`.
    public var comparison: Comparison
    /// Hosts with changes, by name.
    public var hosts: [HostChanges]
    /// Hosts without.
    public var unchanged: [String]
    public var warnings: [Diagnostic]
    /// What people changed, and what it stops.
    public var topology: TopologyChange
    /// Set if guards refuse the change.
    public var refused: Refusals?

    public enum Comparison: String, Hashable, Sendable, Codable {
        /// What merging the head into the base will give.
        case merge
        /// The head, which the base comes after.
        case back
        /// The head as it is.
        case trees
    }

    public struct HostChanges: Hashable, Sendable, Codable {
        public var host: String
        /// `joins`, `leaves` or `changes` the fleet's topology.
        public var kind: Kind
        public var summary: PlanSummary
        public var steps: [Step]
        /// Of the rows, those that wait after the host has taken the commit; the soonest first.
        public var waits: [Wait]

        /// So many rows that wait as long.
        public struct Wait: Hashable, Sendable, Codable {
            public let milliseconds: UInt64
            public let count: Int
        }

        public enum Kind: String, Hashable, Sendable, Codable { case joins, leaves, changes }

        private enum CodingKeys: String, CodingKey {
            case host, kind, summary, waits
            case steps = "changes"
        }
    }

    public var summary: PlanSummary { hosts.reduce(PlanSummary()) { $0 + $1.summary } }

    /// Compares the images that both topologies give each host, as though every interface existed.
    public init(
        base: Topology, baseCommit: String, head: Topology, headCommit: String, comparison: Comparison = .trees,
        warnings: [Diagnostic] = []
    ) {
        self.base = baseCommit
        self.head = headCommit
        self.comparison = comparison
        self.warnings = warnings
        let before = TopologyIndex(base)
        let after = TopologyIndex(head)
        topology = TopologyChange(before, after)
        hosts = []
        unchanged = []
        for name in Set(base.hosts.map(\.name)).union(head.hosts.map(\.name)).sorted() {
            let interfaces = Self.interfaces(of: name, before, after)
            var steps: [Step] = []
            var kind = HostChanges.Kind.changes
            var waits: [HostChanges.Wait] = []
            if let host = after.host(name) {
                let live = before.host(name).map {
                    Self.observation(before, host: $0, interfaces: interfaces)
                }
                if live == nil { kind = .joins }
                var differ = Differ(
                    index: after, base: before, host: host,
                    observation: live ?? Observation(interfaces: interfaces, programs: 1), through: .remove)
                differ.run(commit: headCommit)
                steps = differ.orderedSteps.filter { !$0.isBookkeeping && !$0.isAboutPrograms }
                for warning in differ.warnings where !self.warnings.contains(warning) { self.warnings.append(warning) }
                if !steps.isEmpty, let live { waits = Self.waits(after, base: before, host: host, observation: live) }
            } else if let host = before.host(name) {
                kind = .leaves
                let observation = Self.observation(before, host: host, interfaces: interfaces)
                steps = Self.leaving(
                    names: Names(
                        head: before, base: nil,
                        interfaces: Dictionary(uniqueKeysWithValues: observation.interfaces.map { ($0.ifindex, $0.name) })),
                    observation)
            }
            if steps.isEmpty {
                unchanged.append(name)
            } else {
                hosts.append(HostChanges(host: name, kind: kind, summary: PlanSummary(steps), steps: steps, waits: waits))
            }
        }
    }

    /// What the host itself would wait for, by its own clock.
    private static func waits(_ index: TopologyIndex, base: TopologyIndex, host: Host, observation: Observation) -> [HostChanges.Wait] {
        var differ = Differ(index: index, base: base, host: host, observation: observation, through: nil)
        differ.listWaiting()
        return WaitingChanges(differ.waiting, now: 0).groups.map { HostChanges.Wait(milliseconds: $0.due / 1_000_000, count: $0.count) }
    }

    /// The same numbers for the same names on both sides, so that only names matter. Commits say nothing of the MTU of
    /// endpoints' interfaces: 0.
    static func interfaces(of host: String, _ indices: TopologyIndex...) -> [Interface] {
        var names: Set<String> = ["lo"]
        for index in indices {
            if let host = index.host(host) { names.insert(host.interface) }
            for number in index.endpointsOfHost[host] ?? [] where !index.topology.endpoints[number].isHost {
                names.insert(index.topology.endpoints[number].interface)
            }
        }
        let uplinks = Set(indices.compactMap { $0.host(host)?.interface })
        return names.sorted().enumerated().map {
            Interface(name: $1, ifindex: UInt32($0 + 1), mtu: uplinks.contains($1) ? 1500 : 0)
        }
    }

    private static func observation(_ index: TopologyIndex, host: Host, interfaces: [Interface]) -> Observation {
        var observation = Observation(interfaces: interfaces, programs: 1)
        let devices = Devices(index: index, host: host, observation: observation)
        let byName = devices.interfaces
        let compiler = Compiler(index: index, host: host, interfaces: byName)
        observation.devices = devices.wanted.map(\.device)
        observation.interfaces += devices.ends
        observation.image = compiler.image(uplink: devices.uplink.interface)
        observation.image.datapath = DatapathRow(programs: 1, uplink: devices.uplink.interface?.ifindex ?? 0, mode: .none, reason: .chosen)
        // Which hook the uplink's programs are at depends on the driver: a commit alone says so only where it names it.
        for (name, ifindex) in byName {
            if observation.image.ports[ifindex] != nil {
                observation.attachments.insert(Attachment(ifindex: ifindex, interface: name, point: .port))
            }
        }
        if let uplink = devices.uplink.interface {
            var points: [Attachment.Point] = [.uplink, .guardEgress]
            if host.datapath != .tc { points.append(.xdp) }
            if let loopback = observation.loopback { observation.attachments.insert(loopback) }
            for point in points {
                observation.attachments.insert(Attachment(ifindex: uplink.ifindex, interface: uplink.name, point: point))
            }
        }
        return observation
    }

    /// Everything that a host which left the topology still holds.
    private static func leaving(names: Names, _ observation: Observation) -> [Step] {
        let image = observation.image
        var records: [Record] = image.config.map { [.config($0)] } ?? []
        records += image.endpoints.map { .endpoint($0, $1) } + image.networks.map { .network($0, $1) }
        records += image.vpcs.map { .vpc($0, $1) } + image.ports.map { .port($0, $1) } + image.hosts.map { .host($0, $1) }
        let steps =
            records.map { record in
                // No line of the head asks for it any more.
                let (subject, _) = names.describe(record)
                let change = Change.row(before: record, after: nil)
                return Step(phase: .remove, change: change, subject: subject, detail: names.detail(change), at: nil)
            }
            + observation.devices.map { device in
                let change = Change.device(before: device, after: nil)
                return Step(phase: .remove, change: change, subject: names.describe(device).subject, detail: names.detail(change))
            }
        return steps.map { (Differ.sortKey($0), $0) }
            .sorted { ($0.0.0, $0.0.1, $0.0.2) < ($1.0.0, $1.0.1, $1.0.2) }.map(\.1)
    }
}

extension Step {
    /// Loading programs depends on the live host, not on what two commits say.
    fileprivate var isAboutPrograms: Bool {
        if case .programs = change { true } else { false }
    }
}
