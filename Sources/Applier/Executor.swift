public import Planner

/// What came of a plan. Bookkeeping is not counted.
public struct ApplyOutcome: Sendable {
    public var added = 0
    public var changed = 0
    public var destroyed = 0
    /// The step that could not be done; those after it were not tried.
    public var failed: (step: Step, error: BPFError)?
    /// Steps that could not be done while the rest went on.
    public var failedAlone: [(step: Step, error: BPFError)] = []
    /// Steps that needed one of those, and were not tried.
    public var leftOut: [Step] = []
    /// Steps that the caller wanted left out, and that were not tried.
    public var contested: [Step] = []
    /// How the uplink is attached after its driver refused what the plan asked for.
    public var fellBack: DatapathRow?

    /// Whether every step was done.
    public var isWhole: Bool { failed == nil && failedAlone.isEmpty && contested.isEmpty }

    /// All failed steps, in the order of the plan.
    public var failures: [(step: Step, error: BPFError)] { failedAlone + (failed.map { [$0] } ?? []) }

    /// Whether nothing was done that counts.
    public var isEmpty: Bool { added + changed + destroyed == 0 }

    public init() {}

    mutating func count(_ step: Step) {
        guard !step.isBookkeeping else { return }
        switch step.action {
        case .create: added += 1
        case .update: changed += 1
        case .delete: destroyed += 1
        }
    }
}

/// Carries out a plan, step after step. It makes no choice.
public enum Executor {
    /// Beyond this a bigger batch gains nothing.
    public static let batchSize = 256

    /// Does the steps of the plan up to the first that fails and may not fail alone. Of one that may, what needs it is left out.
    ///
    /// - Parameters:
    ///   - progress: called after each step that was done.
    ///   - isContested: whether a step is left out, like those that need it.
    public static func apply(
        _ plan: Plan, to store: some MapStore, progress: (Step) -> Void = { _ in },
        leavingOut isContested: (Step) -> Bool = { _ in false }
    ) -> ApplyOutcome {
        var outcome = ApplyOutcome()
        var steps = plan.steps
        var missing: Set<Brought> = []
        var start = 0
        outcome.contested = steps.filter(isContested)
        missing.formUnion(outcome.contested.compactMap(\.brings))
        if !outcome.contested.isEmpty { steps.removeAll(where: isContested) }
        while start < steps.count {
            let last = end(of: steps, from: start)
            if !missing.isEmpty {
                // Those that need what is missing go to the front of the batch, and are passed over.
                let batch = steps[start..<last]
                let left = batch.filter { !missing.isDisjoint(with: $0.needs) }
                if !left.isEmpty {
                    outcome.leftOut += left
                    missing.formUnion(left.compactMap(\.brings))
                    steps.replaceSubrange(start..<last, with: left + batch.filter { missing.isDisjoint(with: $0.needs) })
                    start += left.count
                    continue
                }
            }
            let batch = steps[start..<last]
            do throws(BPFError) {
                let fallback = try store.perform(batch)
                for step in batch {
                    outcome.count(step)
                    progress(step)
                }
                start = batch.endIndex
                if let fallback {
                    outcome.fellBack = fallback
                    replaceDatapath(in: &steps, from: start, with: fallback)
                }
            } catch {
                let done = batch.prefix(error.completed)
                for step in done {
                    outcome.count(step)
                    progress(step)
                }
                if batch.count == 1, let step = batch.first, step.mayFailAlone {
                    outcome.failedAlone.append((step, error))
                    if let brought = step.brings { missing.insert(brought) }
                    start = batch.endIndex
                    continue
                }
                // The store may have done them all and failed after; the last step is then the one to name.
                outcome.failed = (batch[min(done.endIndex, batch.endIndex - 1)], error)
                return outcome
            }
        }
        return outcome
    }

    /// The end of the batch that begins at `start`: rows of one table and one action, or a single step.
    static func end(of steps: [Step], from start: Int) -> Int {
        guard let first = steps[start].batchKey else { return start + 1 }
        var end = start + 1
        while end < steps.count, end - start < batchSize, steps[end].batchKey == first { end += 1 }
        return end
    }

    private static func replaceDatapath(in steps: inout [Step], from start: Int, with row: DatapathRow) {
        for index in start..<steps.count {
            guard case .row(let before, .datapath) = steps[index].change else { continue }
            steps[index].change = .row(before: before, after: .datapath(row))
            return
        }
    }
}

/// What rows must share to be written in one call.
struct BatchKey: Hashable {
    var table: Table
    var action: Step.Action
}

extension Step {
    var batchKey: BatchKey? {
        guard case .row(let before, let after) = change, let record = after ?? before else { return nil }
        return BatchKey(table: record.table, action: action)
    }
}
