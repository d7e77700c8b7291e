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

    public init(_ operation: String, _ subject: String, cause: String) {
        self.operation = operation
        self.subject = subject
        self.cause = cause
    }
}

extension DesiredError: CustomStringConvertible {
    /// One line, printable: the subject may be a path of somebody's choice.
    public var description: String { "cannot \(operation) \(subject): \(cause)".printable }
}
