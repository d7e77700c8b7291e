import Topology

/// What a walk over a commit or folder has taken in: one for both, so that both have the same limits and findings.
///
/// The walk goes in the order of paths. It ends at the first thing that is beyond `ReadLimits`, and after as many errors as
/// are listed.
struct TreeIntake {
    private(set) var files: [SourceFile] = []
    private(set) var skipped: [Diagnostic] = []
    private(set) var meter: ReadMeter
    /// Bytes of files that were parsed, not taken from another commit.
    private(set) var parsedBytes = 0
    /// Whether the walk must end.
    private(set) var isOver = false
    private var errors = 0
    private var skippedEntries = 0
    private var skippedBytes = 0
    /// What is known of a content that was read: its bytes, and its first path; that is empty if it neither defines anything
    /// nor is wrong.
    private var known: [String: (bytes: Int, first: String)] = [:]

    init(subject: String, deadlineSeconds: Int?) {
        meter = ReadMeter(subject: subject, deadlineSeconds: deadlineSeconds)
    }

    /// Counts an entry, whatever it is.
    ///
    /// - Parameter isHidden: whether it lies below a name that begins with `.`: such are only looked at for a warning.
    /// - Returns: whether to look at it.
    mutating func enter(_ path: String, isHidden: Bool) throws(DesiredError) -> Bool {
        guard !isOver else { return false }
        if isHidden {
            skippedEntries += 1
            return skippedEntries <= ReadLimits.Skipped.entries && path.utf8.count <= ReadLimits.pathBytes
        }
        if let excess = try meter.countEntry() {
            stop(path, .beyondLimits(excess))
            return false
        }
        guard path.utf8.count <= ReadLimits.pathBytes else {
            add(SourceFile(path: path, obstacle: .pathTooLong))
            return false
        }
        return true
    }

    /// Whether a folder of git's may be read, whose list has so many bytes.
    mutating func enterFolder(_ path: String, bytes: Int, depth: Int, isHidden: Bool) -> Bool {
        guard depth < ReadLimits.depth else {
            if !isHidden { add(SourceFile(path: path, obstacle: .tooDeep)) }
            return false
        }
        if isHidden { return bytes <= ReadLimits.Skipped.fileBytes && countSkipped(bytes: bytes) }
        guard bytes <= ReadLimits.objectBytes else {
            add(SourceFile(path: path, obstacle: .tooLarge))
            return false
        }
        if let excess = meter.count(bytes: bytes) { stop(path, .beyondLimits(excess)) }
        return !isOver
    }

    /// Whether a topology file's content is to be read, which has so many bytes.
    ///
    /// - Parameter id: of its content, if that is known beforehand.
    /// - Parameter size: is asked for contents that are new.
    mutating func wants(_ path: String, id: String?, size: () throws(DesiredError) -> Int) throws(DesiredError) -> Bool {
        // One file may take a second.
        try meter.checkTime()
        let copy = id.flatMap { known[$0] }
        let bytes = if let copy { copy.bytes } else { try size() }
        guard wants(path, bytes: bytes, id: id) else { return false }
        guard let id, let copy else { return true }
        takeCopy(path, id: id, of: copy.first)
        return false
    }

    /// The same, of a content whose id is not known.
    mutating func wants(_ path: String, bytes: Int, id: String? = nil) -> Bool {
        guard bytes <= ReadLimits.objectBytes else {
            add(SourceFile(path: path, id: id ?? "", obstacle: .tooLarge))
            return false
        }
        if let excess = meter.countFile() ?? meter.count(bytes: bytes) {
            stop(path, .beyondLimits(excess))
            return false
        }
        return true
    }

    /// Reads a topology file.
    mutating func take(_ path: String, bytes: UnsafeRawBufferPointer, id: String) {
        if let copy = known[id] { return takeCopy(path, id: id, of: copy.first) }
        parsedBytes += bytes.count
        take(SourceFile(path: path, bytes: bytes, id: id), bytes: bytes.count)
    }

    /// The same of one that was read before.
    mutating func take(_ file: SourceFile, bytes: Int) {
        known[file.id] = (bytes, file.parsed.saysSomething ? file.path : "")
        add(file)
    }

    mutating func obstruct(_ path: String, _ cause: String) {
        add(SourceFile(path: path, obstacle: .unreadable(cause)))
    }

    /// A file that says nothing may lie anywhere; any other would define everything a second time.
    private mutating func takeCopy(_ path: String, id: String, of first: String) {
        if !first.isEmpty { add(SourceFile(path: path, id: id, obstacle: .copy(first))) }
    }

    private mutating func add(_ file: SourceFile) {
        var file = file
        errors += file.parsed.errors
        if errors >= ReadLimits.listed {
            isOver = true
            var parsed = file.parsed
            parsed.close(after: "the rest of the tree was not read")
            file = SourceFile(path: file.path, id: file.id, parsed: parsed)
        }
        files.append(file)
    }

    private mutating func stop(_ path: String, _ obstacle: SourceFile.Obstacle) {
        files.append(SourceFile(path: path, obstacle: obstacle))
        isOver = true
    }

    // MARK: What is skipped

    /// Whether the beginning of a file of so many bytes is to be looked at, for a warning only.
    mutating func wantsBeginning(bytes: Int) -> Bool {
        bytes <= ReadLimits.Skipped.fileBytes && skipped.count < ReadLimits.listed && countSkipped(bytes: bytes)
    }

    private mutating func countSkipped(bytes: Int) -> Bool {
        guard skippedBytes + bytes <= ReadLimits.Skipped.bytes else { return false }
        skippedBytes += bytes
        return true
    }

    mutating func skip(_ path: String, _ reason: SkippedFile) {
        guard skipped.count < ReadLimits.listed else { return }
        skipped.append(
            .finding(
                .skippedFile, at: SourceLocation(file: path, line: 1, column: 1), reason.message, hint: reason.hint, other: nil))
    }
}
