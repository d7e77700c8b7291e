import Logging

/// A value of a log line: in JSON a number is a number, and a list a list.
enum LogValue: Encodable {
    case text(String)
    case number(Int)
    case list([LogValue])
    case object([String: LogValue])

    init(_ value: Logger.MetadataValue) {
        switch value {
        case .string(let text): self = .text(text)
        case .stringConvertible(let value):
            self = (value as? any BinaryInteger).flatMap { Int(exactly: $0) }.map(LogValue.number) ?? .text("\(value)")
        case .array(let values): self = .list(values.map(LogValue.init))
        case .dictionary(let values): self = .object(values.mapValues(LogValue.init))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .text(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .list(let values): try container.encode(values)
        case .object(let values): try container.encode(values)
        }
    }

    /// For people, on one line.
    var text: String {
        switch self {
        case .text(let value): value
        case .number(let value): "\(value)"
        case .list(let values): values.map(\.text).joined(separator: ",")
        case .object(let values): values.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value.text)" }.joined(separator: ",")
        }
    }
}
