import ArgumentParser
import Desired
import Planner
import Topology

struct ValidateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate",
        abstract: "Read and check a topology; print every error with its place.")

    @Argument(help: "A folder or a repository. A folder is read as it stands, committed or not.")
    var directory: String?

    @Option(help: RevisionOptions.repoHelp)
    var repo: String?

    @OptionGroup var revision: RevisionOptions

    @OptionGroup var output: OutputOptions

    func validate() throws {
        if (directory == nil) == (repo == nil) {
            throw ValidationError("give a folder, or --repo and --ref")
        }
        if directory != nil, revision.ref != nil { throw ValidationError("--ref goes with --repo") }
    }

    /// The JSON form.
    struct Report: Encodable {
        let formatVersion = Plan.formatVersion
        let valid: Bool
        let diagnostics: [Diagnostic]
    }

    func run() throws {
        let tree =
            if let directory, Repository.isBare(directory) {
                throw Failure("\(directory) is a bare repository, without files of its own", hint: "use `validate --repo`")
            } else if let directory {
                try SourceTree.folder(revision.path.map { "\(directory)/\($0)" } ?? directory)
            } else {
                try Source.load(
                    repo: repo ?? ".", ref: revision.ref, path: revision.path, cache: revision.cache, fetch: true,
                    deadlineSeconds: revision.fetchTimeout)
            }
        let result = TopologyReader.read(tree)
        let isValid = result.topology != nil
        switch output.format {
        case .json: try Output.print(try Output.json(Report(valid: isValid, diagnostics: result.diagnostics)))
        case .text:
            for diagnostic in result.diagnostics { try Output.print(diagnostic.description) }
            if !isValid || !output.quiet { try Output.print(Self.closing(result)) }
        case .markdown:
            var comment = Comment()
            comment.add("<!-- mizar-reconcile validate -->\n**\(Self.closing(result))**\n")
            comment.addQuotes(
                result.diagnostics.map { "\($0.severity == .error ? "✖" : "⚠") `\($0.description.codeText)`" })
            try Output.print(comment.text)
        }
        if !isValid { throw Exit.error }
    }

    static func closing(_ result: ReadResult) -> String {
        guard let topology = result.topology else {
            let errors = result.diagnostics.count { $0.severity == .error }
            return "\(errors) \(errors == 1 ? "error" : "errors")"
        }
        func count(_ number: Int, _ word: String) -> String { "\(number) \(word)\(number == 1 ? "" : "s")" }
        return "Valid: "
            + [
                count(topology.hosts.count, "host"), count(topology.tenants.count, "tenant"),
                count(topology.vpcs.count, "VPC"), count(topology.networks.count, "network"),
                count(topology.endpoints.count, "endpoint"),
            ].joined(separator: ", ") + "."
    }
}
