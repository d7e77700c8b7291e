import CGit2
import Glibc

/// Whether a mirror is what a fetch has left, or a power cut or a bad disk has damaged it.
///
/// Only damage is a fault: a mirror that cannot be looked at is left as it is.
enum MirrorCheck {
    enum Depth {
        /// What every fetch looks at: settings, references, what they name, the ends of packs. Milliseconds.
        case outside
        /// All that a branch or tag has in its newest commit as well, each compared with its id.
        case objects
    }

    /// What is damaged, or nil.
    static func fault(in folder: String, _ depth: Depth) -> String? {
        guard access(folder, R_OK | W_OK | X_OK) == 0 else { return nil }
        if let obstacle = GitFolder.obstacle(inStore: folder) { return obstacle }
        if let fault = packFault(in: folder + "/objects/pack") { return fault }
        var repository: OpaquePointer?
        guard git_repository_open_bare(&repository, folder) == 0 else { return GitFailure(code: -1).message }
        defer { git_repository_free(repository) }
        var config: OpaquePointer?
        guard git_repository_config_snapshot(&config, repository) == 0 else { return GitFailure(code: -1).message }
        git_config_free(config)
        var database: OpaquePointer?
        guard git_repository_odb(&database, repository) == 0 else { return GitFailure(code: -1).message }
        defer { git_odb_free(database) }
        return referenceFault(folder, repository, database, depth)
    }

    private static func referenceFault(
        _ folder: String, _ repository: OpaquePointer?, _ database: OpaquePointer?, _ depth: Depth
    ) -> String? {
        var list = git_strarray()
        guard git_reference_list(&list, repository) == 0 else { return GitFailure(code: -1).message }
        defer { git_strarray_dispose(&list) }
        var walk = ObjectWalk(database: database)
        // libgit2 lists no reference whose file it cannot read.
        let names = Set((0..<list.count).compactMap { list.strings[$0].map { String(cString: $0) } } + files(in: folder, "refs", depth: 0))
        for name in ["HEAD"] + names.sorted() {
            var reference: OpaquePointer?
            guard git_reference_lookup(&reference, repository, name) == 0 else { return "\(name): \(GitFailure(code: -1).message)" }
            defer { git_reference_free(reference) }
            guard let target = git_reference_target(reference) else { continue }
            do throws(ObjectWalk.Fault) {
                try walk.visit(ObjectID(target), below: depth == .objects, parents: false)
            } catch {
                return "\(name): \(error.message)"
            }
        }
        return nil
    }

    /// Files below a folder of the mirror, by their paths in it.
    private static func files(in folder: String, _ path: String, depth: Int) -> [String] {
        guard depth < 64 else { return [] }
        return MirrorLeftovers.entries("\(folder)/\(path)").flatMap { name -> [String] in
            var status = stat()
            guard lstat("\(folder)/\(path)/\(name)", &status) == 0 else { return [] }
            guard status.st_mode & S_IFMT == S_IFDIR else { return ["\(path)/\(name)"] }
            return files(in: folder, "\(path)/\(name)", depth: depth + 1)
        }
    }

    /// A pack begins and ends as its index says.
    private static func packFault(in folder: String) -> String? {
        for name in MirrorLeftovers.entries(folder) where name.hasSuffix(".pack") {
            let (pack, index) = ("\(folder)/\(name)", "\(folder)/\(name.dropLast(5)).idx")
            guard let (start, end) = ends(of: pack, 4, 20), start == Array("PACK".utf8) else { return "\(pack) is damaged" }
            guard let (head, tail) = ends(of: index, 4, 40), head == [0xff, 0x74, 0x4f, 0x63] else { return "\(index) is damaged" }
            guard Array(tail[..<20]) == end else { return "\(index) is not the index of its pack" }
        }
        return nil
    }

    /// The first and the last bytes of a file; nil if it has fewer.
    private static func ends(of path: String, _ first: Int, _ last: Int) -> ([UInt8], [UInt8])? {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        let size = lseek(descriptor, 0, SEEK_END)
        var (start, end) = ([UInt8](repeating: 0, count: first), [UInt8](repeating: 0, count: last))
        guard size >= first + last, pread(descriptor, &start, first, 0) == first,
            pread(descriptor, &end, last, size - last) == last
        else { return nil }
        return (start, end)
    }
}
