import Topology

/// Ways in words: their hops, where they end, what is behind a drop and what to do about it.
struct TraceOutcome {
    let index: TopologyIndex
    let parties: TraceParties
    let packet: InnerPacket
    let words: TraceWords

    func way(_ way: Underlay.Way, _ kind: Trace.Way.Kind) -> Trace.Way {
        let hops = way.hops.map { hop in
            let (interface, place): (String, TraceProbe.Place) =
                switch hop.place {
                case .port: (parties.from.interface, .port(parties.from.interface))
                case .uplink(let from, let stage):
                    (index.host(at: hop.host)?.interface ?? "", .uplink(from: from, stage: stage))
                }
            var result = words.hop(hop, interface: interface)
            result.probe = TraceProbe(
                place: place, packet: packet, vni: parties.vpc.vni, tag: VPCTag(of: StableHash.id(parties.vpc.name)))
            return result
        }
        return Trace.Way(kind: kind, hops: hops, outcome: outcome(way))
    }

    private func outcome(_ way: Underlay.Way) -> Trace.Outcome {
        guard let last = way.hops.last else { return Trace.Outcome(kind: .lost, host: parties.home.name) }
        let name = words.host(last.host)
        let names = words.names(last.host)
        switch last.decision.verdict {
        case .deliver(let ifindex):
            return Trace.Outcome(
                kind: .delivered, host: name, interface: names.interface(ifindex),
                endpoint: endpoint(behind: last.decision))
        case .answer:
            return Trace.Outcome(kind: .answered, host: name, interface: parties.from.interface)
        case .drop(let reason):
            var outcome = Trace.Outcome(kind: .dropped, host: name, reason: reason)
            (outcome.explanation, outcome.hint) = explain(reason, at: last)
            if case .port = last.place { outcome.isTold = reason.isTold }
            return outcome
        case .send(let next, _):
            return Trace.Outcome(
                kind: .lost, host: name, explanation: "no host of the topology has the address \(words.host(next))")
        case .pass:
            return Trace.Outcome(
                kind: .lost, host: name, explanation: "\(name) takes no Geneve on the port that it came to")
        }
    }

    private func endpoint(behind decision: Decision) -> String? {
        guard case .row(.endpoint(let key, _))? = decision.lookups.last else { return nil }
        return index.endpoint(key)?.name
    }

    // MARK: Why, and what to do

    typealias Explanation = (text: String?, hint: String?)

    private func explain(_ reason: DropReason, at hop: Underlay.Hop) -> Explanation {
        let vpc = parties.vpc
        switch reason {
        case .noEndpoint: return explainNobody()
        case .hostDown:
            let key = EndpointKey(vni: vpc.vni, address: packet.destination)
            guard let endpoint = index.endpoint(key), let home = index.host(endpoint.host) else { return (nil, nil) }
            return (
                "\(home.name), where \(endpoint.name) is, is down (\(home.at))",
                "take `state: down` off \(home.name) when it is back, or give the endpoint another host"
            )
        case .broadcast:
            return ("broadcast ends at the port: the overlay floods nothing", "send to the addresses of endpoints")
        case .multicast:
            return ("multicast ends at the port: the overlay floods nothing", "send to the addresses of endpoints")
        case .gateway:
            return (
                "\(packet.destination) is the gateway of \(parties.fromNetwork.name), which answers echo requests and nothing else",
                "there is no service behind a gateway: ask for an endpoint, or ping it"
            )
        case .timeExceeded:
            return (
                "the packet goes to another network with \(packet.hops) \(packet.hops == 1 ? "hop" : "hops") left, and that takes two",
                "send with a larger TTL"
            )
        case .tooBig:
            guard let config = lastConfig(hop.decision) else { return (nil, nil) }
            let fragments = packet.source.isIPv4 ? " (a packet without DF is sent in fragments)" : ""
            return (
                "\(packet.size) bytes do not fit: with Geneve the underlay's MTU of \(config.mtu) leaves \(config.usableMTU)\(fragments)",
                "give the endpoint's interface an MTU of \(config.usableMTU), or the underlay a larger one"
            )
        case .pending:
            return ("an interface does not exist yet", "make it, and `run` or the next `apply` attaches it")
        case .otherVPC:
            return (
                "\(words.host(hop.host)) knows VNI \(vpc.vni) as another VPC's than \(vpc.name)",
                "apply the commit on all hosts: one of them lags"
            )
        case .noVPC: return ("\(words.host(hop.host)) has no row for \(vpc.name) (VNI \(vpc.vni))", "apply the commit there")
        case .spoofedIP:
            return ("\(packet.source) is not the address of who sends from there", "apply the commit there, or look for who uses it")
        case .unknownPort: return ("no endpoint has that interface", "apply the commit there")
        case .foreignHost: return ("\(words.host(hop.host)) does not know who sent it as a host of the topology", "apply the commit there")
        case .notHere, .stage:
            return ("the tables of the hosts on the way are of different commits", "wait for `settle`, or apply the commit on all of them")
        case .malformed, .vlan, .ethertype, .spoofedMAC, .neighbor, .foreignSender, .geneveVersion, .geneveOption, .geneveProtocol,
            .geneveControl, .outerFragment, .outerChecksum, .noProgram, .internal, .congested, .endpointKind:
            return (nil, nil)
        }
    }

    /// Nobody has the destination: where it lies, and what lies there.
    private func explainNobody() -> Explanation {
        let (address, vpc) = (packet.destination, parties.vpc)
        let networks = (index.networksOfVPC[vpc.name] ?? []).map { index.topology.networks[$0] }
        guard let network = networks.first(where: { $0.cidrs.contains { $0.contains(address) } }) else {
            let cidrs = vpc.cidrs.map(\.description).joined(separator: ", ")
            guard vpc.cidrs.contains(where: { $0.contains(address) }) else {
                return ("\(address) is outside of \(vpc.name) (\(cidrs), \(vpc.at)), and nothing leaves a VPC", nil)
            }
            return ("no network of \(vpc.name) has \(address)", "add a Network with it to \(vpc.name) (\(vpc.at))")
        }
        if network.gateways.contains(address) {
            return (
                "\(address) is the gateway of \(network.name) (\(network.at)), which answers the endpoints of that network alone",
                "ping the gateway of \(parties.fromNetwork.name)"
            )
        }
        let reserved = network.cidrs.contains { $0.isIPv4 && !$0.isPointToPoint && ($0.first == address || $0.last == address) }
        if reserved { return ("\(address) is the network or the broadcast address of \(network.name) (\(network.at))", nil) }
        if parties.isOfOtherVPC {
            return ("no endpoint of \(network.name) has \(address)", "who shall reach one another must be in one VPC")
        }
        return ("no endpoint of \(network.name) has \(address)", "add it to the endpoints of \(network.name) (\(network.at))")
    }

    private func lastConfig(_ decision: Decision) -> ConfigRow? {
        guard case .row(.config(let row))? = decision.lookups.last else { return nil }
        return row
    }
}
