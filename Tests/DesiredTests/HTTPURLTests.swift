import Testing

@testable import Desired

@Suite struct HTTPURLTests {
    @Test("a URL is taken apart, and its secrets are in no text")
    func parts() throws {
        let url = try HTTPURL("HTTPS://a%20b:p%40%3a@[2001:DB8::1]:8443/x y/é.git?q=1#f")
        #expect(url.isSecure && url.user == "a b" && url.password == "p@:" && url.host == "2001:db8::1" && url.port == 8443)
        #expect(url.text == "https://[2001:db8::1]:8443/x%20y/%C3%A9.git?q=1")
        let plain = try HTTPURL("http://user@example.org")
        #expect(plain.user == "user" && plain.password == nil && plain.port == 80 && plain.text == "http://example.org")
        #expect(try HTTPURL("https://example.org:443/a").origin == HTTPURL("https://example.org/b").origin)
    }

    @Test(
        "what is not a URL, or would write lines of its own into a request, is refused",
        arguments: [
            "ftp://example.org/", "http://", "http://:80/", "http://a b/", "http://a:0/", "http://a:65536/", "http://a:+1/", "http://[::1/",
            "http://[::1]x/", "http://a/\r\nHost: b", "http://a%0d%0ab/", "http://u%0d%0a:p@a/", "http://bücher.example/",
        ])
    func refused(text: String) { #expect(throws: HTTPFailure.self) { try HTTPURL(text) } }

    @Test(
        "a Location is resolved, and takes no secret along",
        arguments: [
            ("https://b/x", "https://b/x"), ("//b:8/x", "http://b:8/x"), ("/x?y", "http://a:81/x?y"), ("x", "http://a:81/p/x"),
            ("?z", "http://a:81/p/q?z"), ("https://c", "https://c"),
        ])
    func locations(location: String, expected: String) throws {
        let next = try HTTPURL("http://u:p@a:81/p/q?r").resolved(location)
        #expect(next.text == expected && next.user == nil && next.password == nil)
    }

    @Test(
        "the proxy is the one that git and curl would take",
        arguments: [
            ("http://plain.example/r", "http://best:1080"), ("http://other.example/r", nil), ("https://plain.example/r", "http://tls:3128"),
            ("http://a.wild.example/r", "http://wild:1"), ("http://a.b.wild.example/r", nil),
            ("http://plain.example/repository", "http://host:2"),
            ("http://10.1.2.3/r", "http://block:3"),
        ] as [(String, String?)])
    func proxies(url: String, expected: String?) throws {
        let proxies = HTTPProxies(
            settings: [
                ("http://*.wild.example", "http://wild:1"), ("http://plain.example/r", "best"), ("http://plain.example", "http://host:2"),
                ("http://10.1.2.3", "http://block:3"), ("http://plain.example:8080/r", "http://wrong:1"),
            ], environment: { ["HTTPS_PROXY": "tls:3128", "HTTP_PROXY": "http://wrong:1", "no_proxy": "10.2.0.0/16, .b.wild.example"][$0] })
        #expect(try proxies.proxy(for: HTTPURL(url))?.text == expected)
    }

    @Test(
        "no_proxy excepts names with all below them, addresses, blocks and everything",
        arguments: [
            ("example.org", "http://example.org/", true), (".example.org", "http://a.example.org/", true),
            ("example.org", "http://badexample.org/", false),
            ("10.0.0.0/8", "http://10.1.1.1/", true), ("10.0.0.0/8", "http://11.1.1.1/", false), ("::1", "http://[::1]/", true),
            ("*", "http://x/", true),
            ("a,b  c", "http://c/", true), ("", "http://c/", false),
        ])
    func exceptions(list: String, url: String, isDirect: Bool) throws {
        let proxies = HTTPProxies(settings: [(nil, "http://p")], environment: { $0 == "no_proxy" ? list : nil })
        #expect(try (proxies.proxy(for: HTTPURL(url)) == nil) == isDirect)
    }
}
