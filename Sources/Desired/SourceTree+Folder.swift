import SystemPackage

extension SourceTree {
    /// The topology files below a plain folder, sorted by path, each parsed.
    ///
    /// Symbolic links below `path` are not followed, as in a commit, where a link has no content of its own. What cannot
    /// be read has a finding in place of what it says: part of a topology is not a topology.
    ///
    /// - Parameter deadlineSeconds: how long it may take; nil: as long as the limits let it.
    /// - Throws: if the folder itself cannot be read.
    public static func folder(_ path: String, deadlineSeconds: Int? = nil) throws(DesiredError) -> SourceTree {
        var intake = TreeIntake(subject: "the folder \(path)", deadlineSeconds: deadlineSeconds)
        let walk: FolderWalk
        do throws(Errno) {
            walk = try FolderWalk(path)
        } catch {
            throw DesiredError(
                "read the folder", path,
                cause: error == .notDirectory ? "it is a file; give the folder that it is in" : "\(error)")
        }
        try walk.run(&intake)
        return SourceTree(intake)
    }
}
