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
        let lock = try HostLock(directory: maps.bpffs)
        defer { withExtendedLifetime(lock) {} }
        let applied = try KernelStore(directory: maps.bpffs, forWriting: false).observe().image.applied
        if let applied, applied.host != StableHash.id(host) {
            Output.complain("error: the maps in \(maps.bpffs) are not those of host \(host); nothing was changed")
            throw Exit.refused
        }
        let outcome = try KernelStore.detach(directory: maps.bpffs)
        for name in outcome.kept { Output.complain("warning: \(maps.bpffs)/\(name) is not ours and stays") }
        if output.quiet { return }
        print(
            outcome.programs + outcome.pins == 0
                ? "No changes. Nothing of ours is on this host."
                : "Detached host \(host): \(outcome.programs) programs and \(outcome.pins) pins removed.")
    }
}
