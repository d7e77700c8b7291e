import Topology

extension FleetPlan {
    /// Summed up first, then by host and row, without a closing newline.
    public var text: String {
        var lines = warnings.map { "Warning: \($0)" }
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

    /// Characters that GitHub takes in one comment.
    static let commentLimit = 65_536

    /// A comment for a pull request: a hidden marker by which it is found and updated, the summary, details folded.
    /// Cut in the middle where a comment's limit asks for it; the summary stays.
    public var markdown: String {
        var head = "<!-- mizar-reconcile plan -->\n"
        head += hosts.isEmpty ? "**No changes.**" : "**\(summary.text)**"
        head += " \(hosts.count) of \(hosts.count + unchanged.count) hosts change between \(commits).\n"
        for warning in warnings { head += "\n> ⚠ \(warning)\n" }
        var rows = ""
        if !hosts.isEmpty {
            rows = "\n| host | | add | change | destroy |\n| --- | --- | ---: | ---: | ---: |\n"
            for host in hosts {
                rows += "| \(host.host) | \(host.kind.rawValue)"
                rows += " | \(host.summary.add) | \(host.summary.change) | \(host.summary.destroy) |\n"
            }
        }
        let notice = "\n_More than a comment holds: the rest is cut. `mizar-reconcile plan --base … --head …` prints all._\n"
        var budget = Self.commentLimit - head.unicodeScalars.count - notice.unicodeScalars.count
        guard rows.unicodeScalars.count <= budget else { return head + notice }
        budget -= rows.unicodeScalars.count
        var body = ""
        for host in hosts {
            var block = "\n<details><summary>\(host.host): \(host.brief)</summary>\n\n```diff\n"
            for step in host.steps { block += step.diffLine + "\n" }
            block += "```\n</details>\n"
            let size = block.unicodeScalars.count
            guard size <= budget else { return head + rows + body + notice }
            budget -= size
            body += block
        }
        return head + rows + body
    }

    private var commits: String {
        func short(_ commit: String) -> String { commit.isEmpty ? "the folder" : String(commit.prefix(12)) }
        return "\(short(base)) and \(short(head))"
    }
}

extension FleetPlan.HostChanges {
    var brief: String { "\(summary.add) to add, \(summary.change) to change, \(summary.destroy) to destroy" }
}

extension Plan {
    /// As `FleetPlan.markdown`, for one host.
    public var markdown: String {
        var result = "<!-- mizar-reconcile plan \(host) -->\n**\(closing)**\n"
        for warning in warnings { result += "\n> ⚠ \(warning)\n" }
        for item in pending { result += "\n> \(item.name) waits for interface \(item.interface) (\(item.at))\n" }
        guard !changes.isEmpty else { return result }
        var lines: [String] = []
        var budget = FleetPlan.commentLimit - result.unicodeScalars.count - 200
        for step in changes {
            let line = step.diffLine
            budget -= line.unicodeScalars.count + 1
            guard budget > 0 else {
                lines.append("  (\(changes.count - lines.count) more)")
                break
            }
            lines.append(line)
        }
        return result + "\n<details><summary>\(host)</summary>\n\n```diff\n" + lines.joined(separator: "\n") + "\n```\n</details>\n"
    }
}

extension Step {
    /// A line that a `diff` block colours: `~` has no colour there, so a change is `!`.
    ///
    /// A file's name is the author's choice and may hold anything: it must not end the block.
    var diffLine: String {
        let safe = String(line.map { $0 == "`" || $0.isNewline ? "'" : $0 })
        return switch action {
        case .create: "+ \(safe)"
        case .update: "! \(safe)"
        case .delete: "- \(safe)"
        }
    }
}
