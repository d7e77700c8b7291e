import Applier
public import ArgumentParser
import Desired
import Glibc
public import Lab
import Planner
import Topology

struct LabCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lab",
        abstract: "The whole topology on this one machine, in network namespaces.",
        discussion: "Each host is a namespace that the real apply reconciles; each endpoint is one more.",
        subcommands: [LabUpCommand.self, LabExecCommand.self, LabDownCommand.self])
}

struct LabOptions: ParsableArguments {
    @Option(help: "Name of the lab: several can stand side by side.")
    var name: String = "lab"

    var lab: Lab { Lab(name: name) }
}

extension Lab.Underlay: ExpressibleByArgument {}

struct LabUpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up", abstract: "Build the lab, or bring a running one to another commit.")

    @OptionGroup var source: SourceOptions
    @OptionGroup var options: LabOptions
    @OptionGroup var output: OutputOptions

    @Option(help: "How the hosts are connected: bridged (one segment) or routed (a router between them).")
    var underlay: Lab.Underlay = .bridged

    func run() async throws {
        let desired = try Reconciliation.load(source, ref: source.revision.ref)
        Output.complain(desired.warnings)
        let lab = options.lab
        // Hosts read the mirror that was just fetched.
        let repo = try Mirror.local(source.repo, cache: source.revision.cache)
        let source = source
        let ref = desired.commit.isEmpty ? nil : desired.commit
        let runs = try await lab.up(desired.topology, underlay: underlay) { host, phase in
            var arguments = ["apply", "--repo", repo, "--host", host.name, "--bpffs", lab.bpffs(host: host.name)]
            if let ref { arguments += ["--ref", ref] }
            if let path = source.revision.path { arguments += ["--path", path] }
            return arguments + ["--without-guards", "--through", phase, "--quiet", "--format", "json"]
        }
        if output.quiet { return }
        let topology = desired.topology
        for host in topology.hosts { try Output.print("\(host.name): \(Self.closing(runs.filter { $0.host == host.name }))") }
        let (hosts, endpoints) = (topology.hosts.count, topology.endpoints.count)
        try Output.print(
            "Lab \(options.name) is up: \(hosts) \(hosts == 1 ? "host" : "hosts"), "
                + "\(endpoints) \(endpoints == 1 ? "endpoint" : "endpoints"), \(underlay.rawValue) underlay.")
    }

    /// What the rounds on one host have come to.
    private static func closing(_ runs: [Lab.Reconciliation]) throws -> String {
        var sum = ApplyOutcome()
        for run in runs {
            let report = try Output.decode(ApplyCommand.Report.self, from: Array(run.output.utf8))
            sum.added += report.added
            sum.changed += report.changed
            sum.destroyed += report.destroyed
        }
        return sum.isEmpty ? "No changes." : "\(sum.added) added, \(sum.changed) changed, \(sum.destroyed) destroyed."
    }
}

struct LabExecCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec", abstract: "Run a command inside an endpoint, or inside a host with --host.",
        discussion: "mizar-reconcile lab exec acme/prod/web/web-1 -- ping -c 1 10.0.1.254")

    @OptionGroup var options: LabOptions

    @Option(help: "Enter this host instead of an endpoint.")
    var host: String?

    @Argument(parsing: .captureForPassthrough, help: "An endpoint's path, unless --host is given; then `--` and the command.")
    var words: [String] = []

    func validate() throws { if !asksForHelp { _ = try parsed() } }

    func run() async throws {
        if asksForHelp { throw CleanExit.helpRequest(self) }
        let (place, command) = try parsed()
        // Our own commands find this host's maps, and not this machine's.
        if let host {
            setenv(MapOptions.variable, options.lab.bpffs(host: host), 1)
            setenv(HostOptions.variable, host, 1)
        }
        try options.lab.exec(place, command)
    }

    private var asksForHelp: Bool { words.first == "--help" || words.first == "-h" }

    private func parsed() throws(ValidationError) -> (place: Lab.Target, command: [String]) {
        var words = words
        var place = Lab.Target.host(host ?? "")
        if host == nil {
            guard let endpoint = words.first, endpoint != "--" else {
                throw ValidationError("give an endpoint such as acme/prod/web/web-1, or --host")
            }
            place = .endpoint(endpoint)
            words.removeFirst()
            if let flag = words.first, flag.hasPrefix("-"), flag != "--" {
                throw ValidationError("\(flag) stands after the endpoint: flags go before it, and the command after --")
            }
        }
        if words.first == "--" { words.removeFirst() }
        guard !words.isEmpty else { throw ValidationError("give a command after --") }
        return (place, words)
    }
}

struct LabDownCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "down", abstract: "Remove the lab and whatever remains of it.")

    @OptionGroup var options: LabOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await options.lab.down()
        if !output.quiet { try Output.print("Lab \(options.name) is down.") }
    }
}
