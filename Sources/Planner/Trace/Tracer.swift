public import Topology

extension Trace {
    /// Follows the packet through the tables that every host has once the commit has settled, as though every interface
    /// existed and every host that is not `down` answered.
    public init(_ question: TraceQuestion, topology: Topology, commit: String) throws(TraceQuestion.Refusal) {
        let index = TopologyIndex(topology)
        let parties = try TraceParties(question, index)
        let packet = try question.packet(from: parties.source, to: parties.destination)
        var tracer = Tracer(index: index, parties: parties, packet: packet)
        self.init(parties, packet, index, commit: commit)
        ways = tracer.ways()
        notes += tracer.notes
    }

    init(_ parties: TraceParties, _ packet: InnerPacket, _ index: TopologyIndex, commit: String) {
        self.commit = commit
        vpc = parties.vpc.name
        vni = parties.vpc.vni
        from = Party(parties.from, parties.source)
        to = parties.to.map { Party($0, parties.destination) } ?? Party(address: parties.destination)
        self.packet = Packet(
            name: TraceQuestion.word(packet.protocolNumber), protocolNumber: packet.protocolNumber,
            sourcePort: packet.ports?.source, destinationPort: packet.ports?.destination,
            flowLabel: packet.source.isIPv4 ? nil : packet.flowLabel, hops: packet.hops, size: packet.size, flow: packet.flow)
        notes = parties.notes
        ways = []
    }
}

extension Trace.Party {
    fileprivate init(_ endpoint: Endpoint, _ address: IPAddress) {
        self.init(
            endpoint: endpoint.name, address: address, host: endpoint.host, interface: endpoint.interface, source: endpoint.at)
    }
}

/// Compiles the hosts that a packet comes to, and sends it through their models.
struct Tracer {
    let index: TopologyIndex
    let parties: TraceParties
    let packet: InnerPacket
    private var underlay = Underlay([:])
    /// Of the sender.
    private var port: UInt32 = 0
    private(set) var notes: [String] = []

    init(index: TopologyIndex, parties: TraceParties, packet: InnerPacket) {
        self.index = index
        self.parties = parties
        self.packet = packet
    }

    mutating func ways() -> [Trace.Way] {
        compile(parties.home)
        port = interfaces(parties.home.name).first { $0.name == parties.from.interface }?.ifindex ?? 0
        // How many packets it takes until the first question is the reader's affair, and not the trace's.
        underlay.hosts[parties.home.address]?.image.config?.directAfter = 1
        let first = send()
        noteMTUs(first)
        var ways = [inWords(first, .tables)]
        for question in first.said { settle(question) }
        guard let home = underlay.hosts[parties.home.address], home.learned[parties.vpc.vni]?[parties.destination] != nil else {
            return ways
        }
        let later = send()
        ways.append(inWords(later, .direct))
        return ways
    }

    private func inWords(_ way: Underlay.Way, _ kind: Trace.Way.Kind) -> Trace.Way {
        let words = TraceWords(index: index, interfaces: interfaceNames(way))
        return TraceOutcome(index: index, parties: parties, packet: packet, words: words).way(way, kind)
    }

    /// Sends the packet; a host that it comes to for the first time is compiled, and the packet sent again.
    private mutating func send() -> Underlay.Way {
        while true {
            let way = underlay.send(packet, from: parties.home.address, port: port)
            guard way.isLost, case .send(let next, _)? = way.verdict, let host = index.host(at: next), underlay.hosts[next] == nil
            else { return way }
            compile(host)
        }
    }

    /// Brings a question and what is said for it to its end.
    private mutating func settle(_ question: ControlPacket) {
        var next: ControlPacket? = question
        while let packet = next {
            if underlay.hosts[packet.to] == nil, let host = index.host(at: packet.to) { compile(host) }
            next = underlay.deliver(packet)
        }
    }

    private mutating func compile(_ host: Host) {
        var byName: [String: UInt32] = [:]
        for interface in interfaces(host.name) { byName[interface.name] = interface.ifindex }
        let compiler = Compiler(index: index, host: host, interfaces: byName)
        // What a commit does not say, no trace knows: an MTU that is not written is none.
        let uplink = Interface(name: host.interface, ifindex: byName[host.interface] ?? 0, mtu: 0)
        underlay.hosts[host.address] = Forwarder(compiler.image(uplink: uplink))
    }

    private func interfaces(_ name: String) -> [Interface] {
        let interfaces = FleetPlan.interfaces(of: name, index)
        guard let host = index.host(name) else { return interfaces }
        return interfaces + Devices(index: index, host: host, observation: Observation(interfaces: interfaces)).ends
    }

    private func interfaceNames(_ way: Underlay.Way) -> [IPAddress: [UInt32: String]] {
        var names: [IPAddress: [UInt32: String]] = [:]
        for hop in way.hops where names[hop.host] == nil {
            guard let host = index.host(at: hop.host) else { continue }
            names[hop.host] = Dictionary(uniqueKeysWithValues: interfaces(host.name).map { ($0.ifindex, $0.name) })
        }
        return names
    }

    private mutating func noteMTUs(_ way: Underlay.Way) {
        let home = parties.home
        guard way.hops.count > 1 else { return }
        if let mtu = home.mtu {
            let usable = mtu > Int(ConfigRow.overhead) ? mtu - Int(ConfigRow.overhead) : 0
            notes.append("packets up to \(usable) bytes fit: the underlay of host \(home.name) carries \(mtu) (\(home.at))")
        } else if packet.size > TraceQuestion.ping {
            notes.append("whether \(packet.size) bytes fit is up to the uplink of host \(home.name), which says no `mtu` (\(home.at))")
        }
    }
}
