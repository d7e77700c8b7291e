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
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        switch format {
        case .text:
            let details = all.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
            let word = event.level <= .notice ? "" : "\(event.level.rawValue): "
            Output.complain("\(word)\(event.message)\(details)".printable)
        case .json:
            var fields = all.mapValues { "\($0)" }
            fields["level"] = event.level.rawValue
            fields["message"] = "\(event.message)"
            fields["time"] = Date().formatted(.iso8601)
            if let line = try? Output.json(fields, pretty: false) { Output.complain(line) }
        }
    }
}
