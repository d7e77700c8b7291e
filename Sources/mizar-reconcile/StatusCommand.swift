import Applier
import ArgumentParser
import Planner
import Topology

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "What runs on this host: commit, programs, pending endpoints, traffic, drops, tables.")

    @OptionGroup var host: HostOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let store = try KernelStore(directory: host.maps.bpffs, forWriting: false)
        let found = try store.status()
        let name = host.name(in: found.observation.image)
        let status = StatusReport(host: name, status: found)
        if let other = status.otherHost {
            Output.complain("warning: these maps are those of host \(other), not of \(name)")
        }
        switch output.format {
        case .json: try Output.print(try Output.json(status))
        case .text, .markdown: try Output.print(output.quiet ? status.head : status.text(below: host.maps.bpffs))
        }
    }
}
