// Stand-ins until the files of the same types are merged.
public struct SourceFile: Hashable, Sendable {
    public let path: String
    public let bytes: [UInt8]
    public let id: String?
    public init(path: String, bytes: [UInt8], id: String?) {
        self.path = path
        self.bytes = bytes
        self.id = id
    }
}

public struct SourceTree: Sendable {
    public let files: [SourceFile]
    public let commit: String?
    public init(files: [SourceFile], commit: String?) {
        self.files = files
        self.commit = commit
    }
    public static func folder(_ path: String) throws(DesiredError) -> SourceTree { SourceTree(files: [], commit: nil) }
}

public struct DesiredError: Error, CustomStringConvertible {
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
