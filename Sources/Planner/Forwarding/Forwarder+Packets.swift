public import Topology

// What becomes of a packet at this host: bpf/port.h and bpf/uplink.h.
extension Forwarder {
    /// What an endpoint behind a port sends.
    ///
    /// - Returns: the decision, and the question that the packet gives occasion to ask. It may be asked already.
    public mutating func send(_ packet: InnerPacket, from ifindex: UInt32) -> (decision: Decision, asks: ControlPacket?) {
        guard let config = image.config else {
            var decision = Decision(.drop(.internal))
            decision.lookups = [.missing(.config, key: "0")]
            return (decision, nil)
        }
        guard let port = image.ports[ifindex] else {
            var decision = Decision(.drop(.unknownPort))
            decision.lookups = [.missing(.ports, key: "interface \(ifindex)")]
            return (decision, nil)
        }
        var decision = Decision(.drop(.spoofedIP))
        decision.lookups = [.row(.port(ifindex, port))]
        if let reason = Self.classify(packet) { return (decision.with(.drop(reason)), nil) }
        let source = EndpointKey(vni: port.vni, address: packet.source)
        let own = image.endpoints[source]
        decision.lookups.append(own.map { .row(.endpoint(source, $0)) } ?? .missing(.endpoints, key: "\(packet.source)"))
        guard own?.ifindex == ifindex else { return (decision, nil) }
        let key = EndpointKey(vni: port.vni, address: packet.destination)
        let (found, asks) = rule(key, flow: packet.flow, config)
        let earlier = decision.lookups
        decision = found
        decision.lookups = earlier + found.lookups
        if case .drop = decision.verdict { return (decision, asks) }
        decision = route(decision, packet, port, config)
        if case .send = decision.verdict { return (decision, asks) }
        return (decision, nil)
    }

    /// Steps 1 and 2 of the rule, and the others where `direct` leads nowhere.
    private mutating func rule(
        _ key: EndpointKey, flow: UInt32, _ config: ConfigRow
    ) -> (decision: Decision, asks: ControlPacket?) {
        if let row = image.endpoints[key] {
            let decision = decide(key, flow: flow, asker: .port, config)
            guard row.kind == .remote, case .send = decision.verdict else { return (decision, nil) }
            return goByRow(decision, key, row, config)
        }
        let (learned, asks) = goDirect(key, config)
        let byTables = decideByTables(key, flow: flow, asker: .port, config)
        var decision = learned ?? byTables
        decision.lookups = [.missing(.endpoints, key: "\(key.address)")] + decision.lookups
        guard asks, config.uplink != 0 else { return (decision, nil) }
        guard case .send(let host, let stage) = byTables.verdict else { return (decision, nil) }
        guard let vpc = image.vpcs[key.vni]?.vpc else { return (decision, nil) }
        return (decision, ControlPacket.ask(key, of: vpc, from: config.address, to: host, stage: stage, at: tick))
    }

    /// Between two networks the data plane is a router; to another host there must be a way, and room.
    private func route(_ found: Decision, _ packet: InnerPacket, _ port: PortRow, _ config: ConfigRow) -> Decision {
        var decision = found
        decision.crosses = decision.verdict != .answer && decision.network != port.network
        if decision.crosses, packet.hops <= 1 { return decision.with(.drop(.timeExceeded)) }
        switch decision.verdict {
        case .deliver(let ifindex): return deliver(decision, ifindex)
        case .answer:
            guard decision.network == port.network else { return decision.with(.drop(.noEndpoint)) }
            return packet.isEcho ? decision : decision.with(.drop(.gateway))
        case .send:
            guard config.uplink == 0 || image.vpcs[port.vni] != nil else {
                decision.lookups.append(.missing(.vpcs, key: "VNI \(port.vni)"))
                return decision.with(.drop(.noVPC))
            }
            guard config.uplink != 0, packet.size <= Int(config.usableMTU) else {
                decision.lookups.append(.row(.config(config)))
                return decision.with(.drop(config.uplink == 0 ? .pending : .tooBig))
            }
            return decision
        case .drop, .pass: return decision
        }
    }

    private func deliver(_ found: Decision, _ ifindex: UInt32) -> Decision {
        guard image.portMACs[ifindex] == nil else { return found }
        var decision = found
        decision.lookups.append(.missing(.portMACs, key: "interface \(ifindex)"))
        return decision.with(.drop(.pending))
    }

    /// What another host sends here.
    ///
    /// - Parameters:
    ///   - stage: what it came with.
    ///   - tag: the VPC that it is of, by its option; nil: it does not say, or has none.
    /// - Returns: the decision; `gone`: who sent it straight to this host for an endpoint that it does not have is told so.
    public func receive(
        _ packet: InnerPacket, vni: UInt32, stage: Stage, tag: VPCTag?, from: IPAddress, port: UInt16
    ) -> (decision: Decision, gone: ControlPacket?) {
        guard let config = image.config, takes(port, config) else { return (Decision(.pass), nil) }
        guard image.hosts[from] != nil, from != config.address else {
            var decision = Decision(.drop(.foreignHost))
            decision.lookups = [.missing(.hosts, key: "\(from)")]
            return (decision, nil)
        }
        if let reason = Self.classify(packet) { return (Decision(.drop(reason)), nil) }
        let key = EndpointKey(vni: vni, address: packet.destination)
        var decision: Decision
        if let reason = stage == .none ? judgePlain(from: from, vni: vni) : judge(tag, vni: vni) {
            decision = Decision(.drop(reason))
            decision.lookups = [image.vpcs[vni].map { .row(.vpc(vni, $0)) } ?? .missing(.vpcs, key: "VNI \(vni)")]
        } else {
            decision = decide(key, flow: packet.flow, asker: .stage(stage), config)
        }
        switch decision.verdict {
        // Gateways are answered where the question is asked.
        case .answer: decision.verdict = .drop(.noEndpoint)
        case .send where config.uplink == 0: decision.verdict = .drop(.pending)
        case .deliver(let ifindex): decision = deliver(decision, ifindex)
        case .send, .drop, .pass: break
        }
        guard stage == .none, config.uplink != 0, decision.isNotHere else { return (decision, nil) }
        return (decision, ControlPacket.gone(key, from: config.address, to: from, at: tick))
    }

    func takes(_ port: UInt16, _ config: ConfigRow) -> Bool { port == config.port || config.otherPorts.contains(port) }

    /// Broadcast and multicast destinations that no table need be asked about.
    private static func classify(_ packet: InnerPacket) -> DropReason? {
        if packet.destination.isMulticast { return .multicast }
        return packet.destination.v4 == .max ? .broadcast : nil
    }
}

extension Decision {
    fileprivate var isNotHere: Bool {
        switch verdict {
        case .send, .drop(.notHere), .drop(.noVPC), .drop(.noEndpoint), .drop(.hostDown), .drop(.otherVPC): true
        case .deliver, .answer, .drop, .pass: false
        }
    }
}
