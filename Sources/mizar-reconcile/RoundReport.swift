import Applier
import Logging
import Planner

/// What `run` says of the rounds that work: a line for each commit taken, and one for each round that did something.
struct RoundReport {
    /// More names are counted and not listed: a line stays one that a journal takes.
    private static let mostNames = 50

    private let logger: Logger
    private var last: Plan?

    init(logger: Logger) { self.logger = logger }

    /// - Returns: whether there was anything to say.
    @discardableResult
    mutating func add(_ result: Reconciliation.Result) -> Bool {
        let (plan, outcome) = (result.plan, result.outcome)
        let isWhole = outcome.isWhole
        let isTaken = isWhole && last?.commit != plan.commit
        let pending = plan.pending.map(\.name)
        // An interface that goes takes its endpoint's traffic along.
        for lost in plan.pending where result.ports.detached.contains(lost.name) {
            logger.warning("interface \(lost.interface) of endpoint \(lost.name) has gone; the endpoint waits for it")
        }
        let isNew = isTaken || !outcome.isEmpty || (isWhole && last?.pending != plan.pending)
        if isWhole { last = plan }
        guard isNew else { return false }
        var metadata: Logger.Metadata = [
            "added": .stringConvertible(outcome.added), "changed": .stringConvertible(outcome.changed),
            "destroyed": .stringConvertible(outcome.destroyed), "waiting": .stringConvertible(plan.waitingChanges.count),
        ]
        if !plan.commit.isEmpty { metadata["commit"] = "\(plan.commit)" }
        for (key, names) in [("attached", result.ports.attached), ("detached", result.ports.detached), ("pending", pending)] {
            metadata[key] = .array(names.prefix(Self.mostNames).map { "\($0)" })
            if names.count > Self.mostNames { metadata["\(key)_more"] = .stringConvertible(names.count - Self.mostNames) }
        }
        let verb = isTaken ? "took" : isWhole ? "applied" : "applied a part of"
        logger.info("\(verb) \(plan.commit.isEmpty ? "the folder" : "commit \(plan.commit.prefix(12))")", metadata: metadata)
        return true
    }

    /// For a service manager, on one line.
    func status(trouble: String?) -> String {
        guard let last else { return trouble ?? "nothing is applied yet" }
        let waiting = last.waitingChanges.count
        return (last.commit.isEmpty ? "a folder applied" : "commit \(last.commit.prefix(12)) applied")
            + (waiting == 0 ? "" : ", \(waiting) \(waiting == 1 ? "change waits" : "changes wait")")
            + (last.pending.isEmpty ? "" : ", \(last.pending.count) pending") + (trouble.map { "; \($0)" } ?? "")
    }
}
