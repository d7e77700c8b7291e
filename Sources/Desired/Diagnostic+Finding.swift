import Topology

extension Diagnostic {
    /// A finding of ours: what it quotes from a file is made fit for one line of a terminal.
    static func finding(
        _ code: DiagnosticCode, at place: SourceLocation, _ message: String, hint: String?, other: SourceLocation?
    ) -> Diagnostic {
        Diagnostic(
            code.severity, code.rawValue, at: place, oneLine(message), hint: hint.map(oneLine), other: other)
    }

    /// `text` with control characters escaped and its middle left out if it is long.
    private static func oneLine(_ text: String) -> String {
        let isLong = text.utf8.count > 400
        guard isLong || text.unicodeScalars.contains(where: isControl) else { return text }
        var shown = ""
        for scalar in (isLong ? "\(text.prefix(200))…\(text.suffix(150))" : text).unicodeScalars {
            if isControl(scalar) {
                shown += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                shown.unicodeScalars.append(scalar)
            }
        }
        return shown
    }

    /// Also what reorders or breaks a line: bidirectional controls, line and paragraph separators.
    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7f..<0xa0, 0x200e, 0x200f, 0x2028...0x202e, 0x2066...0x2069, 0xfeff: true
        default: false
        }
    }
}
