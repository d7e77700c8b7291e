import FoundationEssentials
import Logging
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
        let details = metadata.merging(event.metadata ?? [:]) { $1 }.mapValues { "\($0)" }
        Self.write(event.level, "\(event.message)", details, format: format)
    }

    static func write(_ level: Logger.Level, _ message: String, _ details: [String: String] = [:], format: LogFormat) {
        switch format {
        case .text:
            let details = details.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
            let word = level <= .notice ? "" : "\(level.rawValue): "
            Output.complainRaw("\(word)\(message)\(details)".printable)
        case .json:
            var fields = details
            fields["level"] = level.rawValue
            fields["message"] = message
            fields["time"] = Date().formatted(.iso8601)
            if let line = try? Output.json(fields, pretty: false) { Output.complainRaw(line) }
        }
    }
}
