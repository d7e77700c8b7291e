import Applier
import ArgumentParser
import Planner
import Topology

struct DetachCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "detach", abstract: "Take everything of ours off this host: programs, filters, pins and maps.")

    @Option(help: "This host's name in the topology; refused if another host's maps are pinned here.")
    var host: String

    @OptionGroup var maps: MapOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let removed: [String]
        do {
            removed = try Detach.run(directory: maps.bpffs, host: host)
        } catch let others as Detach.Others {
            throw Refusal(others: others.owner, than: host, below: maps.bpffs)
        }
        switch output.format {
        case .json: try Output.print(try Output.json(Report(host: host, removed: removed)))
        case .text, .markdown:
            let closing =
                removed.isEmpty
                ? "No changes. Nothing of ours is on this host." : "Detached: nothing of ours is left on host \(host)."
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
