/// Sends requests and gives the answers' heads, by the proxy that is set for each URL. One connection is kept.
final class HTTPClient {
    struct Request {
        let method: String
        let url: HTTPURL
        /// Besides Host, User-Agent and those of the body.
        let fields: [(name: String, value: String)]
        let body: [UInt8]?
    }

    private let agent: String
    private let proxies: HTTPProxies
    private var connection: HTTPConnection?
    /// Proxies that have asked for our password.
    private var askingProxies: Set<HTTPURL> = []

    /// - Parameter agent: the value of User-Agent.
    init(agent: String, proxies: HTTPProxies) {
        self.agent = agent
        self.proxies = proxies
    }

    /// Gives the head of the answer; its body is read from the connection, until the next `send`.
    func send(_ request: Request) throws(HTTPFailure) -> (HTTPHead, HTTPConnection) {
        let proxy = try proxies.proxy(for: request.url)
        for _ in 0..<2 {
            let (head, connection) = try exchange(request, proxy: proxy)
            guard head.status == 407 else { return (head, connection) }
            guard let proxy, !request.url.isSecure else { throw HTTPFailure("the server asks for a proxy’s password, and it is not one") }
            try answerChallenge(of: proxy, head)
            _ = connection.drain()
        }
        throw HTTPFailure("the proxy asks for a password again and again")
    }

    /// A server may close a connection that nobody has used for a while: then the request goes on a new one.
    private func exchange(_ request: Request, proxy: HTTPURL?) throws(HTTPFailure) -> (HTTPHead, HTTPConnection) {
        let peer = HTTPConnection.Peer(origin: request.url.origin, proxy: proxy)
        if let kept = connection, kept.peer == peer {
            // Whoever reads an answer may leave what ends it, such as the last, empty chunk.
            if !kept.isReusable { _ = kept.drain(most: 4096) }
        }
        if let kept = connection, kept.peer == peer, kept.isReusable {
            do throws(HTTPFailure) {
                return try exchange(request, on: kept)
            } catch {
                guard error.isLost else { throw error }
            }
        }
        connection = nil
        let fresh = try connect(peer, to: request.url)
        connection = fresh
        return try exchange(request, on: fresh)
    }

    private func exchange(_ request: Request, on connection: HTTPConnection) throws(HTTPFailure) -> (HTTPHead, HTTPConnection) {
        let url = request.url
        // An `http` proxy is told the whole URL.
        let isForwarded = connection.peer.proxy != nil && !url.isSecure
        let target = url.target.hasPrefix("/") ? url.target : "/" + url.target
        var text = "\(request.method) \(isForwarded ? "http://\(url.authority)" : "")\(target) HTTP/1.1\r\n"
        text += "Host: \(url.authority)\r\nUser-Agent: \(agent)\r\n"
        for (name, value) in request.fields { text += "\(name): \(value)\r\n" }
        if isForwarded, let proxy = connection.peer.proxy { text += proxyAuthorization(proxy) }
        if let body = request.body { text += "Content-Length: \(body.count)\r\n" }
        text += "\r\n"
        try connection.send(Array(text.utf8) + (request.body ?? []))
        return (try connection.readHead(), connection)
    }

    private func connect(_ peer: HTTPConnection.Peer, to url: HTTPURL) throws(HTTPFailure) -> HTTPConnection {
        guard let proxy = peer.proxy else {
            return HTTPConnection(stream: try Self.open(url.host, url.port, secure: url.isSecure), peer: peer)
        }
        guard url.isSecure else { return HTTPConnection(stream: try open(proxy), peer: peer) }
        for _ in 0..<2 {
            let stream = try open(proxy)
            let tunnel = HTTPConnection(stream: stream, peer: peer)
            let text =
                "CONNECT \(url.hostAndPort) HTTP/1.1\r\nHost: \(url.hostAndPort)\r\nUser-Agent: \(agent)\r\n"
                + proxyAuthorization(proxy) + "\r\n"
            try tunnel.send(Array(text.utf8))
            let head = try tunnel.readHead(ofConnect: true)
            if head.status == 407 {
                try answerChallenge(of: proxy, head)
                continue
            }
            guard (200..<300).contains(head.status) else {
                throw HTTPFailure("the proxy \(proxy.authority) does not connect to \(url.hostAndPort): \(head.status) \(head.reason)")
            }
            guard tunnel.isReusable else { throw HTTPFailure("the proxy \(proxy.authority) sends bytes of its own into the connection") }
            return HTTPConnection(stream: try TLSStream(upon: stream, host: url.host), peer: peer)
        }
        throw HTTPFailure("the proxy \(proxy.authority) asks for a password again and again")
    }

    private func open(_ proxy: HTTPURL) throws(HTTPFailure) -> any HTTPStream {
        do throws(HTTPFailure) {
            return try Self.open(proxy.host, proxy.port, secure: proxy.isSecure)
        } catch {
            throw HTTPFailure("the proxy cannot be used: \(error.message)")
        }
    }

    private static func open(_ host: String, _ port: Int, secure: Bool) throws(HTTPFailure) -> any HTTPStream {
        let socket = try HTTPSocket(host: host, port: port)
        return secure ? try TLSStream(upon: socket, host: host) : socket
    }

    private func proxyAuthorization(_ proxy: HTTPURL) -> String {
        guard askingProxies.contains(proxy), let user = proxy.user else { return "" }
        return "Proxy-Authorization: \(Self.basic(user: user, password: proxy.password ?? ""))\r\n"
    }

    /// After a 407: the password in the proxy's URL is sent from now on, unless it was already.
    private func answerChallenge(of proxy: HTTPURL, _ head: HTTPHead) throws(HTTPFailure) {
        guard proxy.user != nil else {
            throw HTTPFailure(
                "the proxy \(proxy.authority) asks for a password (407): write it into its URL, http://USER:PASSWORD@\(proxy.authority)")
        }
        try Self.requireBasic(head.values("proxy-authenticate"), of: "the proxy \(proxy.authority)")
        guard askingProxies.insert(proxy).inserted else {
            throw HTTPFailure("the proxy \(proxy.authority) refuses the user and password in its URL (407)")
        }
    }

    static func basic(user: String, password: String) -> String { "Basic " + Base64.encode(Array("\(user):\(password)".utf8)) }

    /// Throws unless one of the challenges is for the one scheme that is spoken here.
    ///
    /// A field may hold several challenges, and a challenge may have commas in it: so each word that follows a comma counts.
    static func requireBasic(_ challenges: [String], of who: String) throws(HTTPFailure) {
        var schemes: [String] = []
        for part in challenges.flatMap({ $0.split(separator: ",") }) {
            let words = part.split { $0 == " " || $0 == "\t" }
            if let word = words.first, !word.contains("=") { schemes.append(String(word)) }
        }
        guard !schemes.contains(where: { $0.lowercased() == "basic" }) else { return }
        let offered = schemes.isEmpty ? "does not say how" : "takes \(schemes.joined(separator: ", "))"
        throw HTTPFailure("\(who) asks for credentials and \(offered); only Basic is supported: a user with a password or a token")
    }
}

extension Base64 {
    static func encode(_ bytes: [UInt8]) -> String {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var text = ""
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            bits <<= UInt32(8 * (3 - group.count))
            for place in 0..<4 {
                text.append(place <= group.count ? letters[Int(bits >> UInt32(18 - 6 * place) & 63)] : "=")
            }
        }
        return text
    }
}
