import CGit2
import Glibc

/// Who we are to a remote, and whether it is who it should be, during one connection.
///
/// ssh: the agent, then `MIZAR_SSH_KEY`, `~/.ssh/id_ed25519` and `~/.ssh/id_ecdsa` (keys without a passphrase); the host's key
/// must be in `MIZAR_KNOWN_HOSTS`, `~/.ssh/known_hosts` or `/etc/ssh/ssh_known_hosts`. http and https: `GitHTTPRemote`.
final class GitSession {
    private let url: String
    private var keys: [SSHIdentity]
    /// Our own side of http and https, in place of libgit2's.
    private let http: GitHTTPRemote?
    /// Why we ended the connection ourselves.
    private(set) var refusal: String?

    /// - Parameter url: the one that is connected to.
    /// - Parameter proxies: of git's settings.
    init(url: String, proxies: HTTPProxies) throws(HTTPFailure) {
        self.url = url
        keys = SSHIdentity.all()
        http = HTTPURL.isHTTP(url) ? try GitHTTPRemote(url: url, proxies: proxies) : nil
    }

    func refuse(_ failure: HTTPFailure) { refusal = failure.message }

    /// The session must outlive the calls that use `callbacks`.
    func install(in callbacks: inout git_remote_callbacks) {
        callbacks.payload = Unmanaged.passUnretained(self).toOpaque()
        callbacks.credentials = { out, _, user, allowed, payload in
            guard let payload else { return GIT_EAUTH.rawValue }
            let session = Unmanaged<GitSession>.fromOpaque(payload).takeUnretainedValue()
            return session.credential(out, user: user.map { String(cString: $0) }, allowed: allowed)
        }
        callbacks.certificate_check = { certificate, _, _, payload in
            guard let payload else { return GIT_ECERTIFICATE.rawValue }
            let session = Unmanaged<GitSession>.fromOpaque(payload).takeUnretainedValue()
            return session.check(certificate)
        }
        if http != nil { callbacks.transport = GitHTTPTransport.make }
    }

    /// For the transport that `install` has put in: whose it is, and how it speaks.
    static func http(_ payload: UnsafeMutableRawPointer?) -> (GitSession, GitHTTPRemote)? {
        guard let payload else { return nil }
        let session = Unmanaged<GitSession>.fromOpaque(payload).takeUnretainedValue()
        return session.http.map { (session, $0) }
    }

    private func credential(
        _ out: UnsafeMutablePointer<UnsafeMutablePointer<git_credential>?>?, user: String?, allowed: UInt32
    ) -> Int32 {
        if allowed & GIT_CREDENTIAL_SSH_KEY.rawValue != 0 {
            let user = user ?? "git"
            guard !keys.isEmpty else {
                refusal =
                    "the server takes none of our ssh keys (tried the agent, MIZAR_SSH_KEY, ~/.ssh/id_ed25519 and ~/.ssh/id_ecdsa); "
                    + "RSA keys do not work with this libssh2, which only signs with SHA-1: use an Ed25519 or ECDSA key"
                return GIT_EAUTH.rawValue
            }
            switch keys.removeFirst() {
            case .agent: return git_credential_ssh_key_from_agent(out, user)
            case .file(let path):
                guard access(path, R_OK) == 0 else {
                    refusal = "cannot read the private key \(path): \(String(cString: strerror(errno)))"
                    return GIT_EAUTH.rawValue
                }
                return git_credential_ssh_key_new(out, user, nil, path, nil)
            }
        }
        if allowed & GIT_CREDENTIAL_USERNAME.rawValue != 0 {
            return git_credential_username_new(out, user ?? "git")
        }
        // By ssh: what comes by http is answered by GitHTTPRemote.
        if allowed & GIT_CREDENTIAL_USERPASS_PLAINTEXT.rawValue != 0 {
            refusal = "the server asks for a password, which cannot be given by ssh: use a key"
            return GIT_EAUTH.rawValue
        }
        refusal = "the server asks for credentials of a kind that we do not have"
        return GIT_EAUTH.rawValue
    }

    private func check(_ certificate: UnsafeMutablePointer<git_cert>?) -> Int32 {
        guard let certificate else { return GIT_ECERTIFICATE.rawValue }
        switch certificate.pointee.cert_type {
        case GIT_CERT_HOSTKEY_LIBSSH2:
            return certificate.withMemoryRebound(to: git_cert_hostkey.self, capacity: 1) { checkHostKey($0.pointee) }
        default:
            return GIT_PASSTHROUGH.rawValue
        }
    }

    private func checkHostKey(_ key: git_cert_hostkey) -> Int32 {
        guard let (host, port) = GitLocation.sshEndpoint(url), key.type.rawValue & GIT_CERT_SSH_RAW.rawValue != 0,
            let bytes = key.hostkey
        else {
            refusal = "the server's host key cannot be read"
            return GIT_ECERTIFICATE.rawValue
        }
        let raw = Array(UnsafeRawBufferPointer(start: bytes, count: key.hostkey_len))
        switch KnownHosts.system().verdict(host: host, port: port, key: raw) {
        case .known:
            return 0
        case .changed(let place):
            refusal = "the host key of \(host) is not the one in \(place): somebody may be in between"
        case .revoked(let place):
            refusal = "the host key of \(host) is revoked in \(place)"
        case .unknown:
            let port = port == 22 ? "" : "-p \(port) "
            refusal =
                "the \(KnownHosts.typeName(raw)) host key of \(host) is unknown: get its keys with “ssh-keyscan \(port)\(host)”, check them, and add them to "
                + "~/.ssh/known_hosts or the file that MIZAR_KNOWN_HOSTS names"
        }
        return GIT_ECERTIFICATE.rawValue
    }
}

/// A way to sign in by ssh.
enum SSHIdentity: Hashable {
    case agent
    /// A private key's file.
    case file(String)

    /// In the order in which they are tried.
    static func all() -> [SSHIdentity] {
        var found: [SSHIdentity] = agentAnswers ? [.agent] : []
        if let named = Mirror.environment("MIZAR_SSH_KEY") { found.append(.file(named)) }
        for name in ["id_ed25519", "id_ecdsa"] {
            guard let home = KnownHosts.home else { break }
            let path = "\(home)/.ssh/\(name)"
            if access(path, R_OK) == 0 { found.append(.file(path)) }
        }
        return found
    }

    /// Whether an agent listens: the socket of one that has ended would end libgit2's attempt before any other key.
    private static var agentAnswers: Bool {
        guard let path = Mirror.environment("SSH_AUTH_SOCK") else { return false }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { room in
            guard path.utf8.count < room.count else { return false }
            room.copyBytes(from: path.utf8)
            return true
        }
        guard fits else { return false }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
    }
}
