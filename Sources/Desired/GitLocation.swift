/// Where a repository is: what users write after `--repo`.
public enum GitLocation: Hashable, Sendable {
    /// A path of this machine: a repository, bare or not, or a plain folder.
    case path(String)
    /// `https://…`, `http://…`, `ssh://…`, `git://…`, `file://…` or `user@host:path`.
    case remote(String)

    /// Takes `text` apart as git does: a URL has `://`, and `host:path` has its colon before any slash.
    ///
    /// - Throws: an error for a scheme that libgit2 does not take.
    public init(_ text: String) throws(DesiredError) {
        guard !text.isEmpty else { throw DesiredError("open", "“”", cause: "the name of the repository is empty") }
        if let scheme = text.firstRange(of: "://") {
            let name = text[..<scheme.lowerBound].lowercased()
            guard Self.schemes.contains(name) else {
                throw DesiredError(
                    "open", text,
                    cause: "the scheme “\(name)” is none of \(Self.schemes.joined(separator: ", "))")
            }
            self = .remote(text)
        } else if let colon = text.firstIndex(of: ":"), colon != text.startIndex, !text[..<colon].contains("/") {
            self = .remote(text)
        } else {
            self = .path(text)
        }
    }

    static let schemes = ["https", "http", "ssh", "git", "file"]

    /// `text` without a password in it, for messages.
    public static func redacted(_ text: String) -> String {
        guard let scheme = text.firstRange(of: "://") else { return text }
        let rest = text[scheme.upperBound...]
        let authority = rest.prefix { $0 != "/" }
        guard let at = authority.lastIndex(of: "@"), let colon = authority.firstIndex(of: ":"), colon < at else { return text }
        return text[..<scheme.upperBound] + authority[..<colon] + ":***" + rest[at...]
    }

    /// Host and port that an ssh location names; the port is 22 unless said.
    static func sshEndpoint(_ text: String) -> (host: String, port: Int)? {
        var authority: Substring
        if let scheme = text.firstRange(of: "://") {
            guard text[..<scheme.lowerBound].lowercased() == "ssh" else { return nil }
            authority = text[scheme.upperBound...].prefix { $0 != "/" }
        } else if text.contains("[") {
            // scp-like with a literal or a port: [user@host:22]:path, user@[::1]:path
            authority = text[..<(text.lastIndex(of: "]").map { text.index(after: $0) } ?? text.endIndex)]
        } else {
            authority = text.prefix { $0 != ":" }
        }
        if let at = authority.lastIndex(of: "@") { authority = authority[authority.index(after: at)...] }
        if authority.first == "[" {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            let host = authority[authority.index(after: authority.startIndex)..<end]
            let port = authority[authority.index(after: end)...].dropFirst()
            return (String(host), Int(port) ?? 22)
        }
        if let colon = authority.firstIndex(of: ":") {
            return (String(authority[..<colon]), Int(authority[authority.index(after: colon)...]) ?? 22)
        }
        return (String(authority), 22)
    }
}
