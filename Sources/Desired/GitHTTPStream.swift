import CGit2

/// One request of libgit2's and its answer: the request goes out when the answer is first read.
final class GitHTTPStream {
    private let session: GitSession
    private let remote: GitHTTPRemote
    private let isDiscovery: Bool
    private var body: [UInt8] = []
    private var isSent = false

    init(_ session: GitSession, _ remote: GitHTTPRemote, isDiscovery: Bool) {
        (self.session, self.remote, self.isDiscovery) = (session, remote, isDiscovery)
    }

    func write(_ bytes: UnsafeRawBufferPointer) { body += bytes }

    func read(into room: UnsafeMutableRawBufferPointer) throws(HTTPFailure) -> Int {
        if !isSent {
            isSent = true
            if isDiscovery { try remote.discover() } else { try remote.post(body) }
        }
        return try remote.read(into: room)
    }

    /// Runs `action` and gives libgit2's code for how it went; the cause is kept by the session.
    func attempt(_ action: (GitHTTPStream) throws(HTTPFailure) -> Void) -> Int32 {
        do throws(HTTPFailure) {
            try action(self)
            return 0
        } catch {
            session.refuse(error)
            git_error_set_str(Int32(GIT_ERROR_HTTP.rawValue), error.message)
            return GIT_ERROR.rawValue
        }
    }
}
