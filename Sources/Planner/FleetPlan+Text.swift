import Topology

extension FleetPlan {
    /// What people changed, what stops, how many rows it takes on each host, and both counts; without a closing newline.
    public var text: String { text(isWhole: false) }

    /// - Parameter isWhole: every resource and every row has a line; else what is alike has one, and rows are counted.
    public func text(isWhole: Bool) -> String {
        var lines = refused?.textLines ?? []
        if comparison == .back { lines.append("Going back: \(backwards).") }
        lines += warnings.map { "Warning: \($0)".printable }
        if !lines.isEmpty { lines.append("") }
        guard !isEmpty else {
            lines.append("No changes. The fleet's \(unchanged.count) hosts match between \(commits).")
            return lines.joined(separator: "\n")
        }
        lines.append("Between \(commits), \(hosts.count) of \(hosts.count + unchanged.count) hosts change:")
        lines.append("")
        for section in topology.sections(isWhole: isWhole) {
            lines.append("\(section.title):".printable)
            lines += section.lines.map { "  \($0)".printable }
        }
        lines.append("")
        lines += stopLines(isWhole: isWhole)
        lines.append("")
        if isWhole {
            for host in hosts {
                lines.append("Host \(host.host) \(host.kind.rawValue): \(host.brief)\(host.waiting)")
                lines += host.rows.map { "  \($0.symbol) \($0.line)" }
                lines.append("")
            }
        } else if !hosts.isEmpty {
            lines.append("Rows by host (--rows shows each):")
            lines += hostLines.map { "  \($0)" }
            lines.append("")
        }
        lines.append(closing)
        return lines.joined(separator: "\n")
    }

    /// The lines that bots match: `Resources: …`, and below it `Plan: …`, which counts rows.
    public var closing: String { "Resources: \(topology.summary.counts).\n\(summary.text)" }

    /// Neither a resource nor a row differs.
    public var isEmpty: Bool { hosts.isEmpty && topology.isEmpty }

    private func stopLines(isWhole: Bool) -> [String] {
        let stops = topology.stops(isWhole: isWhole)
        if stops.isEmpty { return ["Nothing stops."] }
        return ["What stops, from when the first host takes the commit:"] + stops.map { "  \($0)".printable }
    }

    /// Hosts whose rows are as many and wait as long are one line.
    private var hostLines: [String] {
        var order: [String] = []
        var names: [String: [String]] = [:]
        for host in hosts {
            let brief = host.brief + host.waiting
            if names[brief] == nil { order.append(brief) }
            names[brief, default: []].append(host.host)
        }
        let shown = order.count > Self.hostLinesMost ? Self.hostLinesMost - 1 : order.count
        var lines = order.prefix(shown).map { "\(TopologyChange.short(names[$0] ?? [])): \($0)" }
        if shown < order.count {
            let rest = hosts.filter { !order.prefix(shown).contains($0.brief + $0.waiting) }
            let sum = rest.reduce(PlanSummary()) { $0 + $1.summary }
            lines.append("\(TopologyChange.count(rest.count, "more host")): \(sum.counts)")
        }
        return lines.map(\.printable)
    }

    private static let hostLinesMost = 8

    /// A comment for a pull request: a hidden marker by which it is found and updated, the summary, resources and what stops; hosts and
    /// rows folded. Cut where a comment's limit asks for it; the summary stays.
    public var markdown: String {
        var comment = Comment()
        comment.add("<!-- mizar-reconcile plan -->\n")
        comment.add(
            (isEmpty ? "**No changes.**" : "**Resources: \(topology.summary.counts).**\\\n**\(summary.text)**")
                + " \(hosts.count) of \(hosts.count + unchanged.count) hosts change between \(commits).\n")
        refused?.add(to: &comment)
        if comparison == .back { comment.addQuotes(["⚠ Going back: `\(backwards.codeText)`"]) }
        comment.addQuotes(warnings.map { "⚠ `\("\($0)".codeText)`" })
        if !isEmpty {
            comment.addBlock(
                topology.sections().flatMap { section in
                    ["# \(section.title.codeText)"]
                        + section.lines.map { line in
                            line.hasPrefix("~") ? "!\(String(line.dropFirst()).codeText)" : line.codeText
                        }
                })
            let stops = topology.stops()
            comment.addQuotes(
                stops.isEmpty
                    ? ["Nothing stops."] : ["What stops, from when the first host takes the commit:"] + stops.map { "⏸ `\($0.codeText)`" })
        }
        if !hosts.isEmpty {
            comment.addTable(
                title: "Rows by host",
                head: "| host | | add | change | destroy | |\n| --- | --- | ---: | ---: | ---: | --- |\n",
                hosts.map {
                    "| \($0.host) | \($0.kind.rawValue) | \($0.summary.add) | \($0.summary.change) | \($0.summary.destroy) | \($0.waiting.drop { $0 == ";" || $0 == " " }) |\n"
                })
        }
        for host in hosts { comment.addDetails("\(host.host): \(host.brief)", host.rows.map(\.diffLine)) }
        return comment.text
    }

    private var commits: String {
        func short(_ commit: String) -> String { commit.isEmpty ? "the folder" : String(commit.prefix(12)) }
        let after = comparison == .merge ? "what merging \(short(head)) into it will give" : short(head)
        return "\(short(base)) and \(after)"
    }

    private var backwards: String {
        "\(base.prefix(12)) comes after \(head.prefix(12)), so there is nothing to merge, and the two are compared as they are"
    }
}

extension FleetPlan.HostChanges {
    var brief: String { summary.counts }

    /// `; 3 wait 60s, 4 wait 120s`; empty if nothing waits.
    var waiting: String {
        waits.isEmpty
            ? ""
            : "; "
                + waits.map { "\($0.count) \($0.count == 1 ? "waits" : "wait") \(Setting.duration($0.milliseconds))" }.joined(
                    separator: ", ")
    }

    /// What is drawn: the addresses of one thing together.
    var rows: [StepLine] { StepLine.lines(of: steps) }
}

extension Plan {
    /// As `FleetPlan.markdown`, for one host.
    public var markdown: String {
        var comment = Comment()
        comment.add("<!-- mizar-reconcile plan \(host) -->\n**\(closing)**\n")
        refused?.add(to: &comment)
        comment.addQuotes(warnings.map { "⚠ `\("\($0)".codeText)`" })
        comment.addQuotes(
            pending.map { "Pending: `\("\($0.name) waits for interface \($0.interface) (\($0.at))".codeText)`" })
        if !changes.isEmpty { comment.addDetails(host, changes.map(\.diffLine)) }
        if let heading = waitingHeading {
            comment.addDetails(
                heading,
                waitingChanges.map { "\($0.step.diffLine)  [\($0.step.phase.rawValue), in \(Self.seconds($0.due))]" })
        }
        return comment.text
    }
}

extension Step {
    var diffLine: String { Self.diffLine(action, line) }

    /// A line that a `diff` block colours: `~` has no colour there, so a change is `!`.
    static func diffLine(_ action: Action, _ line: String) -> String {
        switch action {
        case .create: "+ \(line.codeText)"
        case .update: "! \(line.codeText)"
        case .delete: "- \(line.codeText)"
        }
    }
}
