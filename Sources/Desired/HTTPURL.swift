/// An `http` or `https` URL, taken apart as RFC 3986 does.
struct HTTPURL: Hashable {
    let isSecure: Bool
    /// Percent-decoded; nil if the URL has none.
    let user: String?
    let password: String?
    /// In lower case; an IPv6 address without its brackets.
    let host: String
    let port: Int
    /// Path and query as they are sent: empty, or from the first `/` or `?` on.
    let target: String

    /// Who answers: what a secret was given for.
    struct Origin: Hashable {
        let isSecure: Bool
        let host: String
        let port: Int
    }

    var origin: Origin { Origin(isSecure: isSecure, host: host, port: port) }
    var scheme: String { isSecure ? "https" : "http" }

    /// As in a `Host` field: the port only where it is not the scheme's own.
    var authority: String { port == Self.port(isSecure: isSecure) ? Self.bracketed(host) : "\(Self.bracketed(host)):\(port)" }
    /// As a CONNECT names it.
    var hostAndPort: String { "\(Self.bracketed(host)):\(port)" }
    /// Without user and password.
    var text: String { "\(scheme)://\(authority)\(target)" }

    private static func bracketed(_ host: String) -> String { host.contains(":") ? "[\(host)]" : host }
    private static func port(isSecure: Bool) -> Int { isSecure ? 443 : 80 }

    static func isHTTP(_ text: String) -> Bool {
        let start = text.prefix(8).lowercased()
        return start.hasPrefix("http://") || start.hasPrefix("https://")
    }

    /// - Parameter defaultPort: the port where the URL names none; nil: the scheme's.
    init(_ text: String, defaultPort: Int? = nil) throws(HTTPFailure) {
        guard Self.isHTTP(text), let slashes = text.firstRange(of: "://") else {
            throw HTTPFailure("“\(GitLocation.redacted(text))” is not an http or https URL")
        }
        isSecure = slashes.lowerBound == text.index(text.startIndex, offsetBy: 5)
        let rest = text[slashes.upperBound...]
        let end = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
        var authority = rest[..<end]
        target = try Self.sendable(rest[end...].prefix { $0 != "#" })
        if let at = authority.lastIndex(of: "@") {
            let parts = authority[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            user = try Self.decoded(parts[0])
            password = parts.count == 2 ? try Self.decoded(parts[1]) : nil
            authority = authority[authority.index(after: at)...]
        } else {
            (user, password) = (nil, nil)
        }
        var portText: Substring?
        if authority.first == "[" {
            guard let close = authority.firstIndex(of: "]") else { throw HTTPFailure("the URL’s address has no closing bracket") }
            host = authority[authority.index(after: authority.startIndex)..<close].lowercased()
            let after = authority[authority.index(after: close)...]
            guard after.isEmpty || after.first == ":" else { throw HTTPFailure("the URL has “\(after)” behind its address") }
            portText = after.isEmpty ? nil : after.dropFirst()
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon].lowercased()
            portText = authority[authority.index(after: colon)...]
        } else {
            host = authority.lowercased()
        }
        guard !host.isEmpty else { throw HTTPFailure("the URL names no host") }
        guard host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && !"<>\"\\^`{|}%".utf8.contains($0) }) else {
            throw HTTPFailure("“\(host)” is not a valid host name; write letters beyond ASCII as xn--…")
        }
        if let portText, !portText.isEmpty {
            guard portText.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let number = UInt16(portText), number > 0 else {
                throw HTTPFailure("“\(portText)” is not a valid port in the URL")
            }
            port = Int(number)
        } else {
            port = defaultPort ?? Self.port(isSecure: isSecure)
        }
    }

    private init(_ url: HTTPURL, target: String) {
        (isSecure, user, password, host, port) = (url.isSecure, url.user, url.password, url.host, url.port)
        self.target = target
    }

    /// The same server at another target.
    func at(_ target: String) -> HTTPURL { HTTPURL(self, target: target) }

    /// What a `Location` field of this URL's answer means. Secrets of this URL are not in it.
    func resolved(_ location: String) throws(HTTPFailure) -> HTTPURL {
        if let colon = location.firstRange(of: "://"), location[..<colon.lowerBound].allSatisfy({ $0.isLetter }) {
            return try HTTPURL(location)
        }
        if location.hasPrefix("//") { return try HTTPURL("\(scheme):\(location)") }
        let base = "\(scheme)://\(authority)"
        if location.hasPrefix("/") { return try HTTPURL(base + location) }
        let path = target.prefix { $0 != "?" }
        if location.hasPrefix("?") { return try HTTPURL(base + path + location) }
        let folder = path.lastIndex(of: "/").map { path[...$0] } ?? "/"
        return try HTTPURL(base + folder + location)
    }

    /// Bytes that may not stand in a request are percent-encoded; control characters are refused.
    private static func sendable(_ text: Substring) throws(HTTPFailure) -> String {
        var result = ""
        for byte in text.utf8 {
            guard byte >= 0x20, byte != 0x7f else { throw HTTPFailure("the URL has a control character in it") }
            if byte == 0x20 || byte > 0x7f {
                result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            } else {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            }
        }
        return result
    }

    private static func decoded(_ text: Substring) throws(HTTPFailure) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        guard !bytes.contains(where: { $0 < 0x20 || $0 == 0x7f }) else {
            throw HTTPFailure("the URL has a control character in its user or password")
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
