import Desired
import Planner
import Topology

extension PlanCommand {
    /// What every host would change, by two commits alone.
    func runFleet() throws {
        let (base, head, exact) = commits
        let change = try Source.change(
            repo: source.repo, base: base, head: head, exact: exact, path: source.revision.path, cache: source.revision.cache,
            deadlineSeconds: source.revision.fetchTimeout)
        try refuse(change.conflicts, "conflict", change)
        let before = try applied(change.before)
        let result = TopologyReader.read(change.after)
        guard let after = result.topology else {
            return try refuse(result.diagnostics, "error", change)
        }
        var plan = FleetPlan(
            base: before.topology, baseCommit: before.commit, head: after, headCommit: change.after.commit,
            comparison: change.comparison, warnings: result.diagnostics)
        plan.refused = try judge(before, after, change)
        let json = try Output.json(plan)
        if let out { try Output.save(json + "\n", to: out) }
        switch output.format {
        case .json: try Output.print(json)
        case .markdown: try Output.print(plan.markdown)
        case .text: try Output.print(output.quiet ? plan.summary.text : plan.text(isWhole: rows))
        }
        if let refused = plan.refused {
            refused.complain(staysOn: "")
            throw Exit.refused
        }
        if detailedExitcode, !plan.isEmpty { throw Exit.changesFound }
    }

    /// As the options name them; nil: HEAD.
    private var commits: (base: String, head: String?, exact: Bool) {
        guard let range, let dots = range.firstRange(of: "...") ?? range.firstRange(of: "..") else {
            return (base ?? "HEAD", head ?? source.revision.ref, exact)
        }
        let (left, right) = (String(range[..<dots.lowerBound]), String(range[dots.upperBound...]))
        let isExact = exact || range[dots].count == 2
        return (left.isEmpty ? "HEAD" : left, right.isEmpty ? nil : right, isExact)
    }

    /// What hosts are on: the base, or if that has errors, the newest of its first parents that has none. Else nobody could plan
    /// the commit that mends it.
    private func applied(_ base: SourceTree) throws -> Reconciliation.Desired {
        let result = TopologyReader.read(base)
        if let topology = result.topology {
            return Reconciliation.Desired(topology: topology, commit: base.commit, warnings: result.diagnostics)
        }
        let line = try CommitLine(
            repo: source.repo, path: source.revision.path, cache: source.revision.cache, from: nil, to: base.commit,
            deadlineSeconds: source.revision.fetchTimeout)
        for commit in line.commits.dropLast().reversed() where !line.isTooMuch {
            guard let topology = try line.topology(of: commit) else { continue }
            Output.complain(
                "warning: commit \(base.commit.prefix(12)), the base, has errors, so no host has applied it; the plan begins at "
                    + "\(commit.prefix(12)), the newest commit before it without errors")
            return Reconciliation.Desired(topology: topology, commit: commit, warnings: [])
        }
        return try Reconciliation.read(base)
    }

    /// What guards will say once the head is merged, or of going from one to the other.
    private func judge(_ before: Reconciliation.Desired, _ after: Topology, _ change: ChangeSet) throws -> Refusals? {
        let (base, head) = (before.commit, change.after.commit)
        let kind: RefusedCommit.Kind = change.kind == .merge ? .merge : .trees
        let refusal = try RefusedCommit.judge(kind, from: Inventory(before.topology), base, to: Inventory(after), head) {
            try Source.has(
                trailer: "Mizar-Allow", "destroy", repo: source.repo, cache: source.revision.cache, after: base, upTo: head)
        }
        return refusal.map { Refusals(head: head, commits: [$0]) }
    }

    /// Ends the command if there is an error among the findings, in the form that was asked for.
    private func refuse(_ findings: [Diagnostic], _ word: String, _ change: ChangeSet) throws {
        let count = findings.count { $0.severity == .error }
        guard count > 0 else { return }
        let (base, head) = (change.before.commit.prefix(12), change.after.commit.prefix(12))
        let place = change.kind == .merge ? "what merging \(head) into \(base) gives" : "commit \(head)"
        let closing = "\(count) \(word)\(count == 1 ? "" : "s") in \(place)"
        Output.complain(findings)
        Output.complain("error: \(closing); there is no plan")
        if output.format == .markdown {
            var comment = Comment()
            comment.add("<!-- mizar-reconcile plan -->\n**\(closing).**\n")
            comment.addQuotes(findings.map { "\($0.severity == .error ? "✖" : "⚠") `\($0.description.codeText)`" })
            try Output.print(comment.text)
        }
        throw Exit.error
    }
}

extension ChangeSet {
    fileprivate var comparison: FleetPlan.Comparison {
        switch kind {
        case .merge: .merge
        case .back: .back
        case .trees: .trees
        }
    }
}
