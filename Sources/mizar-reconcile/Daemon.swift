import Applier
import Desired
import Logging
import Planner
import Topology

/// The loop of `run`: survives every error, says each once, and goes on repairing what it can.
///
/// A round has two parts. *take* gets the newest commit; where that fails, the host stays on the one that it has. *repair* makes the
/// host match the commit that was taken last. Either is tried again soon after it has failed, by itself.
final class Daemon {
    /// Milliseconds from a repair to the next one that an event leads to.
    private static let spacing = (usual: 200, failed: 1000)
    /// How long guards judge commits before the host is looked at again.
    private static let slice = Duration.seconds(1)

    private let reconciliation: Reconciliation
    private let interval: Interval
    private let waiter: Waiter
    private let manager: ServiceManager
    private let logger: Logger
    /// Held between the rounds, too: whoever came in between would be undone by the next.
    private var lock: HostLock
    private var desired: Reconciliation.Desired?
    /// A newer commit, which guards have not judged to the end yet.
    private var unjudged: Reconciliation.Desired?
    /// The commit that has errors. Others read it in vain, too, so it is read once.
    private var wrong: InvalidTopology?
    private var troubles: Troubles
    private var report: RoundReport
    private var fights = Fights()
    /// When the host was repaired last, milliseconds of CLOCK_MONOTONIC.
    private var repaired = 0
    /// Whether this round had anything to say.
    private var hasSaid = false
    /// Whether guards refused what the last round was asked for.
    private var isRefused = false
    /// How often each part has failed in a row.
    private var (failedTakes, failedRepairs) = (0, 0)
    /// When the next commit is fetched, milliseconds of CLOCK_MONOTONIC; kept over other events, so that a flapping interface
    /// cannot put it off.
    private var fetchTime = 0

    init(reconciliation: Reconciliation, interval: Interval) throws {
        self.reconciliation = reconciliation
        self.interval = interval
        logger = reconciliation.logger
        troubles = Troubles(logger: logger)
        report = RoundReport(logger: logger)
        lock = try reconciliation.lock()
        waiter = try Waiter()
        manager = ServiceManager(longest: reconciliation.source.revision.fetchTimeout * 1000, logger: logger)
    }

    func run() throws {
        logger.info("reconciling host \(reconciliation.host.names.first ?? "") every \(interval)")
        var mayTake = true
        var (isReady, isAsked) = (false, false)
        while true {
            if mayTake || (desired == nil && unjudged == nil) {
                try take()
            } else if let unjudged {
                try take(judging: unjudged)
            }
            hasSaid = false
            let soonest = repair()
            // Whoever asked for it by SIGHUP waits for a word.
            if !isReady, isAsked, !hasSaid, troubles.first == nil { logger.info("looked, as asked: nothing to change") }
            isAsked = false
            let (outcome, text) = troubles.outcome
            reconciliation.note(Round(outcome, commit: wrong?.commit ?? unjudged?.commit ?? desired?.commit ?? "", text: text))
            let status = report.status(trouble: troubles.first)
            if isReady { manager.status(status) } else { manager.ready(status) }
            isReady = true
            let next = unjudged == nil ? min(fetchTime, soonest ?? Int.max) : 0
            let event = waiter.wait(until: next, pulse: manager.watchdog.map { $0 / 4 }, manager.isAlive)
            switch event {
            case .stop:
                manager.stopping()
                logger.info("stopped; the data plane goes on")
                if isRefused { throw Exit.refused }
                return
            case .hangup:
                manager.reloading()
                fights.forget()
                (mayTake, isReady, isAsked) = (true, false, true)
            case .links:
                mayTake = false
                // Whoever undoes what we do, and what we do in vain, must not keep the host busy.
                waiter.pause(until: repaired + (failedRepairs > 0 ? Self.spacing.failed : Self.spacing.usual))
            case .time: mayTake = Waiter.now() >= fetchTime
            }
        }
    }

    // MARK: The parts of a round

    /// Gets the newest commit, or keeps the one that the host has: in memory, or else in the repository or its mirror.
    ///
    /// - Parameter held: a newest commit that is fetched and read already.
    /// - Throws: `UnknownHost` if no commit names this host, neither now nor when it was applied last.
    private func take(judging held: Reconciliation.Desired? = nil) throws {
        var read: Reconciliation.Desired?
        do {
            let newest = try waiter.endingAtSignals(logger) {
                let newest = try held ?? reconciliation.newest(keeping: unjudged ?? desired, wrong: wrong)
                read = newest
                if newest.commit != desired?.commit || newest.commit.isEmpty {
                    try reconciliation.judge(newest, until: .now.advanced(by: Self.slice))
                }
                return newest
            }
            unjudged = nil
            wrong = nil
            troubles.over(.fetching)
            try reconciliation.recognize(newest)
            desired = newest
            troubles.over(.reading)
            failedTakes = 0
        } catch let error as Unjudged {
            if unjudged == nil { logger.info("\(error); the host is repaired meanwhile") }
            unjudged = read
            if desired == nil { desired = reconciliation.lastApplied() }
        } catch {
            failedTakes += 1
            unjudged = nil
            if desired == nil { desired = reconciliation.lastApplied() }
            if error is UnknownHost, desired == nil { throw error }
            let held = desired.map { $0.commit.isEmpty ? "what was read before" : "commit \($0.commit)" }
            let hint = "; the host stays as it is" + (held.map { ", and is repaired to \($0)" } ?? "")
            switch error {
            case let invalid as InvalidTopology:
                wrong = invalid
                troubles.over(.fetching)
                let commit = invalid.commit.isEmpty ? "" : " of commit \(invalid.commit.prefix(12))"
                troubles.found(.reading, "\(invalid)\(commit)\(hint)") { Output.complain(invalid.diagnostics) }
            case is UnknownHost: troubles.found(.reading, "\(error)\(hint)")
            default: troubles.found(.fetching, "\(error)\(hint)")
            }
        }
        manager.isAlive()
        if held == nil || failedTakes > 0 { fetchTime = Waiter.now() + pause(after: failedTakes) }
    }

    /// Makes the host match the commit that was taken last.
    ///
    /// - Returns: when the next step is due, or a failed round tried again, milliseconds of CLOCK_MONOTONIC; nil: nothing waits.
    private func repair() -> Int? {
        guard let desired else { return nil }
        defer { repaired = Waiter.now() }
        var subject = Troubles.Subject.identity
        do {
            try reconciliation.check(desired)
            troubles.over(subject)
            subject = .lock
            try lock.renew()
            troubles.over(subject)
            subject = .applying
            let contested = fights.contested(at: Waiter.now())
            let result = try reconciliation.reconcile(
                desired, lock: lock, through: nil, leavingOut: { contested.contains(Fights.Thing($0)) }, progress: manager.isAlive
            ) { [manager] _ in manager.isAlive() }
            fights.add(result.done, of: desired.commit, at: Waiter.now())
            if report.add(result) { hasSaid = true }
            report(contested: result.outcome.contested)
            if !result.outcome.failures.isEmpty {
                let failures = result.outcome.failures.map { "\($0.step.subject): \($0.error)" }
                let left = result.outcome.leftOut.filter { !$0.isBookkeeping }.map(\.subject)
                let hint = left.isEmpty ? "the next round goes on from there" : "without it are left out: \(left.joined(separator: ", "))"
                throw Failure(failures.joined(separator: "; "), hint: hint)
            }
            troubles.over(subject)
            troubles.found(warnings: result.plan.warnings.map(\.description))
            report(result.plan.refused, staysOn: result.plan.commit)
            if let forgotten = result.forgotten {
                troubles.found(.remembering, "the mirror does not remember the applied commit: \(forgotten)")
            } else {
                troubles.over(.remembering)
            }
            failedRepairs = 0
            let due = result.plan.waiting.first.map { Waiter.now() + Int($0.due / 1_000_000) + 1 }
            return [due, fights.next].compactMap(\.self).min()
        } catch {
            failedRepairs += 1
            isRefused = error is Refusal
            troubles.found(subject, "\(error)") {
                if let broken = error as? BrokenPlan { for line in broken.violations { Output.complain("error: \(line)") } }
            }
            return Waiter.now() + pause(after: failedRepairs)
        }
    }

    /// Says once who is fought with, as far as it can be seen.
    private func report(contested steps: [Step]) {
        guard !steps.isEmpty else { return troubles.over(.fighting) }
        let words = steps.map { step in
            var there: String?
            if case .attach(let attachment, _) = step.change { there = (try? KernelStore.rivals(at: attachment)).flatMap(\.self) }
            return step.subject + (there.map { " (there are: \($0))" } ?? "")
        }
        troubles.found(
            .fighting,
            "somebody on this host takes away again and again: \(words.joined(separator: "; ")). It was put back three times in ten "
                + "minutes and is left alone for the rest of them; a new commit, SIGHUP or `apply` puts it back at once")
    }

    private func report(_ refused: Refusals?, staysOn commit: String) {
        if let refused {
            let sentences = refused.sentences.joined(separator: "; ")
            troubles.found(.guards, "refused: \(sentences); the host stays on commit \(commit.prefix(12)), and is repaired to it")
        } else {
            if isRefused { logger.info("guards let commit \(commit.prefix(12)) pass") }
            troubles.over(.guards)
        }
        isRefused = refused != nil
    }

    /// Milliseconds until the next try: the interval, and after failures 1, 2, 4 … s, but no longer than that.
    private func pause(after failures: Int) -> Int {
        let pause = failures == 0 ? interval.milliseconds : min(interval.milliseconds, 1000 << min(failures - 1, 20))
        // A tenth of jitter, so that a fleet does not ask all at once.
        return pause + Int.random(in: 0...max(1, pause / 10))
    }
}
