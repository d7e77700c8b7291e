/// A 64-bit id or digest whose JSON form is 16 hexadecimal digits: a number above 2^53 would be rounded by readers that
/// keep numbers as doubles.
@propertyWrapper
public struct Hex: Hashable, Sendable, Codable {
    public var wrappedValue: UInt64

    public init(wrappedValue: UInt64) { self.wrappedValue = wrappedValue }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard text.count == Self.digits, let value = UInt64(text, radix: 16) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "“\(text)” is not \(Self.digits) hexadecimal digits")
        }
        wrappedValue = value
    }

    public func encode(to encoder: any Encoder) throws {
        let text = String(wrappedValue, radix: 16)
        var container = encoder.singleValueContainer()
        try container.encode(String(repeating: "0", count: Self.digits - text.count) + text)
    }

    private static let digits = 16
}
