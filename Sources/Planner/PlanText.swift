import Topology

/// Counts of a plan in Terraform's words.
public struct PlanSummary: Hashable, Sendable, Codable {
    public var add = 0
    public var change = 0
    public var destroy = 0

    public init() {}

    public init(_ steps: some Sequence<Step>) {
        for step in steps where !step.isBookkeeping {
            switch step.action {
            case .create: add += 1
            case .update: change += 1
            case .delete: destroy += 1
            }
        }
    }

    public var isEmpty: Bool { add == 0 && change == 0 && destroy == 0 }

    /// `Plan: A to add, C to change, D to destroy.`
    public var text: String { "Plan: \(counts)." }

    /// `A to add, C to change, D to destroy`.
    var counts: String { "\(add) to add, \(change) to change, \(destroy) to destroy" }

    public static func + (left: Self, right: Self) -> Self {
        var sum = Self()
        sum.add = left.add + right.add
        sum.change = left.change + right.change
        sum.destroy = left.destroy + right.destroy
        return sum
    }
}

extension Plan {
    public var summary: PlanSummary { PlanSummary(steps) }

    /// The plan as text, without a closing newline: warnings, pending, the steps, what waits, and Terraform's closing line.
    public var text: String {
        var lines = refused?.textLines ?? []
        lines += warnings.map { "Warning: \($0)".printable }
        for item in pending {
            lines.append("Pending: \(item.name) waits for interface \(item.interface) (\(item.at))".printable)
        }
        if !lines.isEmpty { lines.append("") }
        if !summary.isEmpty {
            lines.append("Host \(host) will go to \(commit.isEmpty ? "the folder as it stands" : "commit \(commit.prefix(12))"):")
            lines.append("")
            for step in changes { lines += step.textLines }
        }
        let waits = waitingLines
        lines += waits
        if !waits.isEmpty { lines.append("") }
        lines.append(closing)
        return lines.joined(separator: "\n")
    }

    /// The line that bots match.
    public var closing: String {
        if !summary.isEmpty { return summary.text }
        let count = waitingChanges.count
        if count == 0 { return "No changes. Host \(host) matches the topology." }
        return "No changes. \(count) \(count == 1 ? "waits" : "wait") until every host has seen the commit."
    }

    /// Waiting steps that a user counts.
    public var waitingChanges: [Waiting] { waiting.filter { !$0.step.isBookkeeping } }

    private var waitingLines: [String] {
        guard let heading = waitingHeading else { return [] }
        return [heading + ":"]
            + waitingChanges.map {
                "    \($0.step.symbol) \($0.step.line)  [\($0.step.phase.rawValue), in \(Self.seconds($0.due))]"
            }
    }

    /// In the words of `status`.
    var waitingHeading: String? { WaitingChanges(waiting, now: 0).text }

    static func seconds(_ nanoseconds: UInt64) -> String { "\((nanoseconds + 999_999_999) / 1_000_000_000) s" }
}

extension Step.Action {
    /// `+`, `~` or `-`.
    var symbol: String {
        switch self {
        case .create: "+"
        case .update: "~"
        case .delete: "-"
        }
    }
}

extension Step {
    var symbol: String { action.symbol }

    /// `endpoint acme/prod/web/web-1 10.0.1.10: on h2  (web.yaml:12:3)`.
    var line: String {
        (subject + (detail.isEmpty ? "" : ": \(detail)") + (at.map { "  (\($0))" } ?? "")).printable
    }

    var textLines: [String] {
        let verb =
            switch action {
            case .create: "created"
            case .update: "updated in-place"
            case .delete: "destroyed"
            }
        return ["  # \(subject) will be \(verb)", "  \(symbol) \(line)", ""]
    }
}
