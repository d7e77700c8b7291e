import Glibc

/// What the kernel, or libbpf, would not do: an operation, what it was about, and the cause.
public struct BPFError: Error, Hashable, Sendable {
    public enum Cause: Hashable, Sendable {
        /// The kernel's error number, positive.
        case errno(Int32)
        /// The verifier or the driver refused; `log` is the line that says why, if there is one.
        case refused(errno: Int32, log: String)
        /// A map that this version would lay out differently, and that is only read: every differing field.
        case unsupportedLayout([String])
        /// No room for another row.
        case full(capacity: Int)
        /// The row is not the one that the plan was made on.
        case changed(found: String)
        /// Somebody else is there.
        case occupied(by: String)
        /// A sentence that says what is missing, and what to do.
        case unavailable(String)
    }

    /// A verb: `open`, `attach`.
    public var operation: String
    /// What it was done to: `map endpoints`, `interface v-web-1`.
    public var subject: String
    public var cause: Cause
    /// Of the steps that were handed over together, how many at the front were done all the same.
    public var completed = 0

    public init(_ operation: String, _ subject: String, _ cause: Cause) {
        self.operation = operation
        self.subject = subject
        self.cause = cause
    }
}

extension BPFError: CustomStringConvertible {
    public var description: String { "cannot \(operation) \(subject): \(cause)" }
}

extension BPFError.Cause: CustomStringConvertible {
    public var description: String {
        switch self {
        case .errno(let number): Self.text(number)
        case .refused(let number, let log):
            // The verifier says EACCES of a program, not of whoever loads it.
            log.isEmpty ? Self.text(number) : "\(String(cString: strerror(number))): \(log)"
        case .unsupportedLayout(let fields):
            "another version laid it out (\(fields.joined(separator: ", "))), and this plan does not take it over; plan again"
        case .full(let capacity): "the map is full: it has room for \(capacity) rows"
        case .changed(let found): "its row changed since the plan was made: \(found)"
        case .occupied(let holder): "\(holder) is attached there"
        case .unavailable(let text): text
        }
    }

    private static func text(_ number: Int32) -> String {
        switch number {
        case EPERM, EACCES: "\(String(cString: strerror(number))) (root, or CAP_SYS_ADMIN and CAP_NET_ADMIN, is needed)"
        default: String(cString: strerror(number))
        }
    }
}
