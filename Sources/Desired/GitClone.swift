import CGit2
import Glibc

/// Why a local repository may lack what its commits name.
enum GitClone {
    /// What is missing and what brings it, or nil if the repository is meant to have everything.
    static func lack(of path: String) -> String? {
        var repository: OpaquePointer?
        guard GitLibrary.started == nil, git_repository_open_ext(&repository, path, GIT_REPOSITORY_OPEN_NO_SEARCH.rawValue, nil) == 0
        else { return nil }
        defer { git_repository_free(repository) }
        if let missing = alternates(of: repository).first(where: { access($0, R_OK | X_OK) != 0 }) {
            return "\(borrows) \(missing), which cannot be read: “git repack -a -d” makes it whole where it can"
        }
        if isPartial(repository) {
            return "the clone is partial (--filter), and what it lacks is not fetched here: “git fetch --refetch --no-filter” brings it"
        }
        if git_repository_is_shallow(repository) == 1 {
            return "the clone is shallow: “git fetch --unshallow” brings older commits"
        }
        return nil
    }

    /// A folder of objects that the clone borrows from and that is not there makes every answer about it doubtful.
    static let borrows = "the clone borrows objects of"

    private static func isPartial(_ repository: OpaquePointer?) -> Bool {
        var config: OpaquePointer?
        guard git_repository_config(&config, repository) == 0 else { return false }
        defer { git_config_free(config) }
        var iterator: OpaquePointer?
        guard git_config_iterator_glob_new(&iterator, config, "^remote\\..*\\.(promisor|partialclonefilter)$") == 0 else { return false }
        defer { git_config_iterator_free(iterator) }
        var entry: UnsafeMutablePointer<git_config_entry>?
        return git_config_next(&entry, iterator) == 0
    }

    /// The folders of objects that the repository borrows from, as gitrepository-layout(5) has them.
    private static func alternates(of repository: OpaquePointer?) -> [String] {
        guard let store = git_repository_commondir(repository) else { return [] }
        let objects = String(cString: store) + "objects"
        guard let file = fopen(objects + "/info/alternates", "re") else { return [] }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: Int(PATH_MAX) + 2)
        var found: [String] = []
        while found.count < 64, fgets(&line, Int32(line.count), file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 && $0 != 10 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            guard !text.isEmpty, !text.hasPrefix("#") else { continue }
            found.append(text.hasPrefix("/") ? text : "\(objects)/\(text)")
        }
        return found
    }
}

extension DesiredError {
    /// The same, with the reason for it: an object that is not there is what all clones with a lack have in common.
    func explained(by lack: String?) -> DesiredError {
        guard let lack, cause.contains("not found") || lack.hasPrefix(GitClone.borrows) else { return self }
        return DesiredError(operation, subject, cause: "\(cause): \(lack)")
    }
}
