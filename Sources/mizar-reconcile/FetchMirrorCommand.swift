import ArgumentParser
import Desired

/// The child that a fetch runs in, so that a server which hangs can be given up: libgit2 has no time-outs.
struct FetchMirrorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fetch-mirror", abstract: "Fetch a repository into its mirror.", shouldDisplay: false)

    @Argument var url: String
    @Argument var cache: String

    func run() throws { try Mirror.fetchInProcess(url: url, cache: cache) }
}
