/// A part of a name: 1 to 63 lower-case letters, digits and hyphens, none of these at its ends (RFC 1123, 2.1).
enum DNSLabel {
    static func isValid(_ text: String) -> Bool {
        let bytes = text.utf8
        guard (1...63).contains(bytes.count), bytes.first != UInt8(ascii: "-"), bytes.last != UInt8(ascii: "-") else {
            return false
        }
        return bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
            default: false
            }
        }
    }

    /// What to write in place of a label that is none.
    static func hint(_ text: String) -> String {
        let lower = String(
            text.lowercased().map { $0 == "_" || $0 == "." || $0 == " " ? "-" : $0 })
        if lower != text, isValid(lower) { return "write \(lower)" }
        return "1 to 63 lower-case letters, digits and hyphens, with a letter or digit at each end"
    }
}
