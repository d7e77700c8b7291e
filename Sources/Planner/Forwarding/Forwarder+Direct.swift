import Topology

// The direct path: bpf/direct.h and bpf/control.h.
extension Forwarder {
    /// Step 2 of the rule, for an address that `endpoints` has no row for.
    ///
    /// - Returns: the decision, nil where it is the tables'; and whether it is time to ask who has the address.
    mutating func goDirect(_ key: EndpointKey, _ config: ConfigRow) -> (decision: Decision?, asks: Bool) {
        guard var entry = learned[key.vni]?[key.address] else {
            let isCounted = config.directAfter > 1 && put(LearnedRow(packets: 1), key)
            return (nil, !isCounted)
        }
        if let reason = entry.nobody, entry.saysNobody(at: tick) {
            var decision = Decision(.drop(reason))
            decision.lookups = [.learned(key, entry)]
            guard LearnedRow.ticks(since: entry.asked, at: tick) >= LearnedRow.askAgain else { return (decision, false) }
            entry.asked = tick
            put(entry, key)
            return (decision, true)
        }
        guard let host = entry.host, entry.isFresh(at: tick, config), image.hosts[host] != nil else {
            entry.packets &+= 1
            put(entry, key)
            return (nil, entry.packets >= config.directAfter)
        }
        guard answers(host, config) else { return (nil, true) }
        var decision = Decision(.send(to: host, stage: .none))
        decision.lookups = [.learned(key, entry)]
        decision.network = entry.network
        if LearnedRow.ticks(since: entry.proven, at: tick) <= config.directAge / 4
            || LearnedRow.ticks(since: entry.asked, at: tick) < LearnedRow.askAgain
        {
            return (decision, false)
        }
        entry.asked = tick
        put(entry, key)
        return (decision, true)
    }

    /// A row is no proof that its host knows the VNI as the same VPC's: until it has proven that, the packet bears the VPC's tag.
    mutating func goByRow(
        _ found: Decision, _ key: EndpointKey, _ row: EndpointRow, _ config: ConfigRow
    ) -> (decision: Decision, asks: ControlPacket?) {
        var (decision, proof) = (found, proofs[key] ?? Proof())
        let age = LearnedRow.ticks(since: proof.proven, at: tick)
        if proof.proven != 0, age <= config.directAge {
            decision.verdict = .send(to: row.host, stage: .none)
            if age <= config.directAge / 4 { return (decision, nil) }
        }
        let low = UInt16(truncatingIfNeeded: tick)
        if proof.asked != 0, low &- proof.asked < UInt16(LearnedRow.askAgain) { return (decision, nil) }
        proof.asked = tick == 0 ? 1 : low
        proofs[key] = proof
        guard config.uplink != 0, let vpc = image.vpcs[key.vni]?.vpc else { return (decision, nil) }
        return (decision, .ask(key, of: vpc, from: config.address, to: row.host, stage: .host, at: tick))
    }

    private func isProven(_ packet: ControlPacket) -> Bool {
        image.vpcs[packet.about.vni].map { packet.isProven(at: tick, of: $0.vpc) } ?? false
    }

    /// A host says whether it has an endpoint that a row here says it has. False: there is no such row.
    private mutating func prove(_ key: EndpointKey, by host: IPAddress, at proven: UInt32) -> Bool {
        guard let row = image.endpoints[key], row.kind == .remote, row.host == host else { return false }
        proofs[key, default: Proof()].proven = proven
        return true
    }

    /// False: nobody here has anything to do with the VPC.
    @discardableResult
    private mutating func put(_ row: LearnedRow, _ key: EndpointKey) -> Bool {
        guard image.direct[key.vni] != nil else { return false }
        learned[key.vni, default: [:]][key.address] = row
        return true
    }

    /// A control packet that came in.
    ///
    /// - Returns: what is sent for it.
    public mutating func take(_ packet: ControlPacket, port: UInt16) -> ControlPacket? {
        guard let config = image.config, takes(port, config), image.hosts[packet.from] != nil, packet.from != config.address
        else { return nil }
        let entry = LearnedRow(host: packet.from, proven: tick, asked: tick)
        switch packet.message {
        case .ask(let stage, let origin): return takeQuestion(packet, stage: stage, origin: origin, config)
        case .have(let network):
            var entry = entry
            entry.network = network
            if isProven(packet), !prove(packet.about, by: packet.from, at: tick) {
                put(entry, packet.about)
            }
        case .none(let reason):
            // What is known of who has it stands: its own host says when it goes.
            let known = learned[packet.about.vni]?[packet.about.address]
            guard isProven(packet), known?.isFresh(at: tick, config) != true else {
                return nil
            }
            var entry = entry
            entry.host = nil
            entry.packets = config.directAfter
            entry.nobody = reason
            put(entry, packet.about)
        case .gone:
            _ = prove(packet.about, by: packet.from, at: 0)
            if learned[packet.about.vni]?[packet.about.address]?.host == packet.from {
                learned[packet.about.vni]?[packet.about.address] = nil
            }
        }
        return nil
    }

    /// It goes on by the rule, as a packet for the address would, or is answered here.
    private mutating func takeQuestion(
        _ packet: ControlPacket, stage: Stage, origin: IPAddress, _ config: ConfigRow
    ) -> ControlPacket? {
        guard config.uplink != 0, stage != .none, stage.rawValue <= Stage.last.rawValue, origin != config.address,
            image.hosts[origin] != nil
        else { return nil }
        // Who knows the VNI as another VPC's does not know what is asked for.
        let vni = packet.about.vni
        guard judge(question: packet.vpc, vni: vni) == nil else { return nil }
        // The programs hash the address's last word as it lies in memory.
        let flow = FlowHash.mix(UInt32(truncatingIfNeeded: packet.about.address.bits).bigEndian)
        let decision = decide(packet.about, flow: flow, asker: .stage(stage), config)
        func answer(_ message: ControlPacket.Message) -> ControlPacket {
            packet.passedOn(from: config.address, to: origin, message)
        }
        switch decision.verdict {
        case .send(let host, let next):
            return packet.passedOn(from: config.address, to: host, .ask(stage: next, origin: origin))
        case .deliver:
            if let row = image.vpcs[vni], row.handedOver { told[Told(host: origin, vni: vni)] = row.vpc }
            return answer(.have(network: decision.network))
        // A gateway is nobody's, to all but the endpoints of its network.
        case .answer: return answer(.none(.noEndpoint))
        case .drop(let reason): return reason == .noEndpoint || reason == .hostDown ? answer(.none(reason)) : nil
        case .pass: return nil
        }
    }
}
