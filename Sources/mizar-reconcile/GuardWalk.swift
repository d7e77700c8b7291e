import Desired
import Planner
import Topology

/// The commits between what a host applied and a head, shown to the guards one by one. It may be left and gone on with.
final class GuardWalk {
    let line: CommitLine
    let head: Reconciliation.Desired
    /// As it was given; nil: nothing was applied.
    let applied: String?
    /// Commits that were judged.
    private(set) var position = 0
    private(set) var isBaseKnown = false

    private var gate = Gate()
    private var taken: Reconciliation.Desired?
    private var base: Topology?
    /// Whether the user allows all of it.
    private let allowsAll: Bool
    private var allowsDestroy: Bool

    /// - Parameter before: a walk that was not at its end when there was a newer head. What it has judged is not judged again.
    init(_ line: CommitLine, to head: Reconciliation.Desired, applied: String?, allowsDestroy: Bool, after before: GuardWalk?) {
        (self.line, self.head, self.applied) = (line, head, applied)
        (allowsAll, self.allowsDestroy) = (allowsDestroy, allowsDestroy)
        guard let before, before.applied == applied, before.allowsAll == allowsDestroy, before.line.start == line.start,
            line.commits.starts(with: before.line.commits.prefix(before.position))
        else { return }
        line.goOn(from: before.line)
        (position, isBaseKnown, gate) = (before.position, before.isBaseKnown, before.gate)
        (taken, base, self.allowsDestroy) = (before.taken, before.base, before.allowsDestroy)
    }

    /// What came of it, once it is at its end.
    var decision: Decision { Decision(taken: taken, base: base, refused: gate.refused) }

    /// - Returns: whether it has come to its end.
    func advance(until end: ContinuousClock.Instant) throws -> Bool {
        while position < line.commits.count {
            let commit = line.commits[position]
            try judge(commit)
            position += 1
            if line.isTooMuch {
                try line.shorten()
                (position, isBaseKnown, gate, taken, base, allowsDestroy) = (0, false, Gate(), nil, nil, allowsAll)
            }
            if position < line.commits.count, ContinuousClock.now > end { return false }
        }
        return true
    }

    private func judge(_ commit: String) throws {
        guard let topology = commit == head.commit ? head.topology : try line.topology(of: commit) else {
            // Nobody has applied it: the next one is compared with what was before, and does what this one did, too.
            allowsDestroy = try allowsDestroy || line.has(trailer: "Mizar-Allow", "destroy", commit)
            return
        }
        let isStep = line.start == .aside || line.start == .whole
        try gate.show(commit, Inventory(topology), as: isStep && position == 1 ? .trees : .commit) {
            try allowsDestroy || line.has(trailer: "Mizar-Allow", "destroy", commit)
        }
        allowsDestroy = allowsAll
        if commit == applied { (isBaseKnown, base) = (true, topology) }
        if gate.taken == commit {
            taken = commit == head.commit ? head : Reconciliation.Desired(topology: topology, commit: commit, warnings: [])
        }
    }
}
