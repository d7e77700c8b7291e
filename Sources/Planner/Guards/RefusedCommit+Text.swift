import Topology

extension RefusedCommit {
    /// One line without a full stop: who takes what away, beyond which bound.
    public var sentence: String {
        var parts: [String] = []
        if !shares.isEmpty {
            parts.append(
                "takes away \(shares.map(\.text).joined(separator: ", "))\(kind == .rows ? " that this host has rows of" : ""), and the guards of \(baseText) let "
                    + "\(guards.destroy)% or \(guards.least) go")
        }
        if !protected.isEmpty {
            parts.append(
                "removes or renames \(Self.short(protected, most: 5)), \(protected.count == 1 ? "which is" : "which are") protected "
                    + "in \(baseText)")
        }
        return "\(subject) \(parts.joined(separator: "; it "))".printable
    }

    /// How to let just this one pass, or to undo it, without a full stop.
    public var remedy: String {
        var ways: [String] = []
        let short = commit.prefix(12)
        if !shares.isEmpty {
            switch kind {
            case .commit:
                ways.append(
                    "to allow just this commit, give it the trailer “\(Self.trailer)” (git commit --amend --trailer "
                        + "\"\(Self.trailer)\"), or one host `apply --allow-destroy`; to undo it: git revert \(short)")
            case .merge:
                ways.append(
                    "to allow just this merge, give a commit of the branch, or the merge itself, the trailer “\(Self.trailer)” "
                        + "(git commit --amend --trailer \"\(Self.trailer)\")")
            case .trees:
                ways.append(
                    "to allow just this, say `apply --allow-destroy` on each host, or commit it as a change with the trailer "
                        + "“\(Self.trailer)”")
            case .rows: ways.append("to allow just this, say `apply --allow-destroy`")
            }
        }
        if !protected.isEmpty {
            let steps = kind == .merge ? "merges" : "commits"
            ways.append("what is protected goes in two \(steps): the first one removes `protect: true`, the second one the thing")
        }
        return ways.joined(separator: "; ")
    }

    /// The trailer that lets a commit pass, and those that merge it.
    public static let trailer = "Mizar-Allow: destroy"

    /// What would go, a line each; the rest as a number.
    public func lines(most: Int = 20) -> [String] {
        let all = hosts + protected + endpoints
        var lines = all.prefix(most).map { item in
            "  - \(item.text)\(item.at.map { "  (\($0))" } ?? "")".printable
        }
        if all.count > most { lines.append("  … and \(all.count - most) more") }
        return lines
    }

    private var subject: String {
        switch kind {
        case .commit: "commit \(commit.prefix(12))"
        case .merge: "merging \(commit.prefix(12)) into \(base.prefix(12))"
        case .trees: "going from \(base.prefix(12)) to \(commit.prefix(12))"
        case .rows: commit.isEmpty ? "the folder" : "commit \(commit.prefix(12))"
        }
    }

    private var baseText: String {
        switch kind {
        case .commit: "its parent \(base.prefix(12))"
        case .merge, .trees: "\(base.prefix(12))"
        case .rows: commit.isEmpty ? "the folder" : "the commit"
        }
    }

    private static func short(_ items: [Inventory.Item], most: Int) -> String {
        let names = items.prefix(most).map { item in item.text + (item.at.map { " (\($0))" } ?? "") }
        return names.joined(separator: ", ") + (items.count > most ? " and \(items.count - most) more" : "")
    }
}

extension RefusedCommit.Share {
    /// Such as `72 of 80 endpoints (90%)`.
    var text: String {
        let percent = total == 0 ? 0 : taken * 100 / total
        let what =
            switch scope {
            case .endpoints: "endpoints"
            case .tenant: "endpoints of tenant \(tenant ?? "")"
            case .hosts: "hosts"
            }
        return "\(taken) of \(total) \(what) (\(percent)%)"
    }
}

extension Inventory.Item {
    var text: String {
        switch kind {
        case .endpoint, .host, .tenant, .network, .cluster: "\(kind.rawValue) \(name)"
        case .vpc: "VPC \(name)"
        }
    }
}
