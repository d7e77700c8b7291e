import CGit2

extension Repository {
    /// More than any topology has, less than a tree that names itself a thousand times over would give.
    private static let filesMax = 1_000_000
    /// One byte more than a file may have, so that whoever checks the size sees that it is too much.
    private static let bytesMax = 16 << 20 + 1

    /// Every `*.yaml` and `*.yml` file below `path` of a commit, sorted by path, each with the id of its blob.
    ///
    /// Names beginning with `.` are skipped, as are symbolic links and submodules. Paths are relative to `path`.
    /// Of a file over 16 MiB only the beginning is given, one byte more than that.
    ///
    /// - Parameter commit: an id as `resolve` gives it.
    /// - Parameter path: a folder of the commit; nil or `.` is its root.
    /// - Parameter besides: ids of blobs that are left out.
    public func tree(
        commit: String, path: String? = nil, besides known: Set<String> = []
    ) throws(DesiredError) -> SourceTree {
        let folder = try Self.normalized(path)
        let subject = "commit \(commit) of \(name)"
        var id = git_oid()
        try GitLibrary.check(git_oid_fromstr(&id, commit), "read", subject)
        var object: OpaquePointer?
        try GitLibrary.check(git_commit_lookup(&object, pointer, &id), "read", subject)
        defer { git_commit_free(object) }
        var root: OpaquePointer?
        try GitLibrary.check(git_commit_tree(&root, object), "read", subject)
        defer { git_tree_free(root) }
        var files: [SourceFile] = []
        if folder.isEmpty {
            try collect(root, prefix: "", depth: 0, besides: known, into: &files)
        } else {
            let below = try subtree(root, folder, commit: commit)
            defer { git_tree_free(below) }
            try collect(below, prefix: "", depth: 0, besides: known, into: &files)
        }
        files.sort()
        return SourceTree(files: files, commit: commit)
    }

    /// `path` without `.` parts and surplus slashes; empty is the root.
    static func normalized(_ path: String?) throws(DesiredError) -> String {
        let parts = (path ?? "").split(separator: "/").filter { $0 != "." }
        guard !parts.contains("..") else {
            throw DesiredError("read", path ?? "", cause: "the folder must be inside the commit: no “..”")
        }
        return parts.joined(separator: "/")
    }

    private func subtree(
        _ root: OpaquePointer?, _ path: String, commit: String
    ) throws(DesiredError) -> OpaquePointer? {
        let subject = "\(path) in commit \(commit) of \(name)"
        var entry: OpaquePointer?
        let code = git_tree_entry_bypath(&entry, root, path)
        guard code != GIT_ENOTFOUND.rawValue else { throw DesiredError("read", subject, cause: "no such folder") }
        try GitLibrary.check(code, "read", subject)
        defer { git_tree_entry_free(entry) }
        guard git_tree_entry_type(entry) == GIT_OBJECT_TREE else {
            throw DesiredError("read", subject, cause: "is no folder")
        }
        var tree: OpaquePointer?
        try GitLibrary.check(git_tree_lookup(&tree, pointer, git_tree_entry_id(entry)), "read", subject)
        return tree
    }

    private func collect(
        _ tree: OpaquePointer?, prefix: String, depth: Int, besides known: Set<String>, into files: inout [SourceFile]
    ) throws(DesiredError) {
        for index in 0..<git_tree_entrycount(tree) {
            let entry = git_tree_entry_byindex(tree, index)
            guard let text = git_tree_entry_name(entry) else { continue }
            let entryName = String(cString: text)
            guard !entryName.hasPrefix(".") else { continue }
            switch git_tree_entry_filemode(entry) {
            case GIT_FILEMODE_TREE where depth + 1 == SourceTree.depthMax:
                files.append(SourceFile(path: prefix + entryName, obstacle: .tooDeep))
            case GIT_FILEMODE_TREE:
                var below: OpaquePointer?
                try GitLibrary.check(
                    git_tree_lookup(&below, pointer, git_tree_entry_id(entry)), "read", "\(prefix)\(entryName) of \(name)")
                defer { git_tree_free(below) }
                try collect(below, prefix: prefix + entryName + "/", depth: depth + 1, besides: known, into: &files)
            case GIT_FILEMODE_BLOB, GIT_FILEMODE_BLOB_EXECUTABLE:
                guard entryName.hasSuffix(".yaml") || entryName.hasSuffix(".yml") else { continue }
                guard files.count < Self.filesMax else {
                    throw DesiredError("read", name, cause: "has more than \(Self.filesMax) files")
                }
                let id = git_tree_entry_id(entry)
                if known.isEmpty || !known.contains(Self.hex(id)) { files.append(try blob(id, path: prefix + entryName)) }
            default:
                continue  // symbolic links and submodules: what they point at is not of this commit
            }
        }
    }

    private func blob(_ id: UnsafePointer<git_oid>?, path: String) throws(DesiredError) -> SourceFile {
        var blob: OpaquePointer?
        try GitLibrary.check(git_blob_lookup(&blob, pointer, id), "read", "\(path) of \(name)")
        defer { git_blob_free(blob) }
        let size = min(Int(git_blob_rawsize(blob)), Self.bytesMax)
        let bytes = UnsafeRawBufferPointer(start: git_blob_rawcontent(blob), count: size)
        return SourceFile(path: path, bytes: Array(bytes), id: Self.hex(id))
    }
}
