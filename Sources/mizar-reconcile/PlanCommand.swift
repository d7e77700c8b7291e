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
            host of the fleet would change if the head were merged into the base, without privileges, for a pull \
            request.
            """)

    @OptionGroup var source: SourceOptions

    @OptionGroup var host: HostOptions

    @Option(help: "The commit to start from: plan the whole fleet.")
    var base: String?

    @Option(help: "The commit to merge into the base. Default with --base: --ref, or HEAD.")
    var head: String?

    @Option(help: "Both at once: BASE...HEAD; or BASE..HEAD, as they are.")
    var range: String?

    @Flag(help: "Compare the two commits as they are, and merge nothing.")
    var exact = false

    @Flag(help: "Of the fleet, as text: show each resource and each row, however many there are.")
    var rows = false

    @Flag(help: "Of this host: as `apply --allow-destroy` would.")
    var allowDestroy = false

    @OptionGroup var output: OutputOptions

    @Option(help: "Save the plan as JSON, for `apply PLANFILE`.")
    var out: String?

    @Flag(help: "Exit with 2 if there are changes, those that wait included.")
    var detailedExitcode = false

    func validate() throws {
        if base == nil, range == nil, head != nil || exact { throw ValidationError("--head and --exact go with --base") }
        if host.given != nil, base != nil || range != nil {
            throw ValidationError("--host and --base are two ways to plan: give one")
        }
        if range != nil, base != nil || head != nil || source.revision.ref != nil {
            throw ValidationError("--range says both commits: leave --base, --head and --ref out")
        }
        if let range, range.firstRange(of: "..") == nil { throw ValidationError("--range is BASE...HEAD, not “\(range)”") }
        if base != nil || range != nil, allowDestroy { throw ValidationError("--allow-destroy is for one host: leave --base out") }
        if base == nil, range == nil, rows { throw ValidationError("--rows goes with --base: the plan of one host shows each row") }
        if head != nil, source.revision.ref != nil { throw ValidationError("--head and --ref say the same: give one") }
    }

    func run() throws {
        if base == nil, range == nil { try runHost() } else { try runFleet() }
    }

    private func runHost() throws {
        let reconciliation = Reconciliation(
            source: source, host: host, logger: output.logger, guards: allowDestroy ? .destroyAllowed : .on)
        let desired = try Reconciliation.load(source, ref: source.revision.ref)
        try reconciliation.check(desired)
        let store = try KernelStore(directory: host.maps.bpffs, forWriting: false)
        let plan = try reconciliation.plan(desired, store: store, through: nil).plan
        if let out { try Output.save(try Output.json(plan) + "\n", to: out) }
        switch output.format {
        case .json: try Output.print(try Output.json(plan))
        case .markdown: try Output.print(plan.markdown)
        case .text: try Output.print(output.quiet ? plan.closing : plan.text)
        }
        if let refused = plan.refused {
            refused.complain(staysOn: plan.commit)
            throw Exit.refused
        }
        if detailedExitcode, !plan.summary.isEmpty || !plan.waitingChanges.isEmpty { throw Exit.changesFound }
    }
}
