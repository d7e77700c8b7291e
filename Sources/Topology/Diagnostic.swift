/// A finding about the input, at a place: what is wrong or doubtful, and what to do.
public struct Diagnostic: Hashable, Sendable, Codable {
    public enum Severity: String, Hashable, Sendable, Codable { case error, warning }

    public let severity: Severity
    /// Stable, documented in docs/errors.md.
    public let code: String
    public let at: SourceLocation
    /// One sentence without a full stop.
    public let message: String
    /// What to do about it.
    public let hint: String?
    /// Another place that the message is about, such as a first definition.
    public let other: SourceLocation?

    public init(
        _ severity: Severity, _ code: String, at: SourceLocation, _ message: String, hint: String? = nil,
        other: SourceLocation? = nil
    ) {
        self.severity = severity
        self.code = code
        self.at = at
        self.message = message
        self.hint = hint
        self.other = other
    }
}

extension Diagnostic: CustomStringConvertible {
    /// `file:line:column: error[CODE]: what; what to do`, printable.
    public var description: String {
        "\(at): \(severity.rawValue)[\(code)]: \(message)\(hint.map { "; \($0)" } ?? "")".printable
    }
}

extension Diagnostic: Comparable {
    public static func < (left: Self, right: Self) -> Bool {
        (left.at, left.code, left.message) < (right.at, right.code, right.message)
    }
}
