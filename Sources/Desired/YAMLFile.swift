/// What one file may be, whatever it says.
enum YAMLLimits {
    static let bytes = ReadLimits.objectBytes
    /// Mappings and lists inside each other; a document's own mapping is the first level.
    static let depth = 16
    /// Keys, values, mappings and lists of one file: a topology has no more than one in four bytes.
    static let nodes = 1 << 22
    /// Bytes of one key or value. The longest that means anything is a network's name, of 191.
    static let scalarBytes = 1024
    /// Items of one list.
    static let items = 1024
}

/// A place in a file: line and column from 1, the column in characters.
struct Mark: Hashable, Sendable, Comparable {
    var line: UInt32
    var column: UInt32

    init(line: Int, column: Int) {
        self.line = UInt32(clamping: line)
        self.column = UInt32(clamping: column)
    }

    static func < (left: Self, right: Self) -> Bool { (left.line, left.column) < (right.line, right.column) }
}

/// One node of a document.
///
/// Nodes lie in one array in the order of the file: the first child of a collection follows it, and `next` is the
/// node after its last. A mapping's children are key, value, key, value.
struct YAMLNode: Sendable {
    enum Kind: UInt8, Sendable {
        /// Without quotes: its type is to be told from its text.
        case plain
        /// Quoted, literal or folded: always text.
        case text
        case mapping
        case sequence
        /// Already reported; whoever reads it must stay silent.
        case refused
    }

    var kind: Kind
    var mark: Mark
    /// The bytes of a scalar in `YAMLFile.text`.
    var start: UInt32 = 0
    var end: UInt32 = 0
    private var nextNode: UInt32 = 0

    init(kind: Kind, mark: Mark, start: UInt32 = 0, end: UInt32 = 0, next: Int) {
        (self.kind, self.mark, self.start, self.end) = (kind, mark, start, end)
        self.next = next
    }

    var next: Int {
        get { Int(nextNode) }
        set { nextNode = UInt32(clamping: newValue) }
    }
}

/// A finding about a file, before its path is known.
struct YAMLProblem: Sendable {
    var code: DiagnosticCode
    var mark: Mark
    var message: String
    var hint: String?
    var other: Mark?
}

/// The documents of one file as flat nodes.
struct YAMLFile: Sendable {
    /// The text of all scalars, one after the other: UTF-8.
    var text: [UInt8] = []
    var nodes: [YAMLNode] = []
    /// The nodes that are whole documents; empty documents are left out.
    var roots: [Int] = []
    var problems: [YAMLProblem] = []
    /// False if the file could not be read to its end, so that what it would define is unknown.
    var isWhole = true

    func string(_ node: Int) -> String {
        String(decoding: text[Int(nodes[node].start)..<Int(nodes[node].end)], as: UTF8.self)
    }

    /// Compares bytes, not characters: keys are ASCII or unknown.
    func equals(_ node: Int, _ bytes: [UInt8]) -> Bool {
        let start = Int(nodes[node].start)
        guard Int(nodes[node].end) - start == bytes.count else { return false }
        for index in bytes.indices where text[start + index] != bytes[index] { return false }
        return true
    }
}
