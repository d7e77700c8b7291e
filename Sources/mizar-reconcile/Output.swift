import FoundationEssentials
import Glibc
import SystemPackage
import Topology

/// Results go to standard output, everything else to standard error.
enum Output {
    static func complain(_ line: String) {
        // One write a line; nobody is left to tell if standard error itself fails.
        _ = try? FileDescriptor.standardError.writeAll((line + "\n").utf8)
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

    /// All of a file, or of standard input for `-`.
    static func read(_ path: String) throws -> [UInt8] {
        do {
            let file = path == "-" ? FileDescriptor.standardInput : try FileDescriptor.open(FilePath(path), .readOnly)
            defer { if path != "-" { try? file.close() } }
            var bytes: [UInt8] = []
            var chunk = [UInt8](repeating: 0, count: 1 << 16)
            while true {
                let count = try chunk.withUnsafeMutableBytes { try file.read(into: $0) }
                if count == 0 { return bytes }
                bytes += chunk.prefix(count)
            }
        } catch let error as Errno {
            throw Failure("cannot read \(path): \(error)")
        }
    }

    static func complain(_ diagnostics: [Diagnostic]) {
        for diagnostic in diagnostics { complain(diagnostic.description) }
    }
}
