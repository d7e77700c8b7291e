import CGit2
import Glibc
import SystemPackage

/// Makes a damaged mirror anew beside it, and puts it in its place once it is whole: until then what can be read of the old one can.
enum MirrorRenewal {
    /// Where the damaged one stays: one, the last.
    static func damagedFolder(_ folder: String) -> String { folder + ".damaged" }
    private static func freshFolder(_ folder: String) -> String { folder + ".new" }

    /// - Parameter fetch: fills the folder that it is given. Only whoever holds the mirror's lock may call this.
    static func run(_ folder: String, _ fetch: (String) throws(DesiredError) -> Void) throws(DesiredError) {
        let (fresh, damaged) = (freshFolder(folder), damagedFolder(folder))
        removeTree(fresh)
        do throws(DesiredError) {
            try fetch(fresh)
            keepApplied(from: folder, in: fresh)
            removeTree(damaged)
            // At no time there is none. Where the file system cannot exchange them, for a moment.
            if mzr_exchange(fresh, folder) == 0 {
                guard rename(fresh, damaged) == 0 else { throw failure(damaged) }
            } else {
                guard rename(folder, damaged) == 0, rename(fresh, folder) == 0 else { throw failure(folder) }
            }
        } catch {
            removeTree(fresh)
            throw error
        }
    }

    private static func failure(_ path: String) -> DesiredError { DesiredError("rename", path, cause: "\(Errno(rawValue: errno))") }

    /// The commits that hosts applied last, as far as they and all before them can be read in the old mirror: the remote may
    /// not have them any more.
    private static func keepApplied(from old: String, in fresh: String) {
        let place = "refs/mizar/applied"
        var (source, repository, target) = (OpaquePointer?.none, OpaquePointer?.none, OpaquePointer?.none)
        guard git_repository_open_bare(&repository, fresh) == 0 else { return }
        defer { git_repository_free(repository) }
        guard git_repository_odb(&target, repository) == 0 else { return }
        defer { git_odb_free(target) }
        // Not as a repository: its settings may be what is damaged.
        let hasSource = git_odb_open(&source, old + "/objects") == 0
        defer { git_odb_free(source) }
        let new = target
        for host in MirrorLeftovers.entries("\(old)/\(place)") {
            guard let text = firstLine("\(old)/\(place)/\(host)"), let id = ObjectID(hex: text) else { continue }
            var oid = id.oid
            if git_odb_exists(new, &oid) == 0 {
                guard hasSource else { continue }
                var walk = ObjectWalk(database: source)
                // What the new mirror has, it has with all that it names; and all of this walk's is written or none is named.
                walk.isKnown = { known in
                    var oid = known.oid
                    return git_odb_exists(new, &oid) == 1
                }
                walk.take = { _, type, content throws(ObjectWalk.Fault) in
                    var written = git_oid()
                    guard git_odb_write(&written, new, content.baseAddress, content.count, type) == 0 else {
                        throw ObjectWalk.Fault(message: GitFailure(code: -1).message)
                    }
                }
                guard (try? walk.visit(id, below: true, parents: true)) != nil else { continue }
            }
            var reference: OpaquePointer?
            _ = git_reference_create(&reference, repository, "\(place)/\(host)", &oid, 1, nil)
            git_reference_free(reference)
        }
    }

    private static func firstLine(_ path: String) -> String? {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = read(descriptor, &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes[..<count].prefix { $0 != 10 }, as: UTF8.self) : nil
    }

    private static func removeTree(_ path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            unlink(path)
            return
        }
        for name in MirrorLeftovers.entries(path) { removeTree("\(path)/\(name)") }
        rmdir(path)
    }
}
