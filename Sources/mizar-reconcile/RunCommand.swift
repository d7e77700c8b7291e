import Applier
import ArgumentParser
import Desired
import Glibc
import Logging
import Planner
import Topology

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Reconcile again and again: fetch, apply, repair drift, attach interfaces as they appear.",
        discussion: """
            Ends on SIGTERM or SIGINT and leaves the data plane running; SIGHUP reconciles at once. Until then it holds the \
            host's lock: a second run, apply or detach is told so.
            """)

    @OptionGroup var source: SourceOptions
    @OptionGroup var host: HostOptions
    @OptionGroup var output: OutputOptions

    @Option(help: "How often to fetch: a number with ms, s, m or h. Default: 30s.", transform: Interval.init(parsing:))
    var interval = Interval(milliseconds: 30_000)

    func run() throws {
        let daemon = try Daemon(
            reconciliation: Reconciliation(source: source, host: host, logger: output.logger), interval: interval)
        try daemon.run()
    }
}

/// A time between two runs: `30s`, `500ms`, `5m`.
struct Interval: CustomStringConvertible {
    let milliseconds: Int

    init(milliseconds: Int) { self.milliseconds = milliseconds }

    init(parsing argument: String) throws(ValidationError) {
        for (unit, factor) in [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)] where argument.hasSuffix(unit) {
            guard let number = Int(argument.dropLast(unit.count)), number > 0, number <= 86_400_000 / factor else { continue }
            self.init(milliseconds: number * factor)
            return
        }
        throw ValidationError("1ms to 24h, such as 500ms, 30s or 5m")
    }

    var description: String { milliseconds % 1000 == 0 ? "\(milliseconds / 1000)s" : "\(milliseconds)ms" }
}

/// The loop of `run`: survives every error, and says each once.
final class Daemon {
    private let reconciliation: Reconciliation
    private let interval: Interval
    private let waiter: Waiter
    private let logger: Logger
    /// Held between the rounds, too: whoever came in between would be undone by the next.
    private var lock: HostLock
    private var desired: Reconciliation.Desired?
    private var lastComplaint = ""
    private var failures = 0
    /// What keeps this host from the newest commit, since the last fetch.
    private var trouble: String?
    /// The commit that has errors. Others read it in vain, too, so it is read once.
    private var wrongCommit: String?

    init(reconciliation: Reconciliation, interval: Interval) throws {
        self.reconciliation = reconciliation
        self.interval = interval
        logger = reconciliation.logger
        lock = try reconciliation.lock()
        waiter = try Waiter()
    }

    func run() throws {
        logger.info("reconciling host \(reconciliation.host.host) every \(interval)")
        var fetch = true
        while true {
            let soonest = round(fetch: fetch)
            // A tenth of jitter, so that a fleet does not ask all at once.
            let jitter = Int.random(in: 0...max(1, interval.milliseconds / 10))
            switch waiter.wait(fetchIn: interval.milliseconds + jitter, wakeIn: soonest) {
            case .stop:
                logger.info("stopped; the data plane goes on")
                return
            case .timeout(let isFetchTime): fetch = isFetchTime
            case .hangup: fetch = true
            case .links: fetch = false
            }
        }
    }

    /// One reconciliation.
    ///
    /// - Returns: milliseconds until a waiting step is due, if one waits.
    private func round(fetch: Bool) -> Int? {
        do {
            if fetch || desired == nil {
                let target = try waiter.endingAtSignals(logger) {
                    try reconciliation.target(keeping: desired, wrong: &wrongCommit)
                }
                desired = target.desired
                trouble = target.trouble
            }
            if let trouble {
                failures += 1
                complain(trouble)
            }
            guard let desired else { return nil }
            try reconciliation.check(desired)
            try lock.renew()
            let result = try reconciliation.reconcile(desired, lock: lock, through: nil) { _ in }
            if let failed = result.outcome.failed {
                throw Failure("\(failed.step.subject): \(failed.error)", hint: "the next round goes on from there")
            }
            report(result)
            return result.plan.waiting.first.map { Int($0.due / 1_000_000) + 1 }
        } catch {
            failures += 1
            complain(error is Exit ? "the topology has errors; the host stays as it is" : "\(error)")
            return nil
        }
    }

    private func report(_ result: Reconciliation.Result) {
        let outcome = result.outcome
        if !outcome.isEmpty {
            logger.info(
                "applied",
                metadata: [
                    "commit": "\(result.plan.commit)", "added": "\(outcome.added)", "changed": "\(outcome.changed)",
                    "destroyed": "\(outcome.destroyed)", "waiting": "\(result.plan.waiting.count)",
                ])
        }
        if failures > 0, trouble == nil {
            logger.info("works again after \(failures) failed \(failures == 1 ? "round" : "rounds")")
            failures = 0
            lastComplaint = ""
        }
    }

    private func complain(_ text: String) {
        if text != lastComplaint { logger.error("\(text)") }
        lastComplaint = text
    }
}
