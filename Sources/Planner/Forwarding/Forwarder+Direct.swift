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
            if packet.isProven(at: tick) { put(entry, packet.about) }
        case .none(let reason):
            // What is known of who has it stands: its own host says when it goes.
            let known = learned[packet.about.vni]?[packet.about.address]
            guard packet.isProven(at: tick), known?.isFresh(at: tick, config) != true else { return nil }
            var entry = entry
            entry.host = nil
            entry.packets = config.directAfter
            entry.nobody = reason
            put(entry, packet.about)
        case .gone:
            if learned[packet.about.vni]?[packet.about.address]?.host == packet.from {
                learned[packet.about.vni]?[packet.about.address] = nil
            }
        }
        return nil
    }

    /// It goes on by the rule, as a packet for the address would, or is answered here.
    private func takeQuestion(
        _ packet: ControlPacket, stage: Stage, origin: IPAddress, _ config: ConfigRow
    ) -> ControlPacket? {
        guard config.uplink != 0, stage != .none, stage.rawValue <= Stage.last.rawValue, origin != config.address,
            image.hosts[origin] != nil
        else { return nil }
        // The programs hash the address's last word as it lies in memory.
        let flow = FlowHash.mix(UInt32(truncatingIfNeeded: packet.about.address.bits).bigEndian)
        let decision = decide(packet.about, flow: flow, asker: .stage(stage), config)
        func answer(_ message: ControlPacket.Message) -> ControlPacket {
            packet.passedOn(from: config.address, to: origin, message)
        }
        switch decision.verdict {
        case .send(let host, let next):
            return packet.passedOn(from: config.address, to: host, .ask(stage: next, origin: origin))
        case .deliver: return answer(.have(network: decision.network))
        // A gateway is nobody's, to all but the endpoints of its network.
        case .answer: return answer(.none(.noEndpoint))
        case .drop(let reason): return reason == .noEndpoint || reason == .hostDown ? answer(.none(reason)) : nil
        case .pass: return nil
        }
    }
}
