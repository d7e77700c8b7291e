public import Topology

/// Several hosts' models, and what packets do between them.
public struct Underlay: Sendable {
    /// By underlay address.
    public var hosts: [IPAddress: Forwarder]

    public init(_ hosts: [IPAddress: Forwarder]) { self.hosts = hosts }

    public struct Hop: Hashable, Sendable {
        public enum Place: Hashable, Sendable {
            /// An endpoint's interface, of this index.
            case port(UInt32)
            /// From another host, with this stage.
            case uplink(from: IPAddress, stage: Stage)
        }

        /// Underlay address.
        public var host: IPAddress
        public var place: Place
        public var decision: Decision
    }

    /// The hops of one packet, to where it ends.
    public struct Way: Hashable, Sendable {
        public var hops: [Hop] = []
        /// The last hop sends it to an address where nobody is.
        public var isLost = false
        /// Questions, and words that an endpoint has gone: on their way, in the order of being said.
        public var said: [ControlPacket] = []

        /// What the last hop did.
        public var verdict: Decision.Verdict? { hops.last?.decision.verdict }
        /// Whether a bouncer or divider was asked.
        public var goesByTables: Bool {
            hops.contains { hop in
                guard case .send(_, let stage) = hop.decision.verdict else { return false }
                return stage == .divider || stage == .bouncer
            }
        }
    }

    /// Sends a packet out of an endpoint's port, and follows it.
    public mutating func send(_ packet: InnerPacket, from host: IPAddress, port: UInt32) -> Way {
        var way = Way()
        guard let row = hosts[host]?.image.ports[port], let (decision, asks) = hosts[host]?.send(packet, from: port) else {
            way.isLost = true
            return way
        }
        way.hops = [Hop(host: host, place: .port(port), decision: decision)]
        if let asks { way.said.append(asks) }
        follow(packet, vni: row.vni, &way)
        return way
    }

    private func follow(_ packet: InnerPacket, vni: UInt32, _ way: inout Way) {
        // What it bears from hop to hop: the tag of who put it on tables.
        var tag = way.hops.last.flatMap { hosts[$0.host]?.tag(of: vni) }
        // Stages only grow, so this ends.
        while let last = way.hops.last, case .send(let next, let stage) = last.decision.verdict {
            let port = hosts[last.host]?.image.config?.port ?? 0
            guard
                let (decision, gone) = hosts[next]?.receive(
                    packet, vni: vni, stage: stage, tag: stage == .none ? nil : tag, from: last.host, port: port)
            else {
                way.isLost = true
                return
            }
            if stage == .none { tag = hosts[next]?.tag(of: vni) }
            way.hops.append(Hop(host: next, place: .uplink(from: last.host, stage: stage), decision: decision))
            if let gone { way.said.append(gone) }
        }
    }

    /// Brings a control packet to where it goes.
    ///
    /// - Returns: what is said for it.
    public mutating func deliver(_ packet: ControlPacket) -> ControlPacket? {
        let port = hosts[packet.from]?.image.config?.port ?? 0
        return hosts[packet.to]?.take(packet, port: port)
    }
}
