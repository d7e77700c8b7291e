/// What one read of a commit or folder takes in, however it is packed: fixed numbers, so that a tree is valid on every
/// machine or on none. A million endpoints are 56 MiB in 26,000 files.
enum ReadLimits {
    /// Files and folders that are walked past, those that belong to no topology included. A folder that lies at many places
    /// counts at each.
    static let entries = 250_000
    /// Topology files.
    static let files = 100_000
    /// All topology files, and git's lists of folders: each time that they are read, so that many names for one content
    /// are no way around it.
    static let bytes = 256 << 20
    /// One file, or git's list of one folder.
    static let objectBytes = 16 << 20
    /// A path below the chosen folder.
    static let pathBytes = 1024
    /// Folders inside each other, the chosen one included.
    static let depth = 64
    /// Errors that are listed, and warnings. Reading ends at the last one: a tree of nothing but mistakes costs no more.
    static let listed = 1000

    /// What is read of all commits between two: of each what the one before it has not alike. A million endpoints of which all are
    /// changed once are as much as one read.
    struct Line {
        var bytes = ReadLimits.bytes
        var entries = 40 * ReadLimits.entries
    }

    /// What is looked at to warn of files that are skipped. More is not looked at; no verdict depends on it.
    enum Skipped {
        static let entries = 10_000
        static let bytes = 64 << 20
        static let fileBytes = 1 << 20
        /// Of the beginning of a file.
        static let prefixBytes = 4096
    }
}

/// Counts what one read takes in.
struct ReadMeter {
    private(set) var entries = 0
    private(set) var files = 0
    private(set) var bytes = 0
    private let deadline: ContinuousClock.Instant?
    private let subject: String
    private let seconds: Int

    /// - Parameter subject: what is read, for a message.
    init(subject: String, deadlineSeconds: Int?) {
        self.subject = subject
        seconds = deadlineSeconds ?? 0
        deadline = deadlineSeconds.map { ContinuousClock.now.advanced(by: .seconds($0)) }
    }

    /// Counts an entry of a folder; what there is too much of, if it is too much.
    ///
    /// - Throws: if it takes too long. That says nothing about the tree: whoever reads it again may have more luck.
    mutating func countEntry() throws(DesiredError) -> String? {
        entries += 1
        if entries % 256 == 0 { try checkTime() }
        return entries > ReadLimits.entries ? "more than 250,000 files and folders" : nil
    }

    func checkTime() throws(DesiredError) {
        if let deadline, ContinuousClock.now > deadline { throw .tooSlow("read", subject, seconds: seconds) }
    }

    mutating func countFile() -> String? {
        files += 1
        return files > ReadLimits.files ? "more than 100,000 topology files" : nil
    }

    mutating func count(bytes count: Int) -> String? {
        // Not beyond what was asked for: `count` may be anything that a header says.
        bytes = min(bytes, ReadLimits.bytes) + min(count, ReadLimits.bytes + 1)
        return bytes > ReadLimits.bytes ? "more than 256 MiB, each file counted once a name" : nil
    }
}
