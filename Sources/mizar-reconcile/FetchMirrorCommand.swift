import ArgumentParser
import Desired

/// The child that a fetch runs in, so that a server which hangs can be given up: libgit2 has no time-outs.
struct FetchMirrorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fetch-mirror", abstract: "Fetch a repository into its mirror.", shouldDisplay: false)

    @Argument var url: String
    @Argument var cache: String

    @Flag(help: "Look at every object first: one could not be read.") var suspect = false

    func run() throws {
        guard let fault = try Mirror.fetchInProcess(url: url, cache: cache, isSuspect: suspect) else { return }
        let folder = try Mirror.folder(url: url, cache: cache)
        Output.complain(
            "warning: the mirror \(folder) was damaged (\(fault)): it was fetched anew, and the damaged one is \(folder).damaged")
    }
}
