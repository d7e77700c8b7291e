import CGit2

/// The objects of a repository, asked for their size before their content.
struct GitObjects: ~Copyable {
    private let repository: OpaquePointer
    private let database: OpaquePointer?
    /// How messages name the repository.
    let name: String

    /// - Parameter repository: must outlive this.
    init(_ repository: borrowing Repository) throws(DesiredError) {
        var database: OpaquePointer?
        try GitLibrary.check(git_repository_odb(&database, repository.pointer), "read", repository.name)
        self.repository = repository.pointer
        self.database = database
        name = repository.name
    }

    deinit { git_odb_free(database) }

    /// How many bytes an object has, by its header alone.
    func size(_ id: UnsafePointer<git_oid>?, _ subject: @autoclosure () -> String) throws(DesiredError) -> Int {
        var size = 0
        var type = GIT_OBJECT_ANY
        try GitLibrary.check(git_odb_read_header(&size, &type, database, id), "read", subject())
        return size
    }

    /// Calls `body` with a folder. Whoever does not choose it by its size is refused one that is larger than any that is read.
    func withSmallTree(
        _ id: UnsafePointer<git_oid>?, _ subject: @autoclosure () -> String,
        _ body: (OpaquePointer?) throws(DesiredError) -> Void
    ) throws(DesiredError) {
        guard try size(id, subject()) <= ReadLimits.objectBytes else {
            throw DesiredError("read", subject(), cause: "git's list of the folder is larger than 16 MiB")
        }
        try withTree(id, subject(), body)
    }

    /// Calls `body` with a folder whose size was asked for.
    func withTree(
        _ id: UnsafePointer<git_oid>?, _ subject: @autoclosure () -> String,
        _ body: (OpaquePointer?) throws(DesiredError) -> Void
    ) throws(DesiredError) {
        var tree: OpaquePointer?
        try GitLibrary.check(git_tree_lookup(&tree, repository, id), "read", subject())
        defer { git_tree_free(tree) }
        try body(tree)
    }

    /// Calls `body` with the folder at `path` below `root`; empty is `root` itself.
    func withFolder(
        _ path: String, of root: OpaquePointer?, commit: String, _ body: (OpaquePointer?) throws(DesiredError) -> Void
    ) throws(DesiredError) {
        guard !path.isEmpty else { return try body(root) }
        let subject = "\(path) in commit \(commit) of \(name)"
        var entry: OpaquePointer?
        let code = git_tree_entry_bypath(&entry, root, path)
        guard code != GIT_ENOTFOUND.rawValue else { throw DesiredError("read", subject, cause: "no such folder") }
        try GitLibrary.check(code, "read", subject)
        defer { git_tree_entry_free(entry) }
        switch git_tree_entry_filemode(entry) {
        case GIT_FILEMODE_TREE: try withSmallTree(git_tree_entry_id(entry), subject, body)
        case GIT_FILEMODE_COMMIT:
            throw DesiredError("read", subject, cause: "is a submodule: what is in it is not in this commit")
        case GIT_FILEMODE_LINK: throw DesiredError("read", subject, cause: "is a symbolic link, which is not followed")
        default: throw DesiredError("read", subject, cause: "is no folder")
        }
    }

    /// Calls `body` with the content of a file whose size was asked for.
    func withBlob(
        _ id: UnsafePointer<git_oid>?, _ subject: @autoclosure () -> String, _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(DesiredError) {
        var blob: OpaquePointer?
        try GitLibrary.check(git_blob_lookup(&blob, repository, id), "read", subject())
        defer { git_blob_free(blob) }
        body(UnsafeRawBufferPointer(start: git_blob_rawcontent(blob), count: Int(git_blob_rawsize(blob))))
    }
}
