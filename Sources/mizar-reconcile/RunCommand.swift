import ArgumentParser

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Reconcile again and again: fetch, apply, repair drift, attach interfaces as they appear.",
        discussion: """
            Ends on SIGTERM or SIGINT and leaves the data plane running; SIGHUP fetches and reconciles at once. Until then it holds \
            the host's lock: a second run, apply or detach is told so. Tells a service manager how it is, by $NOTIFY_SOCKET.
            """)

    @OptionGroup var source: SourceOptions
    @OptionGroup var host: HostOptions
    @OptionGroup var output: OutputOptions

    @Option(help: "How often to fetch: a number with ms, s, m or h. Default: 30s.", transform: Interval.init(parsing:))
    var interval = Interval(milliseconds: 30_000)

    func run() throws {
        Log.stampLines()
        let daemon = try Daemon(
            reconciliation: Reconciliation(source: source, host: host, logger: output.logger), interval: interval)
        try daemon.run()
    }
}
