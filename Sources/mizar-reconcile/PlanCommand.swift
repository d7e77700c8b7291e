import Applier
import ArgumentParser
import Desired
import Planner
import Topology

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Show what would change, and change nothing.",
        discussion: """
            Without --base: what this host would change, its live maps against the commit. With --base and --head: what every \
            host of the fleet would change between two commits, without privileges, for a pull request.
            """)

    @OptionGroup var source: SourceOptions

    @OptionGroup var host: HostOptions

    @Option(help: "The commit to start from: plan the whole fleet.")
    var base: String?

    @Option(help: "The commit to go to. Default with --base: --ref, or HEAD.")
    var head: String?

    @OptionGroup var output: OutputOptions

    @Option(help: "Save the plan as JSON, for `apply PLANFILE`.")
    var out: String?

    @Flag(help: "Exit with 2 if there are changes, those that wait included.")
    var detailedExitcode = false

    func validate() throws {
        if base == nil, head != nil { throw ValidationError("--head goes with --base") }
        if host.given != nil, base != nil || head != nil { throw ValidationError("--host and --base are two ways to plan: give one") }
        if head != nil, source.revision.ref != nil { throw ValidationError("--head and --ref say the same: give one") }
    }

    func run() throws {
        if base == nil { try runHost() } else { try runFleet() }
    }

    private func runHost() throws {
        let reconciliation = Reconciliation(source: source, host: host, logger: output.logger)
        let desired = try Reconciliation.load(source, ref: source.revision.ref)
        try reconciliation.check(desired)
        let store = try KernelStore(directory: host.maps.bpffs, forWriting: false)
        let (plan, _) = try reconciliation.plan(desired, store: store, through: nil)
        if let out { try Output.save(try Output.json(plan) + "\n", to: out) }
        switch output.format {
        case .json: try Output.print(try Output.json(plan))
        case .markdown: try Output.print(plan.markdown)
        case .text: try Output.print(output.quiet ? plan.closing : plan.text)
        }
        if detailedExitcode, !plan.summary.isEmpty || !plan.waitingChanges.isEmpty { throw Exit.changesFound }
    }

    private func runFleet() throws {
        let before = try Reconciliation.load(source, ref: base)
        let after = try Reconciliation.load(source, ref: head ?? source.revision.ref, fetch: false)
        let plan = FleetPlan(
            base: before.topology, baseCommit: before.commit, head: after.topology, headCommit: after.commit,
            warnings: after.warnings)
        let json = try Output.json(plan)
        if let out { try Output.save(json + "\n", to: out) }
        switch output.format {
        case .json: try Output.print(json)
        case .markdown: try Output.print(plan.markdown)
        case .text: try Output.print(output.quiet ? plan.summary.text : plan.text)
        }
        if detailedExitcode, !plan.hosts.isEmpty { throw Exit.changesFound }
    }
}
