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
        let status = StatusReport(host: host.host, status: try store.status())
        if let other = status.otherHost {
            Output.complain("warning: these maps are those of host \(other), not of \(host.host)")
        }
        switch output.format {
        case .json: try Output.print(try Output.json(status))
        case .text, .markdown: try Output.print(output.quiet ? status.head : status.text(below: host.maps.bpffs))
        }
    }
}
