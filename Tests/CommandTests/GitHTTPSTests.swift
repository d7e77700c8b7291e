import TestSupport
import Testing

/// Fetching over https and http from git's own server side, with an authority of the test's own in the system's place.
@Suite(.needsRoot) struct GitHTTPSTests {
    let fixture: HTTPSFixture
    var client: GitClient { fixture.client }

    init() async throws { fixture = try await HTTPSFixture() }

    @Test func aTrustedServerIsRead() async throws {
        try await fixture.serve { server in
            let url = "https://localhost:\(server.port)/repo"
            let valid = try await client.validate(url)
            #expect(valid.succeeded && valid.output.contains("Valid: 2 hosts"), "\(valid.error)")
            let plan = try await client.run(["plan", "--repo", url, "--base", "main", "--head", "change"])
            #expect(plan.succeeded && plan.output.contains("acme/prod/web/new"), "\(plan.error)")
            let missing = try await client.validate("https://localhost:\(server.port)/nowhere")
            #expect(missing.status == 1 && missing.error.contains("404"), "\(missing.error)")
        }
    }

    @Test func plainHTTPIsRead() async throws {
        try await fixture.serve(certificate: nil) { server in
            let valid = try await client.validate("http://localhost:\(server.port)/repo")
            #expect(valid.succeeded, "\(valid.error)")
        }
    }

    @Test func aServerThatIsNotTheOneIsRefused() async throws {
        try await fixture.serve { server in
            // Nothing that git heeds switches the check off.
            try await fixture.git.write("home/.gitconfig", "[http]\n\tsslVerify = false\n\tsslCAInfo = \(fixture.authority)\n")
            var other = client
            other.mounts = [:]
            let environment = [
                "GIT_SSL_NO_VERIFY": "1", "GIT_SSL_CAINFO": fixture.authority, "SSL_CERT_FILE": fixture.authority,
                "MIZAR_GIT_TOKEN": "secret",
            ]
            let untrusted = try await other.validate("https://localhost:\(server.port)/repo", environment)
            #expect(untrusted.status == 1 && untrusted.error.contains("the certificate of localhost is refused: "), "\(untrusted.error)")
            #expect(server.requests == [])
        }
        for (certificate, cause) in [("expired", "has expired"), ("elsewhere", "hostname mismatch")] {
            try await fixture.serve(certificate: certificate) { server in
                let refused = try await client.validate("https://localhost:\(server.port)/repo", ["MIZAR_GIT_TOKEN": "secret"])
                #expect(refused.status == 1 && refused.error.contains(cause), "\(refused.error)")
                #expect(server.requests == [])
            }
        }
    }

    @Test func aTokenOpensTheServer() async throws {
        try await fixture.serve("--password", "git:secret") { server in
            let url = "https://localhost:\(server.port)/repo"
            let none = try await client.validate(url)
            #expect(none.status == 1 && none.error.contains("the server asks for a password: set MIZAR_GIT_TOKEN"), "\(none.error)")
            let wrong = try await client.validate(url, ["MIZAR_GIT_TOKEN": "wrong"])
            #expect(wrong.status == 1 && wrong.error.contains("the server refuses the token in MIZAR_GIT_TOKEN"), "\(wrong.error)")
            let user = try await client.validate(url, ["MIZAR_GIT_TOKEN": "secret", "MIZAR_GIT_USER": "somebody"])
            #expect(user.status == 1 && server.requests.contains { $0.hasSuffix(" somebody:secret") }, "\(server.requests)")
            let valid = try await client.validate(url, ["MIZAR_GIT_TOKEN": "secret"])
            #expect(valid.succeeded, "\(valid.error)")
        }
    }

    @Test func aTokenIsNeverInTheClear() async throws {
        try await fixture.serve("--password", "git:secret", certificate: nil) { server in
            let plain = "http://localhost:\(server.port)/"
            // Neither if the user says so, nor if git's settings do.
            try await fixture.git.write("home/.gitconfig", "[url \"\(plain)\"]\n\tinsteadOf = https://git.example.org/\n")
            for url in [plain + "repo", "https://git.example.org/repo"] {
                let refused = try await client.validate(url, ["MIZAR_GIT_TOKEN": "secret"])
                #expect(refused.status == 1 && refused.error.contains("(https only)"), "\(refused.error)")
            }
            #expect(!server.requests.isEmpty && server.requests.allSatisfy { $0.hasSuffix(" -") }, "\(server.requests)")
        }
    }

    @Test func aTokenStaysWithItsHost() async throws {
        try await fixture.serve("--password", "git:secret", certificate: "elsewhere") { target in
            try await fixture.serve("--redirect", "https://git.example.org:\(target.port)") { server in
                let address = "localhost:\(server.port)/repo"
                let stopped = try await client.validate("https://\(address)", ["MIZAR_GIT_TOKEN": "secret"])
                #expect(stopped.status == 1, "\(stopped.output)")
                #expect(
                    stopped.error.contains("MIZAR_GIT_TOKEN is for localhost and is not sent to another (git.example.org)"),
                    "\(stopped.error)")
                // A password in the URL stays behind as well.
                let asked = try await client.validate("https://git:secret@\(address)")
                #expect(asked.status == 1 && asked.error.contains("the server asks for a password"), "\(asked.error)")
                #expect(target.requests == Array(repeating: "GET /repo/info/refs -", count: 2))
            }
        }
    }

    @Test func aRedirectionIsFollowedButNotOutOfTLS() async throws {
        try await fixture.serve(certificate: "elsewhere") { target in
            try await fixture.serve("--redirect", "https://git.example.org:\(target.port)") { server in
                let valid = try await client.validate("https://localhost:\(server.port)/repo")
                #expect(valid.succeeded, "\(valid.error)")
            }
        }
        try await fixture.serve(certificate: nil) { target in
            try await fixture.serve("--redirect", "http://localhost:\(target.port)") { server in
                let stopped = try await client.validate("https://localhost:\(server.port)/repo")
                #expect(stopped.status == 1 && stopped.error.contains("the server redirects out of TLS"), "\(stopped.error)")
                #expect(target.requests == [])
            }
        }
    }

    @Test func aPasswordIsNotPrinted() async throws {
        for url in ["https://git:secret@localhost:/repo", "https://git:secret@localhost:1/repo"] {
            let outcome = try await client.validate(url)
            #expect(outcome.status == 1 && outcome.error.contains("git:***@localhost"), "\(outcome.error)")
            #expect(!outcome.error.contains("secret"), "\(outcome.error)")
        }
    }
}

/// An authority and the certificates that it has issued, and a client that trusts it.
struct HTTPSFixture: Sendable {
    let git: GitFixture
    let client: GitClient
    var authority: String { "\(git.folder)/certs/ca-certificates.crt" }

    init() async throws {
        git = try GitFixture()
        client = GitClient(git: git, mounts: ["/etc/ssl/certs": "\(git.folder)/certs", "/etc/hosts": "\(git.folder)/hosts"])
        try await git.serverRepository()
        try await git.write("hosts", "127.0.0.1 localhost git.example.org\n")
        let script = """
            set -eu
            cd "$1"
            mkdir certs
            make="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
            openssl req -x509 $make -keyout ca.key -out certs/ca-certificates.crt -subj "/CN=a test's authority"
            # `openssl x509` makes none that has expired: of version 3.0 it has no dates, of 3.5 no days below 0.
            cat >ca.conf <<END
            [ca]
            default_ca = authority
            [authority]
            certificate = certs/ca-certificates.crt
            private_key = ca.key
            database = index
            new_certs_dir = .
            rand_serial = yes
            unique_subject = no
            default_md = sha256
            default_days = 1
            copy_extensions = copyall
            policy = names
            [names]
            commonName = supplied
            END
            touch index
            issue() { # FILE NAME [DATES]: the certificate, then its key
                file=$1 name=$2
                shift 2
                openssl req $make -keyout "$file.key" -out "$file.csr" -subj "/CN=$name" -addext "subjectAltName=DNS:$name"
                openssl ca -batch -notext -config ca.conf -in "$file.csr" -out "$file" "$@"
                cat "$file.key" >> "$file"
            }
            issue trusted localhost
            issue expired localhost -startdate 20200101000000Z -enddate 20200102000000Z
            issue elsewhere git.example.org
            """
        try await Tool.check("sh", "-c", script, "sh", git.folder)
    }

    /// Runs `body` with a server of the repository at `/repo`.
    ///
    /// - Parameter certificate: what it shows; nil: it speaks http.
    func serve(
        _ arguments: String..., certificate: String? = "trusted", _ body: (GitServer) async throws -> Void
    ) async throws {
        try await serve(arguments, certificate: certificate, body)
    }

    func serve(
        _ arguments: [String], certificate: String? = "trusted", _ body: (GitServer) async throws -> Void
    ) async throws {
        let tls = certificate.map { ["--certificate", "\(git.folder)/\($0)"] } ?? []
        try await GitServer.run("smart_http.py", [git.folder] + tls + arguments, in: git, body)
    }
}
