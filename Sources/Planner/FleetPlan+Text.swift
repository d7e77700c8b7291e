import Topology

extension FleetPlan {
    /// Summed up first, then by host and row, without a closing newline.
    public var text: String {
        var lines = refused?.textLines ?? []
        if comparison == .back { lines.append("Going back: \(backwards).") }
        lines += warnings.map { "Warning: \($0)".printable }
        if !lines.isEmpty { lines.append("") }
        guard !hosts.isEmpty else {
            lines.append("No changes. The fleet's \(unchanged.count) hosts match between \(commits).")
            return lines.joined(separator: "\n")
        }
        lines.append("Between \(commits), \(hosts.count) of \(hosts.count + unchanged.count) hosts change:")
        for host in hosts { lines.append("  \(host.host): \(host.brief)") }
        lines.append("")
        for host in hosts {
            lines.append("Host \(host.host) \(host.kind.rawValue):")
            lines.append("")
            for step in host.steps { lines += step.textLines }
        }
        lines.append(summary.text)
        return lines.joined(separator: "\n")
    }

    /// A comment for a pull request: a hidden marker by which it is found and updated, the summary, details folded.
    /// Cut where a comment's limit asks for it; the summary stays.
    public var markdown: String {
        var comment = Comment()
        comment.add("<!-- mizar-reconcile plan -->\n")
        comment.add(
            (hosts.isEmpty ? "**No changes.**" : "**\(summary.text)**")
                + " \(hosts.count) of \(hosts.count + unchanged.count) hosts change between \(commits).\n")
        refused?.add(to: &comment)
        if comparison == .back { comment.addQuotes(["⚠ Going back: `\(backwards.codeText)`"]) }
        comment.addQuotes(warnings.map { "⚠ `\("\($0)".codeText)`" })
        if !hosts.isEmpty {
            comment.addTable(
                head: "| host | | add | change | destroy |\n| --- | --- | ---: | ---: | ---: |\n",
                hosts.map {
                    "| \($0.host) | \($0.kind.rawValue) | \($0.summary.add) | \($0.summary.change) | \($0.summary.destroy) |\n"
                })
        }
        for host in hosts { comment.addDetails("\(host.host): \(host.brief)", host.steps.map(\.diffLine)) }
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
    var brief: String { "\(summary.add) to add, \(summary.change) to change, \(summary.destroy) to destroy" }
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
    /// A line that a `diff` block colours: `~` has no colour there, so a change is `!`.
    var diffLine: String {
        switch action {
        case .create: "+ \(line.codeText)"
        case .update: "! \(line.codeText)"
        case .delete: "- \(line.codeText)"
        }
    }
}
