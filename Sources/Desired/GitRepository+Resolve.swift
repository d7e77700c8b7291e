import CGit2
import Topology

extension Repository {
    /// The id of the commit that `ref` means, in hexadecimal.
    ///
    /// Takes a branch, a tag (annotated or not), a full or short id, `refs/…`, or anything of gitrevisions(7) that
    /// names one commit (`main~1`). Nil is `HEAD`: of a mirror, the remote's default branch.
    public func resolve(_ ref: String? = nil) throws(DesiredError) -> String {
        let text = ref ?? "HEAD"
        guard !text.isEmpty else { throw DesiredError("resolve", "“” in \(name)", cause: "the name is empty") }
        if let ref { try refuseAmbiguous(ref) }
        var object: OpaquePointer?
        let found = git_revparse_single(&object, pointer, text)
        guard found == 0 else { throw unresolved(text, GitFailure(code: found)) }
        defer { git_object_free(object) }
        var commit: OpaquePointer?
        guard git_object_peel(&commit, object, GIT_OBJECT_COMMIT) == 0 else {
            throw DesiredError("resolve", "\(text) in \(name)", cause: "is \(Self.kind(of: object)), not a commit")
        }
        defer { git_object_free(commit) }
        return Self.hex(git_object_id(commit))
    }

    /// Refuses a name that two things have: git takes one of them with a warning, which nobody reads here, and whoever may push
    /// a branch could put it in the place of a tag.
    private func refuseAmbiguous(_ text: String) throws(DesiredError) {
        // What is in front of ~1, ^{commit}, :path, @{1}.
        let end = text.firstIndex { "~^:".contains($0) } ?? text.firstRange(of: "@{")?.lowerBound ?? text.endIndex
        let base = String(text[..<end])
        // HEAD is always the repository's own.
        guard !base.isEmpty, base != "HEAD" else { return }
        var meant: [String] = []
        for reference in ["refs/\(base)", "refs/heads/\(base)", "refs/tags/\(base)", "refs/remotes/\(base)", "refs/remotes/\(base)/HEAD"] {
            var id = git_oid()
            if git_reference_name_to_id(&id, pointer, reference) == 0 { meant.append(reference) }
        }
        let others = meant
        if !meant.isEmpty, let id = commit(beginningWith: base) { meant.append("commit \(id)") }
        guard meant.count > 1 else { return }
        throw DesiredError(
            "resolve", "\(text) in \(name)",
            cause: "this is the name of \(meant.joined(separator: " and of ")); write which: \(others.joined(separator: " or "))"
                + (others.count < meant.count ? ", or more of the id" : ""))
    }

    /// The commit that a short id means; nil if `text` is none.
    private func commit(beginningWith text: String) -> String? {
        guard (4..<40).contains(text.utf8.count) else { return nil }
        var id = git_oid()
        guard git_oid_fromstrp(&id, text) == 0 else { return nil }
        var object: OpaquePointer?
        guard git_object_lookup_prefix(&object, pointer, &id, text.utf8.count, GIT_OBJECT_COMMIT) == 0 else { return nil }
        defer { git_object_free(object) }
        return Self.hex(git_object_id(object))
    }

    private func unresolved(_ text: String, _ failure: GitFailure) -> DesiredError {
        let subject = "\(text) in \(name)"
        if failure.isAmbiguous {
            return DesiredError("resolve", subject, cause: "more than one object begins like this: write more of the id")
        }
        // What libgit2 may not read does not exist to it.
        if let store = git_repository_path(pointer), let obstacle = GitFolder.obstacle(inStore: String(cString: store)) {
            return DesiredError("resolve", subject, cause: obstacle)
        }
        let names = refNames()
        guard failure.isNotFound || failure.isUnborn || text == "HEAD" else {
            return DesiredError("resolve", subject, cause: failure.message)
        }
        if names.isEmpty { return DesiredError("resolve", subject, cause: "the repository has no commits yet") }
        if text == "HEAD" {
            return DesiredError(
                "resolve", subject,
                cause: "there is no default branch; say which with --ref: \(names.prefix(8).joined(separator: ", "))"
                    + (names.count > 8 ? ", …" : ""))
        }
        var cause = "no such branch, tag or commit"
        let near = Suggestion.near(text, among: names, most: 3)
        if !near.isEmpty {
            cause += "; did you mean \(near.joined(separator: ", "))?"
        } else {
            cause += "; there are \(names.prefix(8).joined(separator: ", "))\(names.count > 8 ? ", …" : "")"
        }
        if git_repository_is_shallow(pointer) == 1 {
            cause += " (the clone is shallow: older commits are not in it)"
        }
        return DesiredError("resolve", subject, cause: cause)
    }

    /// Branches, then remote branches, then tags, as users write them; each sort in order.
    func refNames() -> [String] {
        var list = git_strarray()
        guard git_reference_list(&list, pointer) == 0 else { return [] }
        defer { git_strarray_dispose(&list) }
        let all = (0..<list.count).compactMap { list.strings[$0].map { String(cString: $0) } }.sorted()
        var names: [String] = []
        for prefix in ["refs/heads/", "refs/remotes/", "refs/tags/"] {
            names += all.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
        }
        return names
    }

    /// What an object is, with its article; of a tag, what it names in the end.
    private static func kind(of object: OpaquePointer?) -> String {
        guard git_object_type(object) == GIT_OBJECT_TAG else { return "a \(typeName(object))" }
        var target: OpaquePointer?
        guard git_object_peel(&target, object, GIT_OBJECT_ANY) == 0 else { return "a tag of something that is not there" }
        defer { git_object_free(target) }
        return "a tag of a \(typeName(target))"
    }

    private static func typeName(_ object: OpaquePointer?) -> String {
        git_object_type2string(git_object_type(object)).map { String(cString: $0) } ?? "thing"
    }
}
