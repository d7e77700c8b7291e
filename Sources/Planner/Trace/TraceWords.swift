import Topology

/// Hops in the words that plans use, with the lines behind their rows.
struct TraceWords {
    let index: TopologyIndex
    /// Of each host by index.
    let interfaces: [IPAddress: [UInt32: String]]
    /// Paths by stable id, of rows that the topology knows nothing of.
    var paths: [UInt64: String] = [:]

    func names(_ host: IPAddress) -> Names { Names(head: index, base: nil, interfaces: interfaces[host] ?? [:], paths: paths) }

    func host(_ address: IPAddress) -> String { index.host(at: address)?.name ?? "\(address)" }

    // MARK: Hops

    /// - Parameter interface: where the packet comes in.
    func hop(_ hop: Underlay.Hop, interface: String) -> Trace.Hop {
        let names = names(hop.host)
        var result = Trace.Hop(
            host: host(hop.host), address: hop.host, program: .port, interface: interface,
            lookups: hop.decision.lookups.map { lookup($0, names) }, candidates: candidates(hop.decision), action: action(hop))
        if case .uplink(_, let stage) = hop.place { (result.program, result.stage) = (.uplink, stage.description) }
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

    func action(_ hop: Underlay.Hop) -> Trace.Action {
        let names = names(hop.host)
        let crosses = hop.decision.spendsHop
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
}
