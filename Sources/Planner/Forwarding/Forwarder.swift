public import Topology

/// One host's data plane as a model: what bpf/ does with an endpoint's packet over the rows that the host has.
///
/// It has no clock, no counters and no interfaces of its own. Frames that are no sound IP packet, and what programs keep
/// for a moment only (memos, what was said), are not in it.
public struct Forwarder: Sendable {
    public var image: Image
    /// By VNI, what was learned; there is a table where `image.direct` has a row.
    public var learned: [UInt32: [IPAddress: LearnedRow]] = [:]
    /// Hosts that let too many echoes go unanswered.
    public var silent: Set<IPAddress> = []
    /// For each remote row: when its host was last asked, and when it last proved that it has the endpoint.
    public var proofs: [EndpointKey: Proof] = [:]
    /// For a host and a VNI that is handed over: the VPC that this host last named to the other as the VNI's owner.
    public var told: [Told: UInt64] = [:]
    /// Of 2^24 ns.
    public var tick: UInt32 = 0

    public struct Proof: Hashable, Sendable {
        /// The low bits of a tick; 0: not yet.
        public var asked: UInt16
        /// A tick; 0: not.
        public var proven: UInt32

        public init(asked: UInt16 = 0, proven: UInt32 = 0) { (self.asked, self.proven) = (asked, proven) }
    }

    public struct Told: Hashable, Sendable {
        public var host: IPAddress
        public var vni: UInt32

        public init(host: IPAddress, vni: UInt32) {
            self.host = host
            self.vni = vni
        }
    }

    public init(_ image: Image) { self.image = image }

    /// Who asks the rule.
    enum Asker: Hashable {
        /// An endpoint of this host, which may be sent through every table.
        case port
        case stage(Stage)
    }

    // MARK: The rule (bpf/forward.h)

    /// The whole rule for `key`, but for `direct`.
    func decide(_ key: EndpointKey, flow: UInt32, asker: Asker, _ config: ConfigRow) -> Decision {
        guard let row = image.endpoints[key] else {
            var decision = decideByTables(key, flow: flow, asker: asker, config)
            decision.lookups.insert(.missing(.endpoints, key: "\(key.address)"), at: 0)
            return decision
        }
        var decision = Decision(.drop(.hostDown))
        decision.lookups = [.row(.endpoint(key, row))]
        decision.network = row.network
        switch row.kind {
        case .local: decision.verdict = row.ifindex == 0 ? .drop(.pending) : .deliver(ifindex: row.ifindex)
        case .remote: decision.verdict = sendOn(to: row.host, asker: asker, config)
        case .gateway: decision.verdict = .answer
        case .broadcast: decision.verdict = .drop(.broadcast)
        case .unreachable: break
        }
        return decision
    }

    private func sendOn(to host: IPAddress, asker: Asker, _ config: ConfigRow) -> Decision.Verdict {
        // A row that sends to this host itself would go round.
        guard host != config.address else { return .drop(.stage) }
        // With its tag, since the row is no proof that the host knows the VNI as the same VPC's.
        guard case .stage(let stage) = asker else { return .send(to: host, stage: .host) }
        guard stage.isForHost else { return .send(to: host, stage: .host) }
        let next = max(stage.rawValue, Stage.host.rawValue) + 1
        return next > Stage.last.rawValue ? .drop(.stage) : .send(to: host, stage: Stage(rawValue: next))
    }

    /// Steps 3 to 5, for an address that `endpoints` has no row for.
    func decideByTables(_ key: EndpointKey, flow: UInt32, asker: Asker, _ config: ConfigRow) -> Decision {
        var decision = Decision(.drop(.notHere))
        guard let vpc = image.vpcs[key.vni] else {
            decision.lookups = [.missing(.vpcs, key: "VNI \(key.vni)")]
            return decision.with(.drop(.noVPC))
        }
        if case .stage(let stage) = asker, stage.isForHost { return decision }
        if let (place, network) = findNetwork(vpc, key) {
            decision.lookups = [.row(.network(place, network))]
            decision.network = network.network
            if network.held { return decision.with(.drop(.noEndpoint)) }
            if asker == .stage(.bouncer) { return decision }
            return choose(network.bouncers, flow: flow, .bouncer, decision, config)
        }
        decision.lookups = [.missing(.networks, key: "\(key.address)"), .row(.vpc(key.vni, vpc))]
        if vpc.held { return decision.with(.drop(.noEndpoint)) }
        guard asker == .port else { return decision }
        return choose(vpc.dividers, flow: flow, .divider, decision, config)
    }

    /// Networks of a VPC never overlap: any length that hits is the one.
    private func findNetwork(_ vpc: VPCRow, _ key: EndpointKey) -> (NetworkKey, NetworkRow)? {
        for length in key.address.isIPv4 ? vpc.lengths4 : vpc.lengths6 {
            let cidr = CIDR(containing: key.address, length: Int(length) - (key.address.isIPv4 ? 96 : 0))
            let place = NetworkKey(vni: key.vni, cidr: cidr)
            if let row = image.networks[place] { return (place, row) }
        }
        return nil
    }

    // MARK: One of n

    private func choose(
        _ members: [IPAddress], flow: UInt32, _ stage: Stage, _ decision: Decision, _ config: ConfigRow
    ) -> Decision {
        // The highest score; the higher address on a tie. This host itself is asked because it lacks the table.
        let candidates = members.filter { $0 != config.address }
            .map { Decision.Choice.Candidate(host: $0, score: FlowHash.score(flow, $0)) }
            .sorted { ($0.score, $0.host) > ($1.score, $1.host) }
        guard let first = candidates.first else { return decision.with(.drop(.notHere)) }
        // Two are passed over at most; where nobody answers, the first choice stays.
        let tried = candidates.prefix(3)
        let chosen = tried.first { answers($0.host, config) } ?? first
        var result = decision.with(.send(to: chosen.host, stage: stage))
        result.choice = Decision.Choice(
            candidates: candidates, avoided: tried.prefix { $0 != chosen && !answers($0.host, config) }.map(\.host))
        return result
    }

    /// Whether packets may be sent to a host, as far as it was asked.
    func answers(_ host: IPAddress, _ config: ConfigRow) -> Bool {
        guard let row = image.hosts[host], !row.isDown else { return false }
        return config.healthCount == 0 || !silent.contains(host)
    }
}
