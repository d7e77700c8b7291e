import CGit2

/// git's smart protocol by http and https: who we are to the server, where it sends us, and what its answers mean.
///
/// libgit2's own client takes the answer's `Content-Type` for the sign that it has a body, so that a 401 or a redirection with
/// one leaves the body in front of the next answer; and it connects to no proxy for `http`.
final class GitHTTPRemote {
    private let client: HTTPClient
    /// Where the repository is; the server's first answer may change it, as with git's `http.followRedirects=initial`.
    private var base: HTTPURL
    private let token: (text: String, origin: HTTPURL.Origin)?
    /// What is sent to an origin that has asked for it.
    private var authorizations: [HTTPURL.Origin: String] = [:]
    private var answer: HTTPConnection?

    /// curl's bound.
    private static let redirectionsMax = 20

    init(url: String, proxies: HTTPProxies) throws(HTTPFailure) {
        base = try HTTPURL(url)
        // The name in front is what forges know git by.
        client = HTTPClient(agent: "git/2.0 (mizar-reconcile; libgit2 \(LIBGIT2_VERSION))", proxies: proxies)
        // Never in the clear, and never to another host: who writes http gets it to https of the same host.
        let origin = HTTPURL.Origin(isSecure: true, host: base.host, port: base.isSecure ? base.port : 443)
        token = Mirror.environment("MIZAR_GIT_TOKEN").map { ($0, origin) }
    }

    /// Asks what the repository has.
    func discover() throws(HTTPFailure) {
        var url = base.at(Self.discovery(of: base))
        for _ in 0...Self.redirectionsMax {
            let head = try send("GET", url, fields: [("Accept", "*/*")], body: nil)
            if [301, 302, 303, 307, 308].contains(head.status) {
                url = try redirected(url, head)
                continue
            }
            try check(head, url, type: "application/x-git-upload-pack-advertisement")
            return
        }
        throw HTTPFailure("the server redirects more than \(Self.redirectionsMax) times")
    }

    /// Asks for objects.
    func post(_ body: [UInt8]) throws(HTTPFailure) {
        let url = base.at(Self.path(of: base) + "/git-upload-pack")
        let fields = [
            ("Accept", "application/x-git-upload-pack-result"), ("Content-Type", "application/x-git-upload-pack-request"),
        ]
        let head = try send("POST", url, fields: fields, body: body)
        try check(head, url, type: "application/x-git-upload-pack-result")
    }

    /// Bytes of the last answer; 0 at its end.
    func read(into room: UnsafeMutableRawBufferPointer) throws(HTTPFailure) -> Int {
        guard let answer else { return 0 }
        return try answer.readBody(into: room)
    }

    private static let discoveryTail = "/info/refs?service=git-upload-pack"

    private static func path(of base: HTTPURL) -> String {
        base.target.hasSuffix("/") ? String(base.target.dropLast()) : base.target
    }

    private static func discovery(of base: HTTPURL) -> String { path(of: base) + discoveryTail }

    /// Sends a request, with a password if the server asks for one.
    private func send(
        _ method: String, _ url: HTTPURL, fields: [(name: String, value: String)], body: [UInt8]?
    ) throws(HTTPFailure) -> HTTPHead {
        var offers = offers(to: url)
        while true {
            let authorization = authorizations[url.origin].map { [("Authorization", $0)] } ?? []
            let (head, connection) = try client.send(.init(method: method, url: url, fields: fields + authorization, body: body))
            answer = connection
            guard head.status == 401 else { return head }
            _ = connection.drain()
            offers.removeAll { $0 == authorizations[url.origin] }
            guard let next = offers.first else { throw refusal(of: url, asked: authorizations[url.origin] != nil) }
            try HTTPClient.requireBasic(head.values("www-authenticate"), of: url.host)
            authorizations[url.origin] = next
        }
    }

    /// What may be said to the URL's origin, the first one first.
    private func offers(to url: HTTPURL) -> [String] {
        var offers: [String] = []
        if let user = url.user, let password = url.password { offers.append(HTTPClient.basic(user: user, password: password)) }
        if let token, token.origin == url.origin {
            let user = Mirror.environment("MIZAR_GIT_USER") ?? url.user ?? "git"
            offers.append(HTTPClient.basic(user: user, password: token.text))
        } else if let user = url.user, url.password == nil {
            // A token may stand in the user's place.
            offers.append(HTTPClient.basic(user: user, password: ""))
        }
        return offers
    }

    private func refusal(of url: HTTPURL, asked: Bool) -> HTTPFailure {
        if let token, token.origin == url.origin {
            return HTTPFailure("the server refuses the token in MIZAR_GIT_TOKEN")
        }
        if let token {
            let why =
                url.isSecure ? "MIZAR_GIT_TOKEN is for \(token.origin.host) and is not sent to another" : "set MIZAR_GIT_TOKEN (https only)"
            return HTTPFailure("the server asks for a password: \(why) (\(url.host))")
        }
        if asked { return HTTPFailure("the server refuses the user and password in the URL (\(url.host))") }
        return HTTPFailure("the server asks for a password: set MIZAR_GIT_TOKEN (https only)")
    }

    /// Where the answer to `url` sends us. A secret stays with the origin that it was given for.
    private func redirected(_ url: HTTPURL, _ head: HTTPHead) throws(HTTPFailure) -> HTTPURL {
        _ = answer?.drain()
        guard let location = head.value("location") else { throw HTTPFailure("the server redirects (\(head.status)) to nowhere") }
        let next = try url.resolved(location)
        guard next.isSecure || !url.isSecure else {
            throw HTTPFailure("the server redirects out of TLS, from https to \(next.text), which is not followed")
        }
        // git's rule: what was asked for must still be asked for.
        let target = String(next.target.dropLast(Self.discoveryTail.count))
        guard next.target.hasSuffix(Self.discoveryTail), !target.contains("?") else {
            throw HTTPFailure("the server redirects to \(next.text), which is not a repository")
        }
        base = next.origin == url.origin && next.user == nil ? url.at(target) : next.at(target)
        return base.at(next.target)
    }

    private func check(_ head: HTTPHead, _ url: HTTPURL, type: String) throws(HTTPFailure) {
        guard head.status == 200 else { throw failure(head, url) }
        if let coding = head.value("content-encoding"), coding.lowercased() != "identity" {
            throw HTTPFailure("the server’s answer is compressed (\(coding)), which was not asked for")
        }
        guard head.contentType == type else {
            let what = head.contentType.isEmpty ? "an answer of no type" : "“\(head.contentType)”"
            let cause =
                head.contentType.hasPrefix("text/plain")
                ? "the server serves files alone (git’s dumb protocol): it needs git http-backend, or a forge"
                : "the server sends \(what) and not git’s protocol: is \(url.at(Self.path(of: base)).text) a repository?"
            throw HTTPFailure(cause)
        }
    }

    /// What a status other than 200 means, with the server's own words where it sends a line of text.
    private func failure(_ head: HTTPHead, _ url: HTTPURL) -> HTTPFailure {
        var text = "HTTP \(head.status)\(head.reason.isEmpty ? "" : " \(head.reason)")"
        switch head.status {
        case 300..<400: text += ": the server redirects what it may redirect only at the beginning"
        case 403: text += ": the server does not let us read \(url.at(Self.path(of: base)).text)"
        case 404, 410: text += ": no repository at \(url.at(Self.path(of: base)).text), or none that we may see"
        case 429, 503:
            text +=
                ": the server is busy"
                + (head.value("retry-after").map { "; it asks to come back after \($0)" + (Int($0) == nil ? "" : " s") } ?? "")
        case 400...: break
        default: text += ", which is no answer to a fetch"
        }
        if head.contentType == "text/plain", let body = answer?.drain(most: 4096),
            let line = String(decoding: body, as: UTF8.self).split(whereSeparator: \.isNewline).first
        {
            text += " (the server says: \(line.prefix(200)))"
        }
        return HTTPFailure(text)
    }
}
