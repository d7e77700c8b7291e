import Topology

/// Hops in the words that plans use, with the lines behind their rows.
struct TraceWords {
    let index: TopologyIndex
    let parties: TraceParties
    let packet: InnerPacket
    /// Of each host by index.
    let interfaces: [IPAddress: [UInt32: String]]
    /// Paths by stable id, of rows that the topology knows nothing of.
    var paths: [UInt64: String] = [:]

    func names(_ host: IPAddress) -> Names { Names(head: index, base: nil, interfaces: interfaces[host] ?? [:], paths: paths) }

    func host(_ address: IPAddress) -> String { index.host(at: address)?.name ?? "\(address)" }

    func way(_ way: Underlay.Way, _ kind: Trace.Way.Kind) -> Trace.Way {
        Trace.Way(kind: kind, hops: way.hops.map(hop), outcome: outcome(way))
    }

    // MARK: Hops

    func hop(_ hop: Underlay.Hop) -> Trace.Hop {
        let names = names(hop.host)
        let decision = hop.decision
        var result = Trace.Hop(
            host: host(hop.host), address: hop.host, program: .uplink, interface: "",
            lookups: decision.lookups.map { lookup($0, names) }, candidates: candidates(decision),
            action: action(hop, names))
        switch hop.place {
        case .port(let ifindex): (result.program, result.interface) = (.port, names.interface(ifindex))
        case .uplink(_, let stage):
            result.interface = index.host(at: hop.host)?.interface ?? ""
            result.stage = stage.description
        }
        return result
    }

    private func lookup(_ lookup: Decision.Lookup, _ names: Names) -> Trace.Lookup {
        switch lookup {
        case .row(let record):
            let (subject, at) = names.describe(record)
            return Trace.Lookup(
                table: record.table.rawValue, isFound: true, subject: subject, detail: names.detail(.row(before: nil, after: record)),
                source: at)
        case .learned(let key, let row):
            let endpoint = index.endpoint(key)
            return Trace.Lookup(
                table: Table.direct.rawValue, isFound: true,
                subject: endpoint.map { "endpoint \($0.name) \(key.address)" } ?? "address \(key.address)",
                detail: row.host.map { "on \(host($0)), as it has answered" }
                    ?? "nobody has it (\(row.nobody?.rawValue ?? "")), as was answered",
                source: endpoint?.at)
        case .missing(let table, let key):
            return Trace.Lookup(table: table.rawValue, isFound: false, subject: key, detail: "no row")
        }
    }

    private func candidates(_ decision: Decision) -> [Trace.Candidate] {
        (decision.choice?.candidates ?? []).map { candidate in
            Trace.Candidate(
                host: host(candidate.host), address: candidate.host, score: candidate.score,
                isAvoided: decision.choice?.avoided.contains(candidate.host) == true)
        }
    }

    private func action(_ hop: Underlay.Hop, _ names: Names) -> Trace.Action {
        let crosses = hop.decision.crosses
        switch hop.decision.verdict {
        case .deliver(let ifindex): return Trace.Action(kind: .deliver, interface: names.interface(ifindex), spendsHop: crosses)
        case .send(let next, let stage):
            return Trace.Action(kind: .send, host: host(next), stage: stage.description, spendsHop: crosses)
        case .answer:
            guard case .port(let ifindex) = hop.place else { return Trace.Action(kind: .answer) }
            return Trace.Action(kind: .answer, interface: names.interface(ifindex))
        case .drop(let reason): return Trace.Action(kind: .drop, reason: reason)
        case .pass: return Trace.Action(kind: .pass)
        }
    }

    // MARK: The end

    func outcome(_ way: Underlay.Way) -> Trace.Outcome {
        guard let last = way.hops.last else { return Trace.Outcome(kind: .lost, host: parties.home.name) }
        let name = host(last.host)
        let names = names(last.host)
        switch last.decision.verdict {
        case .deliver(let ifindex):
            return Trace.Outcome(
                kind: .delivered, host: name, interface: names.interface(ifindex),
                endpoint: endpoint(behind: last.decision, names))
        case .answer:
            return Trace.Outcome(kind: .answered, host: name, interface: parties.from.interface)
        case .drop(let reason):
            var outcome = Trace.Outcome(kind: .dropped, host: name, reason: reason)
            (outcome.explanation, outcome.hint) = explain(reason, at: last)
            if case .port = last.place { outcome.isTold = reason.isTold }
            return outcome
        case .send(let next, _):
            return Trace.Outcome(
                kind: .lost, host: name, explanation: "no host of the topology has the address \(host(next))")
        case .pass:
            return Trace.Outcome(
                kind: .lost, host: name, explanation: "\(name) takes no Geneve on the port that it came to")
        }
    }

    private func endpoint(behind decision: Decision, _ names: Names) -> String? {
        guard case .row(.endpoint(let key, _))? = decision.lookups.last else { return nil }
        return index.endpoint(key)?.name
    }
}
