// A file's name is its author's choice and may hold anything. What is drawn with it must stay what it is: one line of a
// terminal, one span of a comment.

extension String {
    /// On one line, without what a terminal acts on or does not show: controls, separators and invisible marks of
    /// direction become U+FFFD.
    public var printable: String {
        guard unicodeScalars.contains(where: { !Self.isPrintable($0) }) else { return self }
        return String(String.UnicodeScalarView(unicodeScalars.map { Self.isPrintable($0) ? $0 : "\u{fffd}" }))
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        if (0x20..<0x7f).contains(scalar.value) { return true }
        return switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned, .privateUse: false
        default: true
        }
    }

    /// As Markdown's code, in which nothing is markup, link or mention: printable, backticks replaced.
    public var codeText: String { String(printable.map { $0 == "`" ? "'" : $0 }) }

    /// What a comment's limit counts.
    public var length: Int { unicodeScalars.count }
}
