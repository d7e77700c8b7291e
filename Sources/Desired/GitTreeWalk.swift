import CGit2

/// A walk over one folder of a commit, in the order of paths: git sorts its lists so.
struct GitTreeWalk: ~Copyable {
    private let objects: GitObjects
    /// The commit's root, for links that lead out of the folder.
    private let root: OpaquePointer?
    /// The chosen folder; empty is the root.
    private let folder: String
    /// Files of another commit, by path.
    private let held: [String: SourceFile]

    init(_ objects: consuming GitObjects, root: OpaquePointer?, folder: String, held: SourceTree? = nil) {
        self.objects = objects
        self.root = root
        self.folder = folder
        // What is wrong with a file may have to do with the rest of its tree.
        let sound = held?.files.filter(\.parsed.diagnostics.isEmpty) ?? []
        self.held = Dictionary(sound.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
    }

    func run(commit: String, _ intake: inout TreeIntake) throws(DesiredError) {
        try objects.withFolder(folder, of: root, commit: commit) { below throws(DesiredError) in
            try collect(below, prefix: "", depth: 0, isHidden: false, &intake)
        }
    }

    private func subject(_ path: String) -> String { "\(path) of \(objects.name)" }

    private func collect(
        _ tree: OpaquePointer?, prefix: String, depth: Int, isHidden: Bool, _ intake: inout TreeIntake
    ) throws(DesiredError) {
        for index in 0..<git_tree_entrycount(tree) {
            guard !intake.isOver else { return }
            let entry = git_tree_entry_byindex(tree, index)
            guard let text = git_tree_entry_name(entry) else { continue }
            let name = String(cString: text)
            let path = prefix + name
            let isHidden = isHidden || !SourceTree.visits(name)
            guard try intake.enter(path, isHidden: isHidden) else { continue }
            let id = git_tree_entry_id(entry)
            switch git_tree_entry_filemode(entry) {
            case GIT_FILEMODE_TREE:
                try enter(id, path, depth: depth + 1, isHidden: isHidden, &intake)
            case GIT_FILEMODE_BLOB, GIT_FILEMODE_BLOB_EXECUTABLE:
                if !isHidden, SourceTree.takes(name) {
                    try take(id, path, &intake)
                } else {
                    try lookAt(id, path, isHidden: isHidden, &intake)
                }
            case GIT_FILEMODE_LINK where !isHidden:
                try judgeLink(id, name, prefix: prefix, &intake)
            case GIT_FILEMODE_COMMIT where !isHidden:
                intake.skip(path, .submodule)
            default:
                continue
            }
        }
    }

    private func enter(
        _ id: UnsafePointer<git_oid>?, _ path: String, depth: Int, isHidden: Bool, _ intake: inout TreeIntake
    ) throws(DesiredError) {
        let size = try objects.size(id, subject(path))
        guard intake.enterFolder(path, bytes: size, depth: depth, isHidden: isHidden) else { return }
        try objects.withTree(id, subject(path)) { tree throws(DesiredError) in
            try collect(tree, prefix: path + "/", depth: depth, isHidden: isHidden, &intake)
        }
    }

    private func take(
        _ id: UnsafePointer<git_oid>?, _ path: String, _ intake: inout TreeIntake
    ) throws(DesiredError) {
        let hex = Repository.hex(id)
        let isWanted = try intake.wants(path, id: hex) { () throws(DesiredError) in try objects.size(id, subject(path)) }
        guard isWanted else { return }
        if let file = held[path], file.id == hex { return intake.take(file, bytes: try objects.size(id, subject(path))) }
        try objects.withBlob(id, subject(path)) { intake.take(path, bytes: $0, id: hex) }
    }

    /// Whether a file that is skipped deserves a warning. What of it cannot be read deserves none.
    private func lookAt(
        _ id: UnsafePointer<git_oid>?, _ path: String, isHidden: Bool, _ intake: inout TreeIntake
    ) throws(DesiredError) {
        guard intake.wantsBeginning(bytes: try objects.size(id, subject(path))) else { return }
        try objects.withBlob(id, subject(path)) {
            if SkippedFile.looksLikeTopology($0) { intake.skip(path, .named(isHidden: isHidden)) }
        }
    }

    private func judgeLink(
        _ id: UnsafePointer<git_oid>?, _ name: String, prefix: String, _ intake: inout TreeIntake
    ) throws(DesiredError) {
        let path = prefix + name
        guard intake.wantsBeginning(bytes: try objects.size(id, subject(path))) else { return }
        var target = ""
        try objects.withBlob(id, subject(path)) {
            target = String(decoding: $0.prefix(ReadLimits.pathBytes), as: UTF8.self)
        }
        if SkippedFile.warns(of: name, to: target, kind(of: target, prefix: prefix)) {
            intake.skip(path, .link(target: target))
        }
    }

    private func kind(of target: String, prefix: String) -> SkippedFile.Target {
        let base = folder.isEmpty ? "" : folder + "/"
        guard let full = SkippedFile.resolve(target, from: base + prefix) else { return .unknown }
        let isFolder: Bool
        if full.isEmpty {
            isFolder = true
        } else {
            var entry: OpaquePointer?
            guard git_tree_entry_bypath(&entry, root, full) == 0 else { return .unknown }
            defer { git_tree_entry_free(entry) }
            let mode = git_tree_entry_filemode(entry)
            guard mode == GIT_FILEMODE_TREE || mode == GIT_FILEMODE_BLOB || mode == GIT_FILEMODE_BLOB_EXECUTABLE else {
                return .unknown
            }
            isFolder = mode == GIT_FILEMODE_TREE
        }
        return SkippedFile.kind(full, below: base, isFolder: isFolder)
    }
}
