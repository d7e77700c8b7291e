import Topology

/// A desired state that cannot be read at all: what was tried, on what, and why it failed.
///
/// Findings about what a tree says are `Diagnostic`s, not errors.
public struct DesiredError: Error, Hashable, Sendable {
    /// A verb phrase: `read`, `open the repository`.
    public let operation: String
    /// A path, a URL or a reference.
    public let subject: String
    public let cause: String
    /// Whether it only took too long: that says nothing about what was read, and another try may have more luck.
    public let isTooSlow: Bool

    public init(_ operation: String, _ subject: String, cause: String, isTooSlow: Bool = false) {
        self.operation = operation
        self.subject = subject
        self.cause = cause
        self.isTooSlow = isTooSlow
    }

    /// What was not done within so many seconds.
    public static func tooSlow(_ operation: String, _ subject: String, seconds: Int) -> DesiredError {
        DesiredError(
            operation, subject, cause: "not done within \(seconds) second\(seconds == 1 ? "" : "s"); --fetch-timeout gives it more",
            isTooSlow: true)
    }
}

extension DesiredError: CustomStringConvertible {
    /// One line, printable: the subject may be a path of somebody's choice.
    public var description: String { "cannot \(operation) \(subject): \(cause)".printable }
}
