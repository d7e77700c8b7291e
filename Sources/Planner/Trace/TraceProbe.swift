public import Topology

/// A packet at one place of one host, as a trace says that it comes there.
public struct TraceProbe: Hashable, Sendable {
    public enum Place: Hashable, Sendable {
        /// An endpoint's interface.
        case port(String)
        /// From another host, with this stage.
        case uplink(from: IPAddress, stage: Stage)
    }

    /// What a program did.
    public struct Answer: Hashable, Sendable {
        public var verdict: Decision.Verdict
        /// The packet that goes on has one hop less.
        public var spendsHop: Bool

        public init(_ verdict: Decision.Verdict, spendsHop: Bool = false) {
            self.verdict = verdict
            self.spendsHop = spendsHop
        }
    }

    public var place: Place
    public var packet: InnerPacket
    public var vni: UInt32
    /// The tag of its VPC, which the packet bears on tables.
    public var tag: VPCTag
}

extension Trace {
    /// What the programs of a host did with the packet, beside what its live rows say.
    public struct Live: Hashable, Sendable, Encodable {
        public var host: String
        /// Applied there, as an object id; empty: a folder; nil: nothing.
        public var commit: String?
        public var probes: [Probe]

        public var agrees: Bool { probes.allSatisfy(\.agrees) }

        public struct Probe: Hashable, Sendable, Encodable {
            /// By the rule over the live rows.
            public var rows: Hop
            /// What the attached programs did.
            public var program: Action
            /// Whether both are the same.
            public var agrees: Bool
            /// What the trace of the commit does at this place.
            public var commit: [Action]
        }
    }

    /// The packets that come to a host by this trace, each once.
    public func probes(at host: String) -> [TraceProbe] {
        var found: [TraceProbe] = []
        for hop in ways.flatMap(\.hops) where hop.host == host {
            guard let probe = hop.probe, !found.contains(probe) else { continue }
            found.append(probe)
        }
        return found
    }

    /// Adds what a host did.
    ///
    /// - Parameters:
    ///   - forwarder: the host's live rows, as they were before its programs ran.
    ///   - interfaces: its interfaces by index.
    ///   - down: the indices of those that are set down: what is delivered there is lost.
    ///   - answers: what its programs did with each of the probes.
    public mutating func add(
        _ forwarder: Forwarder, of host: String, in topology: Topology, interfaces: [UInt32: String], down: Set<UInt32> = [],
        answers: [(probe: TraceProbe, answer: TraceProbe.Answer)]
    ) {
        let index = TopologyIndex(topology)
        guard let address = index.host(host)?.address else { return }
        let words = TraceWords(index: index, interfaces: [address: interfaces], paths: forwarder.image.names)
        let probes = answers.map { probe, answer in
            var hop = Self.hop(probe, forwarder, at: address, interfaces)
            let rows = words.hop(hop, interface: probe.place.interface(interfaces, forwarder.image))
            let agrees = hop.decision.verdict == answer.verdict && hop.decision.spendsHop == answer.spendsHop
            (hop.decision.verdict, hop.decision.crosses) = (answer.verdict, answer.spendsHop)
            return Live.Probe(
                rows: rows, program: words.action(hop), agrees: agrees,
                commit: ways.flatMap(\.hops).filter { $0.host == host && $0.probe == probe }.map(\.action))
        }
        live = Live(host: host, commit: forwarder.image.applied?.commit, probes: probes)
        for case .deliver(let ifindex) in answers.map(\.answer.verdict) where down.contains(ifindex) {
            lose(at: host, interface: interfaces[ifindex] ?? "")
        }
    }

    /// The ways that end at an interface of a host, which is down, lead to nobody.
    private mutating func lose(at host: String, interface: String) {
        for index in ways.indices {
            let outcome = ways[index].outcome
            guard outcome.kind == .delivered, outcome.host == host, outcome.interface == interface else { continue }
            ways[index].outcome = Outcome(
                kind: .lost, host: host, interface: interface, endpoint: outcome.endpoint,
                explanation: "\(interface), the interface of \(outcome.endpoint ?? "\(to.address)"), is down",
                hint: "`ip link set \(interface) up`")
        }
    }

    private static func hop(
        _ probe: TraceProbe, _ forwarder: Forwarder, at host: IPAddress, _ interfaces: [UInt32: String]
    ) -> Underlay.Hop {
        switch probe.place {
        case .port(let name):
            let ifindex = interfaces.first { $0.value == name }?.key ?? 0
            var copy = forwarder
            return Underlay.Hop(host: host, place: .port(ifindex), decision: copy.send(probe.packet, from: ifindex).decision)
        case .uplink(let from, let stage):
            let decision = forwarder.receive(
                probe.packet, vni: probe.vni, stage: stage, tag: probe.tag, from: from,
                port: forwarder.image.config?.port ?? 0
            ).decision
            return Underlay.Hop(host: host, place: .uplink(from: from, stage: stage), decision: decision)
        }
    }
}

extension TraceProbe.Place {
    fileprivate func interface(_ interfaces: [UInt32: String], _ image: Image) -> String {
        switch self {
        case .port(let name): name
        case .uplink: image.config.flatMap { interfaces[$0.uplink] } ?? ""
        }
    }
}
