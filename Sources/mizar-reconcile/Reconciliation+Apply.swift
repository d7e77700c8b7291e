import Applier
import Desired
import Logging
import Planner
import Topology

extension Reconciliation {
    /// What an apply did, or did not.
    struct Result {
        let plan: Plan
        let outcome: ApplyOutcome
        /// Those that were done.
        var done: [Step] = []
        /// Endpoints whose ports came and went, by the steps that were done.
        var ports = PortChanges()
        /// The mirror does not remember the applied commit.
        var forgotten: DesiredError?
    }

    /// The wanted commit; or, if it cannot be fetched, the one that this host applied last, from the mirror: after a
    /// reboot the network comes up without the git server.
    func loadOrFallBack() throws -> (Desired, fetchFailure: DesiredError?) {
        do {
            return (try Self.load(source, ref: source.revision.ref), nil)
        } catch let failure as DesiredError where failure.isFetch {
            guard let last = remembered() else { throw failure }
            logger.warning("\(failure); going on with the commit applied last, \(last.commit)")
            return (last, failure)
        }
    }

    /// By the mirror's reference.
    private func remembered() -> Desired? {
        for name in host.names {
            do {
                let desired = try Self.load(source, ref: Mirror.appliedRef(host: name), fetch: false)
                if try host.entry(in: desired.topology).name == name { return desired }
            } catch {
                logger.debug("no commit is remembered as applied by \(name): \(error)")
            }
        }
        return nil
    }

    /// Notes how a round went, for `status`. That it cannot be noted is no trouble of the host's.
    func note(_ round: Round) {
        do {
            try KernelStore(directory: host.maps.bpffs, forWriting: false).note(round)
        } catch {
            logger.debug("the round cannot be noted: \(error)")
        }
    }

    /// The right to change this host's tables, or an error that says who has it.
    func lock() throws -> HostLock {
        try HostCheck.kernel()
        try HostCheck.privileges()
        return try HostLock(directory: host.maps.bpffs)
    }

    /// Observes, plans and applies.
    ///
    /// - Parameters:
    ///   - lock: held by the caller: there is one reconciler a host.
    ///   - isContested: whether a step is left out.
    ///   - progress: called after each step.
    func reconcile(
        _ head: Desired, lock: borrowing HostLock, through: Phase?, leavingOut isContested: (Step) -> Bool = { _ in false },
        progress: () -> Void = {}, announce: (Plan) throws -> Void
    ) throws -> Result {
        let store = try KernelStore(directory: host.maps.bpffs, forWriting: true)
        let planned = try plan(head, store: store, through: through)
        let (plan, desired) = (planned.plan, planned.desired)
        if let holder = try HostCheck.portTaken(desired.topology.cluster.port) {
            throw Failure(
                "UDP port \(desired.topology.cluster.port) is taken on this host: \(holder)",
                hint: "end it, or give the cluster another port (Cluster.port)")
        }
        try announce(plan)
        var done: [Step] = []
        let noted = { (step: Step) in
            logger.debug("\(step.subject): \(step.detail)")
            done.append(step)
            progress()
        }
        let outcome = Executor.apply(plan, to: store, progress: noted, leavingOut: isContested)
        let ports = PortChanges(done.filter(PortChanges.concerns), of: plan, on: planned.observation.image)
        var result = Result(plan: plan, outcome: outcome, done: done, ports: ports)
        if outcome.failed == nil {
            Self.keepReceiveOffload(store, logger)
            do throws(DesiredError) {
                try Mirror.rememberApplied(repo: source.repo, cache: source.revision.cache, commit: desired.commit, host: plan.host)
            } catch {
                result.forgotten = error
            }
        }
        return result
    }

    /// After a plan that was carried out. `status` says whether it is there.
    static func keepReceiveOffload(_ store: KernelStore, _ logger: Logger) {
        do {
            try store.keepReceiveOffload()
        } catch {
            logger.debug("packets from other hosts come in one by one: \(error)")
        }
    }
}
