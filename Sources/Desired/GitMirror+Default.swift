import CGit2

extension Mirror {
    /// Points the mirror's HEAD at the remote's default branch.
    ///
    /// Without one, at nothing: a new mirror's HEAD names `master`, and an old one's the branch that was the default before.
    static func setDefault(_ branch: String?, of repository: OpaquePointer?, _ subject: String) throws(DesiredError) {
        if let branch { return try GitLibrary.check(git_repository_set_head(repository, branch), "fetch", subject) }
        var head: OpaquePointer?
        let code = git_reference_symbolic_create(&head, repository, "HEAD", "refs/mizar/no-default-branch", 1, nil)
        git_reference_free(head)
        try GitLibrary.check(code, "fetch", subject)
    }
}
