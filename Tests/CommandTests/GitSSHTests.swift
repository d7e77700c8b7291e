import Glibc
import TestSupport
import Testing

/// Fetching over ssh from a real server: dropbear, which needs no service, and an account that only its own mounts have.
@Suite(.needsRoot) struct GitSSHTests {
    let fixture: SSHFixture
    var client: GitClient { fixture.client }

    init() async throws { fixture = try await SSHFixture() }

    @Test func aKnownHostAndAKeyWillDo() async throws {
        try await fixture.serve { server, url in
            let access = try await fixture.access(to: server)
            let valid = try await client.validate(url, access)
            #expect(valid.succeeded && valid.output.contains("Valid: 2 hosts"), "\(valid.error)")
            let plan = try await client.run(["plan", "--repo", url, "--base", "main", "--head", "change"], access)
            #expect(plan.succeeded && plan.output.contains("acme/prod/web/new"), "\(plan.error)")
            let missing = try await client.validate(url + "-elsewhere", access)
            #expect(missing.status == 1 && missing.error.contains("does not appear to be a git repository"), "\(missing.error)")
        }
    }

    @Test func theUsualFilesAreFound() async throws {
        try await fixture.serve { server, url in
            _ = try await fixture.access(to: server)
            let folder = "\(client.home)/.ssh"
            try await Tool.check("mkdir", "-p", folder)
            try await Tool.check("cp", fixture.path("known_hosts"), "\(folder)/known_hosts")
            try await Tool.check("cp", fixture.path("user"), "\(folder)/id_ed25519")
            let valid = try await client.validate(url)
            #expect(valid.succeeded, "\(valid.error)")
            // Names that ssh has hashed.
            try await Tool.check("ssh-keygen", "-q", "-H", "-f", "\(folder)/known_hosts")
            #expect(try await Tool.check("cat", "\(folder)/known_hosts").hasPrefix("|1|"))
            let hashed = try await client.validate(url)
            #expect(hashed.succeeded, "\(hashed.error)")
        }
    }

    @Test func aServerThatIsNotTheOneIsRefused() async throws {
        try await fixture.serve { server, url in
            let name = "[localhost]:\(server.port)"
            let refusals = [
                ("", "the ssh-ed25519 host key of localhost is unknown: get its keys with “ssh-keyscan -p \(server.port) localhost”"),
                // The same host's other port is another server.
                ("localhost \(fixture.hostKey)\n", "is unknown"),
                ("\(name) \(fixture.otherHostKey)\n", "the host key of localhost is not the one in \(fixture.path("known_hosts")):1"),
                ("\(name) \(fixture.hostKey)\n@revoked * \(fixture.hostKey)\n", "is revoked in \(fixture.path("known_hosts")):2"),
            ]
            for (text, cause) in refusals {
                var access = try await fixture.access(to: server)
                try await fixture.git.write("known_hosts", text)
                let refused = try await client.validate(url, access)
                #expect(refused.status == 1 && refused.error.contains(cause), "\(text): \(refused.error)")
                #expect(try await !client.hasFetched())
                access["MIZAR_KNOWN_HOSTS"] = ""
                #expect(try await client.validate(url, access).error.contains("is unknown"))
            }
        }
    }

    @Test func keysAreTriedInTurn() async throws {
        try await fixture.serve { server, url in
            var access = try await fixture.access(to: server)
            access["MIZAR_SSH_KEY"] = fixture.path("stranger")
            let stranger = try await client.validate(url, access)
            #expect(stranger.status == 1 && stranger.error.contains("the server takes none of our ssh keys"), "\(stranger.error)")
            #expect(try await !client.hasFetched())
            access["MIZAR_SSH_KEY"] = fixture.path("nowhere")
            let missing = try await client.validate(url, access)
            #expect(missing.error.contains("cannot read the private key \(fixture.path("nowhere")): No such file"), "\(missing.error)")
            // An agent that has ended leaves its socket's name behind.
            access["SSH_AUTH_SOCK"] = fixture.path("nowhere")
            access["MIZAR_SSH_KEY"] = fixture.path("user")
            let alone = try await client.validate(url, access)
            #expect(alone.succeeded, "\(alone.error)")
        }
    }

    @Test func anAgentHoldsTheKey() async throws {
        let socket = fixture.path("agent")
        try await fixture.serve { server, url in
            var access = try await fixture.access(to: server)
            access["SSH_AUTH_SOCK"] = socket
            let agent = ["ssh-agent", "-D", "-a", socket]
            try await Tool.whileRunning(agent, log: fixture.path("agent.log")) { _ in
                #expect(try await eventually { Glibc.access(socket, F_OK) == 0 })
                // It has none yet, then one that the server does not know: the next in turn is tried.
                for key in [nil, "stranger"] {
                    if let key { try await fixture.addToAgent(key, socket) }
                    let next = try await client.validate(url, access)
                    #expect(next.succeeded, "\(next.error)")
                }
                access["MIZAR_SSH_KEY"] = ""
                let refused = try await client.validate(url, access)
                #expect(refused.error.contains("the server takes none of our ssh keys"), "\(refused.error)")
                try await fixture.addToAgent("user", socket)
                let accepted = try await client.validate(url, access)
                #expect(accepted.succeeded, "\(accepted.error)")
            }
        }
    }

    /// The address that git's settings put in place of the one that was written is the server that is checked.
    @Test func anAddressMayStandForAnother() async throws {
        try await fixture.serve { server, url in
            let access = try await fixture.access(to: server)
            try await fixture.git.write(
                "home/.gitconfig", "[url \"ssh://git@localhost:\(server.port)/\"]\n\tinsteadOf = https://git.example.org/\n")
            let valid = try await client.validate("https://git.example.org\(fixture.path("repo"))", access)
            #expect(valid.succeeded, "\(valid.error)")
        }
    }

    @Test func aServerThatSaysNothingIsGivenUp() async throws {
        try await GitServer.run("inetd.py", ["sleep", "infinity"], in: fixture.git) { server in
            for scheme in ["ssh", "http", "https", "git"] {
                let outcome = try await client.validate("\(scheme)://localhost:\(server.port)/repo", timeout: 1)
                #expect(outcome.status == 1 && outcome.error.contains("not done within 1 second,"), "\(outcome.error)")
                #expect(try await !client.isFetching())
            }
        }
    }

    @Test func aFetchThatStopsHalfwayIsEndedAndTakenUpAgain() async throws {
        try await fixture.serve(command: fixture.path("serve")) { server, url in
            let access = try await fixture.access(to: server)
            try await fixture.stopHalfway()
            // A machine that is busy gets there later.
            for timeout in [2, 10, 60] {
                let ended = try await client.validate(url, access, timeout: timeout)
                #expect(ended.status == 1 && ended.error.contains("not done within \(timeout) seconds,"), "\(ended.error)")
                #expect(try await !client.isFetching())
                if try await client.hasUnfinishedPack() { break }
            }
            #expect(try await client.hasUnfinishedPack())
            try await fixture.goOn()
            let valid = try await client.validate(url, access)
            #expect(valid.succeeded, "\(valid.error)")
            #expect(try await !client.hasUnfinishedPack())
        }
    }

    @Test func aServerThatDiesHalfwayIsAnError() async throws {
        try await fixture.serve(command: fixture.path("serve")) { server, url in
            let access = try await fixture.access(to: server)
            try await fixture.stopHalfway()
            async let outcome = client.validate(url, access)
            #expect(try await eventually(within: .seconds(60)) { try await client.hasUnfinishedPack() })
            server.end()
            let died = try await outcome
            #expect(died.status == 1 && died.error.contains("cannot fetch \(url): "), "\(died.error)")
            #expect(!died.error.contains("not done within"), "\(died.error)")
            #expect(try await !client.isFetching())
        }
    }
}

/// An ssh server's keys and account, and a client's.
struct SSHFixture: Sendable {
    let git: GitFixture
    let client: GitClient
    /// The server's type and key, and those of another server, as they are in known_hosts.
    let hostKey: String
    let otherHostKey: String

    init() async throws {
        git = try GitFixture()
        client = GitClient(git: git)
        try await git.serverRepository()
        hostKey = try await Self.makeHostKey("\(git.folder)/host_key")
        otherHostKey = try await Self.makeHostKey("\(git.folder)/other_host_key")
        for name in ["user", "stranger"] {
            try await Tool.check("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "\(git.folder)/\(name)")
        }
        try await git.write("account/.ssh/authorized_keys", try await Tool.check("cat", "\(git.folder)/user.pub"))
        // dropbear takes no keys from where others may write.
        try await Tool.check("chmod", "-R", "go-w", "\(git.folder)/account")
        try await git.write("passwd", "git:x:0:0::\(git.folder)/account:/bin/sh\n")
    }

    private static func makeHostKey(_ path: String) async throws -> String {
        let output = try await Tool.check("dropbearkey", "-t", "ed25519", "-f", path)
        guard let line = output.split(separator: "\n").first(where: { $0.hasPrefix("ssh-ed25519 ") }) else {
            throw FixtureError(text: "dropbearkey: \(output)")
        }
        return line.split(separator: " ").prefix(2).joined(separator: " ")
    }

    func path(_ name: String) -> String { "\(git.folder)/\(name)" }

    /// Runs `body` with a server and the URL of the repository there.
    ///
    /// - Parameter command: what the server runs in place of what it is asked for.
    func serve(command: String? = nil, _ body: (GitServer, String) async throws -> Void) async throws {
        var words = ["/usr/sbin/dropbear", "-i", "-m", "-s", "-j", "-k", "-r", path("host_key")]
        if let command { words += ["-c", command] }
        try await GitServer.run("inetd.py", words, in: git, passwd: path("passwd")) { server in
            try await body(server, "ssh://git@localhost:\(server.port)\(path("repo"))")
        }
    }

    /// The settings of a client that knows the server, and whose key it takes.
    func access(to server: GitServer) async throws -> [String: String] {
        try await git.write("known_hosts", "[localhost]:\(server.port) \(hostKey)\n")
        return ["MIZAR_KNOWN_HOSTS": path("known_hosts"), "MIZAR_SSH_KEY": path("user")]
    }

    func addToAgent(_ key: String, _ socket: String) async throws {
        try await Tool.check("ssh-add", "-q", path(key), environment: ["SSH_AUTH_SOCK": socket])
    }

    /// The command `serve` sends the beginning of a pack, and no more until its client goes.
    func stopHalfway() async throws {
        try await write(serve: "exec 3<&0\ngit-upload-pack \(path("repo")) | { dd bs=1 count=3000 status=none; exec cat <&3 >/dev/null; }")
    }

    func goOn() async throws { try await write(serve: "exec git-upload-pack \(path("repo"))") }

    private func write(serve script: String) async throws {
        try await git.write("serve", "#!/bin/sh\n\(script)\n")
        git.makeExecutable("serve")
    }
}

extension GitClient {
    /// Whether any commit has come.
    func hasFetched() async throws -> Bool {
        try await !Tool.execute(["find", cache, "-name", "*.pack"]).output.isEmpty
    }
}
