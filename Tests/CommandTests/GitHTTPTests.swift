import TestSupport
import Testing

/// What servers and proxies may answer before, and in place of, git's own answer.
@Suite(.needsRoot) struct GitHTTPTests {
    let fixture: HTTPSFixture
    var client: GitClient { fixture.client }
    /// GitClient's excepts every host.
    private static let anyProxy = ["NO_PROXY": "", "no_proxy": ""]

    init() async throws { fixture = try await HTTPSFixture() }

    @Test("the body of a 401 or a redirection is not taken for the next answer", arguments: ["length", "chunked", "close"], [true, false])
    func aBodyEndsNothing(framing: String, inSegments: Bool) async throws {
        let segments = inSegments ? ["--segments"] : []
        try await fixture.serve(["--password", "git:secret", "--body", "3000", "--framing", framing] + segments, certificate: nil) {
            server in
            let valid = try await client.validate("http://git:secret@localhost:\(server.port)/moved/repo")
            #expect(valid.succeeded, "\(valid.error)")
            #expect(server.requests.last == "POST /repo/git-upload-pack git:secret", "\(server.requests)")
        }
    }

    @Test(
        "a token is sent after a 401 with several challenges and a body, by HTTP/1.0 too",
        arguments: [[], ["--http10", "--framing", "close"]])
    func aForgeIsSignedInto(options: [String]) async throws {
        let challenges = [
            "--challenge", #"Bearer realm="a, b", scope=x"#, "--challenge", #"Negotiate, basic realm="forge", charset="UTF-8""#,
        ]
        try await fixture.serve(["--password", "git:secret", "--body", "23"] + challenges + options) { server in
            let url = "https://localhost:\(server.port)/repo"
            let valid = try await client.validate(url, ["MIZAR_GIT_TOKEN": "secret"])
            #expect(valid.succeeded, "\(valid.error)")
            let none = try await client.validate(url)
            #expect(none.status == 1 && none.error.contains("asks for a password: set MIZAR_GIT_TOKEN"), "\(none.error)")
        }
        try await fixture.serve(["--password", "git:secret", "--body", "23", "--challenge", "NTLM"]) { server in
            let refused = try await client.validate("https://localhost:\(server.port)/repo", ["MIZAR_GIT_TOKEN": "secret"])
            #expect(refused.status == 1 && refused.error.contains("takes NTLM; only Basic is supported"), "\(refused.error)")
            #expect(server.requests.allSatisfy { $0.hasSuffix(" -") }, "\(server.requests)")
        }
    }

    @Test("http goes by the proxy that the environment or git's settings name, and http.<url>.proxy counts more")
    func aProxyIsUsedForHTTP() async throws {
        try await fixture.serve(["--proxy-password", "me:p@ss", "--body", "3000"], certificate: nil) { proxy in
            let url = "http://git.example.net/repo"
            let address = "http://me:p%40ss@127.0.0.1:\(proxy.port)"
            let variable = try await client.validate(url, Self.anyProxy.merging(["http_proxy": address]) { $1 })
            #expect(variable.succeeded && proxy.requests.contains("GET /repo/info/refs -"), "\(variable.error)")
            let excepted = try await client.validate(url, ["http_proxy": address, "no_proxy": "10.0.0.0/8,.example.net"])
            #expect(excepted.status == 1 && excepted.error.contains("failed to resolve address for git.example.net"), "\(excepted.error)")
            try await fixture.git.write(
                "home/.gitconfig",
                "[http]\n\tproxy = http://127.0.0.1:1\n[http \"http://*.example.net\"]\n\tproxy = \(address)\n[http \"http://git.example.net/other\"]\n\tproxy =\n"
            )
            let setting = try await client.validate(url, Self.anyProxy)
            #expect(setting.succeeded, "\(setting.error)")
            try await fixture.git.write("home/.gitconfig", "[http]\n\tproxy = http://me:wrong@127.0.0.1:\(proxy.port)\n")
            let wrong = try await client.validate(url, Self.anyProxy)
            #expect(wrong.status == 1 && wrong.error.contains("refuses the user and password in its URL (407)"), "\(wrong.error)")
            #expect(!wrong.error.contains("wrong"))
            try await fixture.git.write("home/.gitconfig", "")
            let socks = try await client.validate(url, Self.anyProxy.merging(["all_proxy": "socks5://127.0.0.1:1"]) { $1 })
            #expect(socks.status == 1 && socks.error.contains("only http:// and https:// proxies are supported"), "\(socks.error)")
            let upper = try await client.validate(url, Self.anyProxy.merging(["HTTP_PROXY": address]) { $1 })
            #expect(upper.status == 1 && upper.error.contains("failed to resolve"), "\(upper.error)")
        }
    }

    @Test("https goes through a proxy, whose password and 407 the server does not see")
    func aProxyIsUsedForHTTPS() async throws {
        try await fixture.serve(["--password", "git:secret", "--body", "3000"]) { server in
            try await fixture.serve(["--proxy-password", "me:word", "--body", "3000"], certificate: nil) { proxy in
                let environment = ["HTTPS_PROXY": "http://me:word@127.0.0.1:\(proxy.port)", "MIZAR_GIT_TOKEN": "secret"]
                let url = "https://localhost:\(server.port)/repo"
                let valid = try await client.validate(url, Self.anyProxy.merging(environment) { $1 })
                #expect(valid.succeeded, "\(valid.error)")
                #expect(proxy.requests == Array(repeating: "CONNECT localhost:\(server.port) -", count: 2), "\(proxy.requests)")
                let none = Self.anyProxy.merging(["HTTPS_PROXY": "127.0.0.1:\(proxy.port)"]) { $1 }
                let refused = try await client.validate(url, none)
                #expect(refused.status == 1 && refused.error.contains("asks for a password (407)"), "\(refused.error)")
            }
        }
    }

    @Test("redirections are bounded, and one to what is not a repository is not followed")
    func aRedirectionIsJudged() async throws {
        for (target, cause) in [("/moved/", "redirects more than 20 times"), ("/login?from=", "which is not a repository")] {
            try await fixture.serve(["--moved", target, "--body", "23"], certificate: nil) { server in
                let refused = try await client.validate("http://localhost:\(server.port)/moved/repo")
                #expect(refused.status == 1 && refused.error.contains(cause), "\(refused.error)")
            }
        }
    }

    @Test(
        "an answer that is not git's is said to be what it is",
        arguments: [
            (["--status", "503", "--field", "Retry-After:120"], "the server is busy; it asks to come back after 120 s"),
            (["--status", "429", "--body", "23"], "429 Too Many Requests: the server is busy"),
            (["--status", "403", "--body", "16", "--field", "Content-Type:text/plain"], "the server does not let us read"),
            (["--status", "200", "--field", "Content-Type:text/plain"], "the server serves files alone"),
            (["--status", "200", "--field", "Content-Type:text/html"], "sends “text/html” and not git’s protocol"),
            (["--field", "Content-Encoding:gzip"], "is compressed (gzip), which was not asked for"),
            (["--field", "Transfer-Encoding:gzip", "--framing", "close"], "the transfer coding “gzip”"),
            (["--cut"], "the connection ended in the middle of the server’s answer"),
            (["--cut", "--framing", "chunked"], "the connection ended in the middle of the server’s answer"),
        ])
    func anotherAnswerIsNamed(options: [String], cause: String) async throws {
        try await fixture.serve(options, certificate: nil) { server in
            let refused = try await client.validate("http://localhost:\(server.port)/repo")
            #expect(refused.status == 1 && refused.error.contains(cause), "\(refused.error)")
        }
    }

    @Test("an IPv6 address in the URL, and a password with percent signs")
    func aURLIsReadAsRFC3986Does() async throws {
        try await fixture.serve(["--ipv6", "--password", "a b:p@:/ß"], certificate: nil) { server in
            let valid = try await client.validate("http://a%20b:p%40%3A%2F%C3%9F@[::1]:\(server.port)/repo")
            #expect(valid.succeeded, "\(valid.error)")
        }
    }
}
