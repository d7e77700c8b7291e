public import ArgumentParser
import Glibc
public import Logging

enum Format: String, ExpressibleByArgument, CaseIterable { case text, json, markdown }

enum LogFormat: String, ExpressibleByArgument, CaseIterable { case text, json }

extension Logger.Level: @retroactive ExpressibleByArgument {}

/// Where the topology comes from.
struct SourceOptions: ParsableArguments {
    @Option(help: RevisionOptions.repoHelp)
    var repo: String

    @OptionGroup var revision: RevisionOptions
}

/// What of a repository is read, and how it gets here.
struct RevisionOptions: ParsableArguments {
    static let repoHelp: ArgumentHelp = "A local repository or folder, or a URL that git takes: https, ssh or file."

    @Option(help: "Branch, tag or commit. Default: the repository's HEAD.")
    var ref: String?

    @Option(help: "Folder inside the repository. Default: its root.")
    var path: String?

    @Option(help: "Where mirrors of remote repositories are kept.")
    var cache: String?

    @Option(help: "Seconds that a fetch may take before it is given up, and then reading.")
    var fetchTimeout: Int = 60

    func validate() throws {
        if fetchTimeout < 1 { throw ValidationError("--fetch-timeout is at least 1 second") }
    }
}

/// Which host this is, and where its maps are pinned.
struct HostOptions: ParsableArguments {
    @Option(help: "This host's name in the topology.")
    var host: String

    @OptionGroup var maps: MapOptions
}

struct MapOptions: ParsableArguments {
    /// Says where maps are pinned to whoever is not told by `--bpffs`; `lab exec --host` sets it.
    static let variable = "MIZAR_BPFFS"

    @Option(help: "Where maps are pinned: a folder in a BPF file system. Default: $\(Self.variable), or the one shown here.")
    var bpffs: String = Self.standard

    private static var standard: String {
        if let value = getenv(variable), value.pointee != 0 { return String(cString: value) }
        return "/sys/fs/bpf/mizar"
    }

    func validate() throws {
        if !bpffs.hasPrefix("/") { throw ValidationError("--bpffs (or \(Self.variable)) is an absolute path, not “\(bpffs)”") }
    }
}

/// A command that says in which form its messages are.
protocol MessagingCommand: ParsableCommand {
    var output: OutputOptions { get }
}

extension ValidateCommand: MessagingCommand {}
extension PlanCommand: MessagingCommand {}
extension ApplyCommand: MessagingCommand {}
extension RunCommand: MessagingCommand {}
extension StatusCommand: MessagingCommand {}
extension TraceCommand: MessagingCommand {}
extension DetachCommand: MessagingCommand {}
extension LabUpCommand: MessagingCommand {}
extension LabDownCommand: MessagingCommand {}

/// How results and messages are printed.
struct OutputOptions: ParsableArguments {
    @Option(help: "Form of the result: \(Format.allCases.map(\.rawValue).joined(separator: ", ")).")
    var format: Format = .text

    @Flag(help: "Print errors and the closing line only.")
    var quiet = false

    @Option(help: "Least severe messages to log: trace, debug, info, notice, warning, error or critical.")
    var logLevel: Logger.Level = .info

    @Option(help: "Form of the log on standard error: text or json.")
    var logFormat: LogFormat = .text

    var logger: Logger {
        let format = logFormat
        var logger = Logger(label: "mizar-reconcile") { _ in Log(format: format) }
        logger.logLevel = quiet ? .error : logLevel
        return logger
    }
}
