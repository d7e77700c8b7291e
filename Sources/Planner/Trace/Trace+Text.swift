import Topology

extension Trace {
    /// For people, without a closing newline: the packet, each way hop after hop, and where it ends.
    public var text: String {
        var lines = [head]
        lines += notes.map { "Note: \($0)" }
        for way in ways {
            lines += ["", heading(way)]
            for (number, hop) in way.hops.enumerated() { lines += Self.lines(hop, number + 1) }
            lines.append("   \(Self.closing(way.outcome))")
        }
        lines += liveLines
        lines += ["", closing]
        return lines.map(\.printable).joined(separator: "\n")
    }

    private var head: String {
        let ports = packet.sourcePort.map { ", port \($0) to \(packet.destinationPort ?? 0)" } ?? ""
        let label = packet.flowLabel.map { $0 == 0 ? "" : ", flow label \(Self.hex($0))" } ?? ""
        return "\(name(from)) to \(name(to)) in \(vpc) (VNI \(vni)): \(packet.name)\(ports)\(label), \(packet.size) bytes, "
            + "\(packet.hops) \(packet.hops == 1 ? "hop" : "hops"), flow \(Self.hex(packet.flow))"
    }

    private var liveLines: [String] {
        guard let live else { return [] }
        let commit = live.commit.map { $0.isEmpty ? "a folder" : "commit \($0.prefix(12))" } ?? "nothing"
        var lines = ["", "On \(live.host), live, with \(commit) applied:"]
        for (number, probe) in live.probes.enumerated() {
            lines += Self.lines(probe.rows, number + 1)
            if probe.rows.action.kind == .drop { lines.append("      -> \(Self.words(drop: probe.rows.action))") }
            lines.append("      program: \(Self.words(drop: probe.program))")
            if !probe.agrees { lines.append("   !! THE PROGRAM AND THE ROWS DISAGREE") }
            if !probe.commit.contains(probe.program) {
                lines.append("      by the commit: \(probe.commit.map(Self.words(drop:)).joined(separator: ", then "))")
            }
        }
        return lines
    }

    /// Drops have no line of their own here.
    private static func words(drop action: Action) -> String {
        switch action.kind {
        case .drop: "dropped: \(action.reason?.rawValue ?? "")"
        case .pass: "left to the stack"
        case .send, .deliver, .answer: words(action)
        }
    }

    private func name(_ party: Party) -> String { (party.endpoint.map { "\($0) " } ?? "") + "\(party.address)" }

    private func heading(_ way: Way) -> String {
        switch way.kind {
        case .tables:
            ways.count > 1 ? "First packet, by way of tables:" : "Every packet:"
        case .direct:
            way.outcome.kind == .dropped
                ? "Later packets, once it was answered that nobody has it:"
                : "Later packets, by the direct path, once its host has answered:"
        }
    }

    private static func lines(_ hop: Hop, _ number: Int) -> [String] {
        let stage = hop.stage.map { $0 == "plain" ? ", straight from its origin" : ", asked as \($0)" } ?? ""
        var lines = ["\(number > 9 ? "" : " ")\(number). \(hop.host) \(hop.address), \(hop.program.rawValue) \(hop.interface)\(stage)"]
        let width = hop.lookups.map(\.table.count).max() ?? 0
        for lookup in hop.lookups {
            let table = lookup.table + String(repeating: " ", count: width - lookup.table.count)
            let detail = lookup.detail.isEmpty ? "" : ": \(lookup.detail)"
            lines.append("      \(table)  \(lookup.subject)\(detail)\(lookup.source.map { "  (\($0))" } ?? "")")
        }
        if hop.candidates.count > 1 || hop.candidates.contains(where: \.isAvoided) {
            let scores = hop.candidates.map { "\($0.host) \(hex($0.score))\($0.isAvoided ? " (avoided)" : "")" }
            lines.append("      by the flow's highest score: \(scores.joined(separator: ", "))")
        }
        let next = words(hop.action)
        if !next.isEmpty { lines.append("      -> \(next)\(hop.action.spendsHop ? ", with one hop less: another network" : "")") }
        return lines
    }

    /// Empty where the way ends, which has a line of its own.
    private static func words(_ action: Action) -> String {
        switch action.kind {
        case .send:
            guard let stage = action.stage, stage != "plain" else { return "straight to \(action.host ?? "")" }
            return "to \(action.host ?? ""), asked as \(stage)"
        case .deliver: return "into \(action.interface ?? "")"
        case .answer: return "back out of \(action.interface ?? "")"
        case .drop, .pass: return ""
        }
    }

    private static func closing(_ outcome: Outcome) -> String {
        switch outcome.kind {
        case .delivered:
            return "=> delivered to \(outcome.endpoint.map { "\($0) on " } ?? "")\(outcome.interface ?? "") of \(outcome.host)"
        case .answered: return "=> answered by the gateway at \(outcome.host)"
        case .dropped:
            return "=> dropped at \(outcome.host): \(outcome.reason?.rawValue ?? "")"
                + (outcome.isTold ? " (the sender gets an ICMP error)" : "")
        case .lost: return "=> lost after \(outcome.host)"
        }
    }

    /// The line that says how it ends.
    public var closing: String {
        guard let outcome else { return "Nothing was traced." }
        switch outcome.kind {
        case .delivered:
            return "Delivered: \(outcome.endpoint ?? "\(to.address)") on \(outcome.host), interface \(outcome.interface ?? "")."
        case .answered: return "Answered: the gateway \(to.address), at \(outcome.host) itself."
        case .dropped, .lost:
            let word = outcome.kind == .lost ? "Lost" : "Dropped"
            let reason = outcome.reason.map { " (\($0.rawValue))" } ?? ""
            return "\(word) at \(outcome.host)\(reason)" + (outcome.explanation.map { ": \($0)" } ?? "")
                + (outcome.hint.map { "; \($0)" } ?? "") + "."
        }
    }

    static func hex(_ number: UInt32) -> String {
        "0x" + String(repeating: "0", count: 8 - String(number, radix: 16).count) + String(number, radix: 16)
    }
}
