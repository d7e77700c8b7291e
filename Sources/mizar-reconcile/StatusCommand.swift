import Applier
import ArgumentParser
import Planner
import Topology

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Whether this host is well, and what runs on it: commit, programs, pending endpoints, traffic, drops, tables.",
        discussion: "Exit code 2: it is not well.")

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
        case .text, .markdown:
            try Output.print(output.quiet ? "\(status.verdict.printable)\n\(status.head.printable)" : status.text(below: host.maps.bpffs))
        }
        if !status.well { throw Exit.notWell }
    }
}
