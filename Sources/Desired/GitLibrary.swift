import CGit2
import Glibc

/// libgit2 itself: started once a process, and its errors as Swift's.
enum GitLibrary {
    /// Starts libgit2 at its first use; nil, or why it could not be started.
    static let started: GitFailure? = {
        // A count of users: negative is an error, and there is no end that we would have to announce.
        guard mzr_git_set_allocator() == 0, git_libgit2_init() > 0 else { return GitFailure(code: -1) }
        limitAllocations(true)
        // Repositories are only read, no hook or filter of theirs is run: whose they are does not matter, and a
        // daemon of root's reads a user's repository.
        _ = mzr_git_set_owner_validation(0)
        _ = mzr_git_read_more_clones()
        // Another user's home (a service's, or one kept over setpriv or sudo) is no reason to fail.
        if let home = Mirror.environment("HOME"), access("\(home)/.gitconfig", R_OK) != 0, errno == EACCES {
            _ = mzr_git_forget_user()
        }
        // Nor is a home that is not there: a service of systemd's has none.
        let home = KnownHosts.home.flatMap { access("\($0)/.", X_OK) == 0 ? $0 : nil }
        _ = mzr_git_set_home(home ?? "/")
        // The mirror must be there after a power cut: it brings the network up without the server.
        _ = mzr_git_set_fsync(1)
        return nil
    }()

    /// The id that git gives to a file of this content; empty if libgit2 cannot be used.
    static func blobID(_ bytes: UnsafeRawBufferPointer) -> String {
        var id = git_oid()
        // It wants an address even of nothing.
        let none: UInt8 = 0
        let code = withUnsafePointer(to: none) {
            started == nil ? git_odb_hash(&id, bytes.baseAddress ?? UnsafeRawPointer($0), bytes.count, GIT_OBJECT_BLOB) : -1
        }
        return code == 0 ? Repository.hex(&id) : ""
    }

    /// Whether an object may only be read if nothing that must be unpacked for it is larger than `ReadLimits` lets one be four
    /// times. Whoever fetches takes whatever the remote has.
    static func limitAllocations(_ isLimited: Bool) {
        mzr_git_set_allocation_max(isLimited ? ReadLimits.objectBytes * 4 : Int.max)
    }

    /// Throws what libgit2 said about a failed call (a negative return code).
    static func check(_ code: Int32) throws(GitFailure) {
        if let failure = started { throw failure }
        guard code < 0 else { return }
        throw GitFailure(code: code)
    }

    /// The same, as an error of an operation on a subject.
    static func check(_ code: Int32, _ operation: String, _ subject: @autoclosure () -> String) throws(DesiredError) {
        do {
            try check(code)
        } catch {
            throw DesiredError(operation, subject(), cause: error.message)
        }
    }
}

/// What a call of libgit2 returned, and the sentence that it left about it.
struct GitFailure: Error {
    let code: Int32
    let message: String

    init(code: Int32) {
        self.code = code
        if let last = git_error_last(), let text = last.pointee.message {
            let said = String(cString: text)
            message = said.contains("extensions.objectformat") ? "its objects are SHA-256, and libgit2 reads SHA-1 alone" : said
        } else {
            message = "libgit2 returned \(code)"
        }
    }

    var isNotFound: Bool { code == GIT_ENOTFOUND.rawValue }
    var isAmbiguous: Bool { code == GIT_EAMBIGUOUS.rawValue }
    var isUnborn: Bool { code == GIT_EUNBORNBRANCH.rawValue }
}
