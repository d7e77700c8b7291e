import Applier
import ArgumentParser
import Planner
import Topology

struct DetachCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "detach", abstract: "Take everything of ours off this host: programs, filters, pins and maps.",
        discussion: "Refused if the maps are another host's.")

    @OptionGroup var host: HostOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let removed: [String]
        guard let name = host.names.first else { throw Failure("this machine has no name", hint: "give --host") }
        do {
            removed = try Detach.run(directory: host.maps.bpffs, names: host.names)
        } catch let others as Detach.Others {
            throw Refusal(others: others.owner, than: name, below: host.maps.bpffs)
        } catch let elsewhere as MapsElsewhere {
            try Reconciliation.refuse(elsewhere, below: host.maps.bpffs)
            return
        }
        switch output.format {
        case .json: try Output.print(try Output.json(Report(host: name, removed: removed)))
        case .text, .markdown:
            let closing =
                removed.isEmpty
                ? "No changes. Nothing of ours is on this host." : "Detached: nothing of ours is left on host \(name)."
            try Output.print(((output.quiet ? [] : removed.map { "  - \($0)".printable }) + [closing]).joined(separator: "\n"))
        }
    }

    /// The JSON form.
    struct Report: Encodable {
        let formatVersion = Plan.formatVersion
        let host: String
        /// In words, one thing each.
        let removed: [String]
    }
}
