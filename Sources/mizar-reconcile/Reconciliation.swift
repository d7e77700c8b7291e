import Applier
import Desired
import Logging
import Planner
import Topology

/// The steps that plan, apply and run have in common.
struct Reconciliation {
    let source: SourceOptions
    let host: HostOptions
    let logger: Logger
    var guards = GuardMode.on
    let memory = DecisionMemory()

    /// A checked topology and the commit that it is of.
    struct Desired {
        let topology: Topology
        let commit: String
        let warnings: [Diagnostic]
    }

    /// A plan, and what it was made of.
    struct Planned {
        let plan: Plan
        /// What it leads to: the commit that was asked for, or the newest before it that guards let this host take.
        let desired: Desired
        let observation: Observation
    }

    /// Reads a commit, or throws with every error in it.
    static func load(_ source: SourceOptions, ref: String?, fetch: Bool = true) throws -> Desired {
        let tree = try Source.load(
            repo: source.repo, ref: ref, path: source.revision.path, cache: source.revision.cache, fetch: fetch,
            deadlineSeconds: source.revision.fetchTimeout)
        return try read(tree)
    }

    static func read(_ tree: SourceTree) throws -> Desired {
        let result = TopologyReader.read(tree)
        guard let topology = result.topology else {
            throw InvalidTopology(commit: tree.commit, diagnostics: result.diagnostics)
        }
        return Desired(topology: topology, commit: tree.commit, warnings: result.diagnostics)
    }

    /// Refuses a host that the topology does not name, or that is another machine.
    func check(_ desired: Desired) throws {
        guard let entry = try recognize(desired) else { return }
        let own = try HostCheck.addresses()
        guard own.contains(entry.address) else {
            throw Refusal(
                "this machine is not \(entry.name): it does not have the address \(entry.address) (\(entry.at))",
                hint: "it has \(own.map(\.description).joined(separator: ", "))")
        }
    }

    /// This host's entry; nil: the commit has none, and guards keep this host on an older one.
    @discardableResult
    func recognize(_ desired: Desired) throws -> Host? {
        do throws(UnknownHost) {
            return try host.entry(in: desired.topology)
        } catch {
            if try staysWithout(desired) { return nil }
            throw error
        }
    }

    /// Whether guards keep this host on an older commit than this one, which has no such host.
    private func staysWithout(_ head: Desired) throws -> Bool {
        guard guards != .off, !head.commit.isEmpty else { return false }
        let image = try KernelStore(directory: host.maps.bpffs, forWriting: false).observe().image
        return try decide(head, image).taken.map { $0.commit != head.commit } ?? false
    }

    /// Who had which VNI in commits that came after the one applied last, and that this host skips.
    private func skipped(_ observation: Observation, head: Desired) -> Set<VNIOwner> {
        guard let applied = observation.image.applied?.commit, !applied.isEmpty, !head.commit.isEmpty, applied != head.commit else {
            return []
        }
        do {
            return try Source.owners(
                repo: source.repo, path: source.revision.path, cache: source.revision.cache, after: applied, before: head.commit)
        } catch {
            logger.debug("the commits since the one applied last cannot be read: \(error)")
            return []
        }
    }

    /// Observes this host and plans, on behalf of plan and apply alike.
    ///
    func plan(_ head: Desired, store: some MapStore, through: Phase?) throws -> Planned {
        let observation = try store.observe()
        try refuseOthers(observation.image, head.topology)
        try Self.refuse(observation.elsewhere, below: host.maps.bpffs)
        let decision = try decide(head, observation.image)
        guard let desired = decision.taken else { throw Refusal(decision.refused) }
        if desired.commit != head.commit { try check(desired) }
        func make(_ desired: Desired) throws(UnknownHost) -> Plan {
            let name = try host.entry(in: desired.topology).name
            let plan = Planner.plan(
                desired.topology, base: decision.base, skipped: skipped(observation, head: desired), host: name,
                commit: desired.commit, observation: observation, through: through)
            guard let plan else { throw UnknownHost([name], in: desired.topology) }
            return plan
        }
        var plan = try make(desired)
        if let refusal = plan.warnings.first(where: { $0.severity == .error }) {
            throw Refusal("\(refusal.message) (\(refusal.at))", hint: refusal.hint ?? "change the topology")
        }
        plan.warnings = desired.warnings + plan.warnings
        if !decision.refused.isEmpty {
            // What goes may be in a file that the commit skips.
            if desired.commit != head.commit { plan.warnings = head.warnings.filter { !plan.warnings.contains($0) } + plan.warnings }
            plan.refused = Refusals(head: head.commit, commits: decision.refused, summary: (try? make(head))?.summary)
        }
        let violations = PlanCheck.violations(plan, on: observation)
        guard violations.isEmpty else { throw BrokenPlan(violations: violations) }
        return Planned(plan: plan, desired: desired, observation: observation)
    }

    /// Refuses to put programs on these maps in the place of those that run on others.
    static func refuse(_ elsewhere: MapsElsewhere?, below directory: String) throws {
        guard let elsewhere else { return }
        let places = elsewhere.interfaces.joined(separator: ", ")
        guard let place = elsewhere.place else {
            throw Refusal(
                "programs of ours run on \(places) with maps that are not below \(directory), and a process in a PID namespace "
                    + "of its own cannot see where they are pinned",
                hint: "run it where the host's bpffs is mounted, or take the programs off with `mizar-reconcile detach` first")
        }
        throw Refusal(
            "programs of ours run on \(places) with maps that are pinned at \(place), not below \(directory)",
            hint: "run it where those are seen (the host's mount namespace, or its bpffs mounted in the container), with their --bpffs")
    }

    /// Refuses to take over what another host has applied: it would be that host's no longer.
    func refuseOthers(_ image: Image, _ topology: Topology) throws {
        // A commit that takes this host away may be one that guards refuse.
        let entry = try? host.entry(in: topology)
        let name = entry?.name ?? host.name(in: image)
        guard let owner = image.owner(otherThan: name, at: entry?.address, in: topology) else { return }
        throw Refusal(others: owner, than: name, below: host.maps.bpffs)
    }
}
