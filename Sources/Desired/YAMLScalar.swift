/// What a scalar without quotes means by YAML 1.2's core schema (YAML 1.2.2, 10.3.2).
///
/// So `yes`, `on`, `1:30` and `2026-01-01` are text here, and `0x1f` and `0o17` are numbers.
enum ScalarType: Sendable {
    case null, boolean, integer, float, text

    init(_ bytes: ArraySlice<UInt8>) {
        guard let first = bytes.first else {
            self = .null
            return
        }
        switch first {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
            self = Self.number(bytes)
        case UInt8(ascii: "~"), UInt8(ascii: "n"), UInt8(ascii: "N"), UInt8(ascii: "t"), UInt8(ascii: "T"),
            UInt8(ascii: "f"), UInt8(ascii: "F"):
            // No longer word has a meaning.
            self = bytes.count > 5 ? .text : Self.word(String(decoding: bytes, as: UTF8.self))
        default:
            self = .text
        }
    }

    /// With its article, for a message.
    var description: String {
        switch self {
        case .null: "nothing (null)"
        case .boolean: "a boolean"
        case .integer: "a number"
        case .float: "a fraction"
        case .text: "text"
        }
    }

    private static func word(_ text: String) -> ScalarType {
        switch text {
        case "~", "null", "Null", "NULL": .null
        case "true", "True", "TRUE", "false", "False", "FALSE": .boolean
        default: .text
        }
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> ScalarType {
        if integer(bytes) != nil { return .integer }
        var rest = bytes
        let isSigned = rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-")
        if isSigned { rest = rest.dropFirst() }
        let text = rest.count == 4 ? String(decoding: rest, as: UTF8.self) : ""
        if [".inf", ".Inf", ".INF"].contains(text) { return .float }
        if !isSigned, [".nan", ".NaN", ".NAN"].contains(text) { return .float }
        func digits() -> Int {
            let count = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }.count
            rest = rest.dropFirst(count)
            return count
        }
        let whole = digits()
        var fraction = 0
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            fraction = digits()
        }
        guard whole + fraction > 0 else { return .text }
        if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
            rest = rest.dropFirst()
            if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
            guard digits() > 0 else { return .text }
        }
        return rest.isEmpty ? .float : .text
    }

    /// The value of an integer, nil if `bytes` are none; beyond `Int` it is the nearest end of its range.
    static func integer(_ bytes: ArraySlice<UInt8>) -> Int? {
        var rest = bytes
        var radix = 10
        var isNegative = false
        if rest.starts(with: [UInt8(ascii: "0"), UInt8(ascii: "x")]) {
            (radix, rest) = (16, rest.dropFirst(2))
        } else if rest.starts(with: [UInt8(ascii: "0"), UInt8(ascii: "o")]) {
            (radix, rest) = (8, rest.dropFirst(2))
        } else if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") {
            isNegative = rest.first == UInt8(ascii: "-")
            rest = rest.dropFirst()
        }
        guard !rest.isEmpty else { return nil }
        var value = 0
        for byte in rest {
            let digit: Int
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = Int(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = Int(byte - UInt8(ascii: "a")) + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = Int(byte - UInt8(ascii: "A")) + 10
            default: return nil
            }
            guard digit < radix else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: radix)
            let (sum, carry) = product.addingReportingOverflow(digit)
            value = overflow || carry ? Int.max / radix * radix : sum
        }
        return isNegative ? -value : value
    }
}
