import Applier
import Desired
import Logging
import Planner
import Topology

/// How much a commit may take away.
enum GuardMode {
    /// What the guards of the commit before it say, or its trailer.
    case on
    /// As much as it likes; what is protected stays.
    case destroyAllowed
    /// Whatever it likes: a lab goes back and forth as its user says.
    case off
}

/// What a host does about a commit: takes it, or an older one.
struct Decision {
    /// Nil: no commit that it may take can be read.
    var taken: Reconciliation.Desired?
    /// What the host applied last, as far as the repository still has it.
    var base: Topology?
    var refused: [RefusedCommit] = []
}

/// The last decision, what was said about it, and how far the next one has come: `run` asks for the same again and again.
final class DecisionMemory {
    fileprivate var last: (head: String, applied: String?, decision: Decision)?
    fileprivate var walk: GuardWalk?
    fileprivate var note = ""
}

/// A head that is not judged yet: there is more to read between it and what the host applied than one look takes in.
struct Unjudged: Error, CustomStringConvertible {
    let head: String
    let done: Int
    let commits: Int

    var description: String { "\(done) of the \(commits) commits up to \(head.prefix(12)) are judged by guards so far" }
}

extension Reconciliation {
    /// What this host does about `head`, from what it has applied.
    ///
    /// - Parameter end: when to stop, and throw `Unjudged`; the next call goes on from there. Nil: after the time that a fetch may take.
    @discardableResult
    func decide(_ head: Desired, _ image: Image, until end: ContinuousClock.Instant? = nil) throws -> Decision {
        let applied = image.applied?.commit
        if !head.commit.isEmpty, applied == head.commit {
            memory.last = nil
            return Decision(taken: head, base: head.topology)
        }
        if guards == .off { return Decision(taken: head, base: topology(of: applied)) }
        if head.commit.isEmpty {
            return compareRows(of: image, with: Decision(taken: head, base: topology(of: applied)), note: "a folder has no history")
        }
        if let last = memory.last, last.head == head.commit {
            if last.applied == applied { return last.decision }
            if let taken = last.decision.taken, taken.commit == applied {
                // It has come to what was decided; guards keep it from the rest as before.
                let decision = Decision(taken: taken, base: taken.topology, refused: last.decision.refused)
                memory.last = (head.commit, applied, decision)
                return decision
            }
        }
        let decision = try walk(to: head, image, until: end)
        memory.last = (head.commit, applied, decision)
        return decision
    }

    /// Commit by commit, from the one that was applied; goes on where the last walk to the same head ended.
    private func walk(to head: Desired, _ image: Image, until end: ContinuousClock.Instant?) throws -> Decision {
        // After a reboot the tables are empty, and the mirror is not.
        let (repo, path, cache) = (source.repo, source.revision.path, source.revision.cache)
        let applied =
            image.applied?.commit ?? host.names.lazy.compactMap { Mirror.applied(repo: repo, cache: cache, host: $0) }.first
        let walk: GuardWalk
        if let held = memory.walk, held.head.commit == head.commit, held.applied == applied {
            walk = held
        } else {
            let line = try CommitLine(
                repo: repo, path: path, cache: cache, from: applied.flatMap { $0.isEmpty ? nil : $0 }, to: head.commit,
                deadlineSeconds: source.revision.fetchTimeout)
            walk = GuardWalk(line, to: head, applied: applied, allowsDestroy: guards == .destroyAllowed, after: memory.walk)
            memory.walk = walk
        }
        let seconds = source.revision.fetchTimeout
        guard try walk.advance(until: end ?? ContinuousClock.now.advanced(by: .seconds(seconds))) else {
            if end == nil { throw DesiredError.tooSlow("judge", "the commits up to \(head.commit.prefix(12))", seconds: seconds) }
            throw Unjudged(head: head.commit, done: walk.position, commits: walk.line.commits.count)
        }
        memory.walk = nil
        var decision = walk.decision
        if image.applied == nil { decision.base = nil }
        let from = applied?.prefix(12) ?? ""
        switch walk.line.start {
        case .base where walk.isBaseKnown: return decision
        case .aside where walk.isBaseKnown:
            say(
                "commit \(from), which this host applied, is not among the first parents of \(head.commit.prefix(12)) (a branch "
                    + "was pushed in its place, or the history was rewritten, or goes back): guards compare with what was applied")
            return decision
        case .whole where walk.isBaseKnown:
            say(
                "the commits between \(from), which this host applied, and \(head.commit.prefix(12)) are too much to be read one by one: "
                    + "guards compare with what was applied")
            return decision
        case .base, .aside, .whole, .window:
            guard image.applied != nil else { return decision }
            let why = from.isEmpty ? "this host applied a folder" : "commit \(from), which this host applied, cannot be read"
            return compareRows(of: image, with: decision, note: why)
        }
    }

    /// The same of what this host has rows of, where no commit says what it has.
    private func compareRows(of image: Image, with decision: Decision, note: String) -> Decision {
        guard let desired = decision.taken, image.applied != nil else { return decision }
        say("\(note): guards compare with the rows of this host")
        let refusal = RefusedCommit.judge(
            .rows, from: Inventory(image, guards: desired.topology.cluster.guards), "", to: Inventory(desired.topology), desired.commit
        ) { guards == .destroyAllowed }
        guard let refusal else { return decision }
        var decision = decision
        decision.refused.append(refusal)
        decision.taken = nil
        return decision
    }

    /// What was compared, where that is not each commit with its parent: once.
    private func say(_ note: String) {
        if memory.note != note { logger.notice("\(note)") }
        memory.note = note
    }

    /// Nil if the repository does not have it any more, or it has errors.
    private func topology(of commit: String?) -> Topology? {
        guard let commit, !commit.isEmpty else { return nil }
        do {
            let tree = try Source.load(
                repo: source.repo, ref: commit, path: source.revision.path, cache: source.revision.cache, fetch: false,
                deadlineSeconds: source.revision.fetchTimeout)
            return TopologyReader.read(tree).topology
        } catch {
            logger.debug("the commit applied last cannot be read: \(error)")
            return nil
        }
    }
}

extension Refusal {
    /// Nothing can be applied at all.
    init(_ refused: [RefusedCommit]) {
        let sentences = Refusals(head: "", commits: refused).sentences
        self.init("refused: \(sentences.joined(separator: "; "))", hint: "the host stays as it is")
    }
}

extension Refusals {
    /// Said once the plan is printed or carried out.
    func complain(staysOn commit: String) {
        for sentence in sentences { Output.complain("error: refused: \(sentence)") }
        if !commit.isEmpty { Output.complain("error: the host stays on commit \(commit.prefix(12)), and is repaired to it") }
    }
}
