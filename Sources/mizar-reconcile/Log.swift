import FoundationEssentials
import Glibc
import Logging
import Synchronization
import Topology

/// Log lines on standard error: for people, or one JSON object a line.
struct Log: LogHandler {
    let format: LogFormat
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]

    init(format: LogFormat) { self.format = format }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        Self.write(event.level, "\(event.message)", metadata.merging(event.metadata ?? [:]) { $1 }, format: format)
    }

    static func write(_ level: Logger.Level, _ message: String, _ details: Logger.Metadata = [:], format: LogFormat) {
        switch format {
        case .text:
            let details = details.mapValues { LogValue($0).text }.filter { !$0.value.isEmpty }.sorted { $0.key < $1.key }
                .map { " \($0.key)=\($0.value.contains(" ") ? "“\($0.value)”" : $0.value)" }.joined()
            let word = level <= .notice ? "" : "\(level.rawValue): "
            writeLine("\(word)\(message)\(details)".printable, level)
        case .json:
            var fields = details.mapValues(LogValue.init)
            fields["level"] = .text(level.rawValue)
            fields["message"] = .text(message)
            fields["time"] = .text(time(Date()))
            if let line = try? Output.json(fields, pretty: false) { Output.complainRaw(line) }
        }
    }

    /// A line of text as it is, behind its stamp.
    static func writeLine(_ line: String, _ level: Logger.Level) {
        switch stamp.withLock({ $0 }) {
        case .none: Output.complainRaw(line)
        case .time: Output.complainRaw("\(time(Date())) \(line)")
        case .priority: Output.complainRaw("<\(level.priority)>\(line)")
        }
    }

    // MARK: When

    /// What a line of text begins with.
    private enum Stamp { case none, time, priority }

    private static let stamp = Mutex(Stamp.none)

    /// From now on each line of text begins with its time; in systemd's journal, which keeps the time itself, with its priority
    /// (sd-daemon(3)).
    static func stampLines() { stamp.withLock { $0 = isJournal ? .priority : .time } }

    /// RFC 3339, to the millisecond, in UTC.
    static func time(_ date: Date) -> String { date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)) }

    /// Whether standard error leads to the journal: systemd.exec(5), $JOURNAL_STREAM.
    private static var isJournal: Bool {
        guard let value = getenv("JOURNAL_STREAM") else { return false }
        var status = stat()
        return fstat(STDERR_FILENO, &status) == 0 && String(cString: value) == "\(status.st_dev):\(status.st_ino)"
    }
}

extension Logger.Level {
    /// Of syslog(3).
    fileprivate var priority: Int {
        switch self {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }
}
