import Applier
public import ArgumentParser
import Desired
import Glibc
import Logging
public import Planner
import Topology

extension Phase: ExpressibleByArgument {}

struct ApplyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply",
        abstract: "Make this host match the commit. A second run changes nothing.",
        discussion: """
            With a plan file, exactly that plan is applied, or nothing if the host is no longer as the plan found it (exit 3).
            """)

    @Argument(help: "A plan that `plan --out` saved.")
    var planFile: String?

    @Option(help: RevisionOptions.repoHelp)
    var repo: String?

    @OptionGroup var revision: RevisionOptions

    @OptionGroup var host: HostOptions

    @Flag(help: "Let this commit take away more than the guards of the one before it say, on this host, this once.")
    var allowDestroy = false

    @Flag(help: ArgumentHelp("Judge no commit: for the lab, which goes back and forth.", visibility: .hidden))
    var withoutGuards = false

    @OptionGroup var output: OutputOptions

    @Option(
        help: ArgumentHelp(
            "Do this phase (add, switch, remove) and those before it, and no later one, whatever the clock says: for who knows when every host has done a phase.",
            visibility: .hidden))
    var through: Phase?

    func validate() throws {
        if planFile == nil, repo == nil { throw ValidationError("give --repo and --host, or a plan file") }
        if planFile != nil, repo != nil || host.given != nil || revision.ref != nil || revision.path != nil {
            throw ValidationError("a plan file says the repository and the host by itself")
        }
        if planFile != nil, allowDestroy { throw ValidationError("a plan is judged when it is made: give --allow-destroy to `plan --out`") }
    }

    func run() throws {
        if let planFile {
            try applyFile(planFile)
        } else if let repo {
            var source = SourceOptions()
            (source.repo, source.revision) = (repo, revision)
            let guards = withoutGuards ? GuardMode.off : allowDestroy ? .destroyAllowed : .on
            try apply(Reconciliation(source: source, host: host, logger: output.logger, guards: guards))
        }
    }

    private func apply(_ reconciliation: Reconciliation) throws {
        do {
            try applyNoting(reconciliation)
        } catch let invalid as InvalidTopology {
            reconciliation.note(Round(.invalid, commit: invalid.commit, text: "\(invalid)"))
            throw invalid
        } catch let failure as DesiredError {
            reconciliation.note(Round(.unreachable, commit: "", text: "\(failure)"))
            throw failure
        } catch let unknown as UnknownHost {
            reconciliation.note(Round(.invalid, commit: "", text: "\(unknown)"))
            throw unknown
        }
    }

    private func applyNoting(_ reconciliation: Reconciliation) throws {
        let (desired, fetchFailure) = try reconciliation.loadOrFallBack()
        try reconciliation.check(desired)
        let lock = try reconciliation.lock()
        let result = try reconciliation.reconcile(desired, lock: lock, through: through) { plan in
            if output.format == .text, !output.quiet { try Output.print(plan.text) }
        }
        let failures = result.outcome.failures.map { "\($0.step.subject): \($0.error)" }
        if let first = failures.first {
            reconciliation.note(Round(.partly, commit: desired.commit, text: first))
        } else if let fetchFailure {
            reconciliation.note(Round(.unreachable, commit: desired.commit, text: "\(fetchFailure)"))
        } else if let refused = result.plan.refused {
            reconciliation.note(Round(.refused, commit: desired.commit, text: "refused: " + refused.sentences.joined(separator: "; ")))
        } else {
            reconciliation.note(Round(.done, commit: desired.commit))
        }
        if let forgotten = result.forgotten { output.logger.warning("the mirror does not remember the applied commit: \(forgotten)") }
        try report(result)
        if let fetchFailure {
            Output.complain("error: \(fetchFailure); the host was kept on the commit that it applied last, \(desired.commit)")
            throw Exit.error
        }
    }

    /// More than a plan of a million endpoints has.
    private static let mostBytes = 2 << 30

    private func applyFile(_ path: String) throws {
        let bytes = try Output.read(path, most: Self.mostBytes)
        let plan: Plan
        do {
            plan = try Output.decode(Plan.self, from: bytes)
        } catch let error as DecodingError {
            if (try? Output.decode(FleetPlan.self, from: bytes)) != nil {
                throw Failure(
                    "\(path) is the plan of a whole fleet, which is only to be read",
                    hint: "make one of this host with `plan --host NAME --out FILE`")
            }
            throw Failure("\(path) is no plan that this version can read: \(error.place)", hint: "make one with `plan --out`")
        }
        guard plan.formatVersion == Plan.formatVersion else {
            throw Failure("\(path) has format \(plan.formatVersion), and this version reads \(Plan.formatVersion)")
        }
        let shape = PlanShape(plan)
        guard shape.faults.isEmpty else {
            for fault in shape.faults { Output.complain("error: \(path): \(fault)") }
            Output.complain("error: no plan of this version says so, so nothing was changed; make one with `plan --out`")
            throw Exit.refused
        }
        try HostCheck.kernel()
        try HostCheck.privileges()
        try checkMachine(plan)
        let lock = try HostLock(directory: host.maps.bpffs)
        defer { withExtendedLifetime(lock) {} }
        let store = try KernelStore(directory: host.maps.bpffs, forWriting: true)
        let observation = try store.observe()
        try Reconciliation.refuse(observation.elsewhere, below: host.maps.bpffs)
        guard observation.digest == plan.stateDigest else {
            Output.complain("error: the plan is stale: host \(plan.host) has changed since it was made; plan again")
            throw Exit.stalePlan
        }
        let violations = PlanCheck.violations(plan, on: observation)
        guard violations.isEmpty else {
            for violation in violations { Output.complain("error: \(violation)") }
            Output.complain("error: the plan contradicts itself, so nothing was changed")
            throw Exit.refused
        }
        if output.format == .text, !output.quiet { try Output.print(plan.text) }
        let outcome = Executor.apply(plan, to: store)
        if outcome.failed == nil { Reconciliation.keepReceiveOffload(store, output.logger) }
        try report(Reconciliation.Result(plan: plan, outcome: outcome))
    }

    /// Refuses a plan of another machine, before anything is touched.
    private func checkMachine(_ plan: Plan) throws {
        // A plan says the address only where it changes; else this machine has it already.
        let config = plan.steps.lazy.compactMap { step in
            if case .row(_, .config(let config)?) = step.change { config } else { nil }
        }.first
        let image = try KernelStore(directory: host.maps.bpffs, forWriting: false).observe().image
        let hint = "apply it on \(plan.host), or plan again"
        guard let address = (config ?? image.config)?.address else {
            throw Refusal("the plan is for a host that has applied before, and nothing is applied here", hint: hint)
        }
        guard try HostCheck.addresses().contains(address) else {
            throw Refusal("the plan is for host \(plan.host) with the address \(address), which this machine does not have", hint: hint)
        }
        let id = StableHash.id(plan.host)
        guard config != nil || image.applied.map({ $0.host == id }) ?? true else {
            throw Refusal("the plan is for host \(plan.host), and the tables are of another host", hint: hint)
        }
    }

    /// The JSON form of what was done.
    struct Report: Codable {
        var formatVersion = Plan.formatVersion
        let host: String
        let commit: String
        let added: Int
        let changed: Int
        let destroyed: Int
        let waiting: Int
        let pending: [Plan.Pending]
        let refused: Refusals?
        let error: String?
        /// What needed a step that failed, and was not tried.
        let leftOut: [String]
    }

    private func report(_ result: Reconciliation.Result) throws {
        let outcome = result.outcome
        let after = "what could be applied is applied"
        let failures = outcome.failures.map { "\($0.step.subject): \($0.error)" }
        let counts = "\(outcome.added) added, \(outcome.changed) changed, \(outcome.destroyed) destroyed."
        switch output.format {
        case .json:
            try Output.print(
                try Output.json(
                    Report(
                        host: result.plan.host, commit: result.plan.commit, added: outcome.added, changed: outcome.changed,
                        destroyed: outcome.destroyed, waiting: result.plan.waitingChanges.count, pending: result.plan.pending,
                        refused: result.plan.refused, error: failures.isEmpty ? nil : failures.joined(separator: "; "),
                        leftOut: outcome.leftOut.filter { !$0.isBookkeeping }.map(\.subject))), hint: after)
        case .text, .markdown:
            let space = output.quiet ? "" : "\n"
            if !outcome.isWhole {
                if outcome.failed == nil { try Output.print(space + "Apply incomplete! Resources: " + counts, hint: after) }
            } else if result.plan.refused != nil {
                // Not complete: the host is not at the commit that was asked for.
                try Output.print(space + "Repaired only, a newer commit is refused. Resources: " + counts, hint: after)
            } else {
                try Output.print(space + "Apply complete! Resources: " + counts, hint: after)
            }
        }
        guard !outcome.isWhole else {
            guard let refused = result.plan.refused else { return }
            refused.complain(staysOn: result.plan.commit)
            throw Exit.refused
        }
        let done = outcome.added + outcome.changed + outcome.destroyed
        for failure in failures { Output.complain("error: \(failure)") }
        for step in outcome.leftOut where !step.isBookkeeping { Output.complain("error: left out: \(step.subject)") }
        let rest = outcome.failed == nil ? "the next apply tries the others again" : "the next apply goes on from there"
        Output.complain("error: \(done) of \(result.plan.changes.count) changes were made; \(rest)")
        throw done == 0 && outcome.failed != nil ? Exit.error : Exit.partlyApplied
    }
}
