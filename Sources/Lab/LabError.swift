/// Why something about a lab did not work.
public struct LabError: Error, CustomStringConvertible {
    /// What was being done, such as “create” or “enter”.
    public let operation: String
    public let subject: String
    public let cause: String

    public init(_ operation: String, _ subject: String, cause: String) {
        self.operation = operation
        self.subject = subject
        self.cause = cause
    }

    public var description: String { "\(operation) \(subject): \(cause)" }
}
