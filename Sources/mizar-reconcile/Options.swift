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
    /// Names the host to whoever is not told by `--host`; `lab exec --host` sets it.
    static let variable = "MIZAR_HOST"

    @Option(
        name: .customLong("host"),
        help:
            "This host's name in the topology. Default: $\(Self.variable), or this machine's name, else that up to its first dot.")
    var given: String?

    @OptionGroup var maps: MapOptions

    func validate() throws {
        if given?.isEmpty == true {
            throw ValidationError("--host is empty; name a host of the topology, or leave it out to take this machine's name")
        }
    }

    /// What this host may be called, best first; more than one where nobody said it. Empty: the machine has no name.
    var names: [String] {
        if let given { return [given] }
        if let value = getenv(Self.variable), value.pointee != 0 { return [String(cString: value)] }
        var buffer = [CChar](repeating: 0, count: Int(HOST_NAME_MAX) + 1)
        guard gethostname(&buffer, buffer.count) == 0 else { return [] }
        let name = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard !name.isEmpty, name != "(none)" else { return [] }
        let short = String(name.prefix { $0 != "." })
        return short == name || short.isEmpty ? [name] : [name, short]
    }
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
