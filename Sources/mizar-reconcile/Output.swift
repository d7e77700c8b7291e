import FoundationEssentials
import Logging
import Synchronization
import SystemPackage
import Topology

/// Results go to standard output, everything else to standard error.
enum Output {
    /// A result, or a part of one, on lines of its own.
    ///
    /// - Parameter hint: what whoever does not get it should know.
    static func print(_ text: String, hint: String? = nil) throws {
        do {
            try FileDescriptor.standardOutput.writeAll((text + "\n").utf8)
        } catch Errno.brokenPipe {
            // Who read it has gone, and has what it wanted.
            throw Exit.error
        } catch let error as Errno {
            throw Failure("cannot write to standard output: \(error)", hint: hint)
        }
    }

    /// The form of all messages. Set before a command runs.
    static let logFormat = Mutex(LogFormat.text)

    /// A line for standard error that begins with how bad it is, as `error: ` does.
    static func complain(_ line: String) {
        for level in [Logger.Level.error, .warning] where line.hasPrefix("\(level): ") {
            return Log.write(level, String(line.dropFirst("\(level): ".count)), format: logFormat.withLock { $0 })
        }
        Log.write(.info, line, format: logFormat.withLock { $0 })
    }

    static func complain(_ diagnostics: [Diagnostic]) {
        for diagnostic in diagnostics {
            let level = diagnostic.severity == .error ? Logger.Level.error : .warning
            switch logFormat.withLock({ $0 }) {
            case .text: Log.writeLine(diagnostic.description, level)
            case .json:
                Log.write(
                    level,
                    diagnostic.message + (diagnostic.hint.map { "; \($0)" } ?? ""),
                    ["at": "\(diagnostic.at)", "code": "\(diagnostic.code)"], format: .json)
            }
        }
    }

    /// As it is.
    static func complainRaw(_ text: String) {
        // One write; nobody is left to tell if standard error itself fails.
        _ = try? FileDescriptor.standardError.writeAll((text + "\n").utf8)
    }

    /// JSON with sorted keys in snake_case, so that equal values give equal bytes.
    static func json(_ value: some Encodable, pretty: Bool = true) throws -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting =
            pretty
            ? [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes] : [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    static func decode<T: Decodable>(_ type: T.Type, from text: [UInt8]) throws -> T {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: Data(text))
    }

    /// All of a file, or of standard input for `-`; an error if it has more than `most` bytes.
    static func read(_ path: String, most: Int) throws -> [UInt8] {
        do {
            let file = path == "-" ? FileDescriptor.standardInput : try FileDescriptor.open(FilePath(path), .readOnly)
            defer { if path != "-" { try? file.close() } }
            var bytes: [UInt8] = []
            var chunk = [UInt8](repeating: 0, count: 1 << 16)
            while true {
                let count = try chunk.withUnsafeMutableBytes { try file.read(into: $0) }
                if count == 0 { return bytes }
                guard bytes.count + count <= most else { throw Failure("\(path) has more than \(most) bytes, the most that are read") }
                bytes += chunk.prefix(count)
            }
        } catch let error as Errno {
            throw Failure("cannot read \(path): \(error)")
        }
    }
}
