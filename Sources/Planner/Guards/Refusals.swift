import Topology

/// Why a plan does not lead where it was asked to lead.
public struct Refusals: Hashable, Sendable, Codable {
    /// The commit that was asked for; empty: a plain folder.
    public var head: String
    /// What keeps the plan from it, oldest first.
    public var commits: [RefusedCommit]
    /// What going there would have changed, in rows; nil: nobody can tell, or it is the plan itself that is refused.
    public var summary: PlanSummary?

    public init(head: String, commits: [RefusedCommit], summary: PlanSummary? = nil) {
        self.head = head
        self.commits = commits
        self.summary = summary
    }

    /// One line a refusal, without a full stop: what is refused, and how to let it pass.
    public var sentences: [String] { commits.map { "\($0.sentence); \($0.remedy)" } }

    /// Before all else of a plan's text.
    var textLines: [String] {
        var lines: [String] = []
        for commit in commits {
            lines.append("Refused: \(commit.sentence):")
            lines += commit.lines()
            lines.append("\(commit.remedy.prefix(1).uppercased())\(commit.remedy.dropFirst()).")
        }
        if let summary {
            let words = "\(summary.add) to add, \(summary.change) to change, \(summary.destroy) to destroy"
            lines.append("Here, going to \(head.isEmpty ? "the folder" : "\(head.prefix(12))") would make: \(words).")
        }
        return lines
    }

    /// To a comment: quotes, and a folded list of what would go.
    func add(to comment: inout Comment) {
        for commit in commits {
            comment.addQuotes(["✖ Refused: `\(commit.sentence.codeText)`", "`\(commit.remedy.codeText)`"])
            comment.addDetails("What would go", commit.lines(most: 200).map { String($0.codeText.drop { $0 == " " }) })
        }
    }
}
