import Topology

/// Which proxy git's settings and the environment name for a URL.
///
/// As git and curl do it: `http.<url>.proxy` of the URL that fits best, `http.proxy`, then `https_proxy` or `HTTPS_PROXY` for
/// https and `http_proxy` alone for http, then `all_proxy` or `ALL_PROXY`; an empty one is none. `no_proxy` or `NO_PROXY` excepts
/// hosts from all of them.
struct HTTPProxies {
    /// git's settings, in the order in which they are read: the part between `http.` and `.proxy`, nil for `http.proxy`; and the value.
    let settings: [(url: String?, proxy: String)]
    let environment: (String) -> String?

    /// - Throws: if the proxy is of a kind that is not supported.
    func proxy(for url: HTTPURL) throws(HTTPFailure) -> HTTPURL? {
        guard let (text, place) = setting(for: url) ?? environmentProxy(for: url), !text.isEmpty, !isExcepted(url) else { return nil }
        let full = text.contains("://") ? text : "http://" + text
        guard HTTPURL.isHTTP(full) else {
            throw HTTPFailure("\(place) names the proxy \(GitLocation.redacted(full)): only http:// and https:// proxies are supported")
        }
        do throws(HTTPFailure) {
            // curl's ports.
            return try HTTPURL(full, defaultPort: full.lowercased().hasPrefix("https") ? 443 : 1080).at("")
        } catch {
            throw HTTPFailure("\(place) names a proxy that cannot be read: \(error.message)")
        }
    }

    private func environmentProxy(for url: HTTPURL) -> (text: String, place: String)? {
        // `HTTP_PROXY` is what a CGI script has from its client: neither git nor curl heeds it.
        for name in (url.isSecure ? ["https_proxy", "HTTPS_PROXY"] : ["http_proxy"]) + ["all_proxy", "ALL_PROXY"] {
            if let value = environment(name) { return (value, name) }
        }
        return nil
    }

    private func setting(for url: HTTPURL) -> (text: String, place: String)? {
        var best: (fit: Fit, text: String, place: String)?
        for (pattern, proxy) in settings {
            let fit = pattern.map { Fit($0, url) } ?? Fit.any
            // Of equals the last counts.
            guard let fit, best.map({ !(fit < $0.fit) }) ?? true else { continue }
            best = (fit, proxy, pattern.map { "http.\(GitLocation.redacted($0)).proxy" } ?? "http.proxy")
        }
        return best.map { ($0.text, $0.place) }
    }

    /// How well the URL of a setting fits: git-config(1), `http.<url>.*`.
    private struct Fit: Comparable {
        let host: Int
        let path: Int
        let user: Bool

        static let any = Fit(host: 0, path: 0, user: false)

        private init(host: Int, path: Int, user: Bool) { (self.host, self.path, self.user) = (host, path, user) }

        /// Nil if it does not fit.
        init?(_ pattern: String, _ url: HTTPURL) {
            // A host with `*` for a label is none that HTTPURL takes amiss.
            guard let wanted = try? HTTPURL(pattern), wanted.isSecure == url.isSecure, wanted.port == url.port else { return nil }
            guard wanted.user == nil || wanted.user == url.user else { return nil }
            let labels = wanted.host.split(separator: ".", omittingEmptySubsequences: false)
            let own = url.host.split(separator: ".", omittingEmptySubsequences: false)
            guard labels.count == own.count, zip(labels, own).allSatisfy({ $0 == "*" || $0 == $1 }) else { return nil }
            let path = wanted.target.hasSuffix("/") ? String(wanted.target.dropLast()) : wanted.target
            let target = url.target.prefix { $0 != "?" }
            guard path.isEmpty || target == path || target.hasPrefix(path + "/") else { return nil }
            self.init(
                host: labels.filter { $0 != "*" }.reduce(1) { $0 + $1.utf8.count + 1 }, path: path.utf8.count, user: wanted.user != nil)
        }

        static func < (one: Fit, other: Fit) -> Bool {
            (one.host, one.path, one.user ? 1 : 0) < (other.host, other.path, other.user ? 1 : 0)
        }
    }

    /// curl's `no_proxy`: names with all below them, addresses, blocks, `*`; commas or blanks between.
    private func isExcepted(_ url: HTTPURL) -> Bool {
        guard let list = environment("no_proxy") ?? environment("NO_PROXY") else { return false }
        let host = url.host.hasSuffix(".") ? String(url.host.dropLast()) : url.host
        let address = IPAddress(host)
        for entry in list.split(whereSeparator: { $0 == "," || $0 == " " || $0 == "\t" }) {
            if entry == "*" { return true }
            var name = entry.lowercased()
            if name.hasPrefix("["), name.hasSuffix("]") { name = String(name.dropFirst().dropLast()) }
            if let address {
                if IPAddress(name) == address { return true }
                if let (block, length) = CIDR.split(name), CIDR(containing: block, length: length).contains(address) { return true }
                continue
            }
            while name.hasPrefix(".") { name.removeFirst() }
            if name.hasSuffix(".") { name.removeLast() }
            if !name.isEmpty, host == name || host.hasSuffix("." + name) { return true }
        }
        return false
    }
}
