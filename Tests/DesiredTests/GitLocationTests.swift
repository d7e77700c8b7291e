import Subprocess
import TestSupport
import Testing

@testable import Desired

@Suite struct GitLocationTests {
    @Test(arguments: [
        ("https://example.org/a.git", true), ("ssh://git@example.org:2222/a", true), ("file:///srv/a", true),
        ("git@example.org:team/a.git", true), ("example.org:a", true), ("/srv/a", false), ("./a:b", false), ("a/b", false),
        (".", false), ("dir", false),
    ])
    func pathsAndURLs(text: String, isRemote: Bool) throws {
        #expect(try GitLocation(text) == (isRemote ? .remote(text) : .path(text)))
    }

    @Test(arguments: ["", "ftp://example.org/a", "ext::sh://x", "http+unix://x"])
    func refused(text: String) { #expect(throws: DesiredError.self) { try GitLocation(text) } }

    @Test(arguments: [
        ("ssh://git@example.org:2222/a", "example.org", 2222), ("git@example.org:a", "example.org", 22),
        ("ssh://[fd00::1]:23/a", "fd00::1", 23), ("git@[fd00::1]:a", "fd00::1", 22), ("ssh://h/a", "h", 22),
    ])
    func sshHosts(text: String, host: String, port: Int) throws {
        let found = try #require(GitLocation.sshEndpoint(text))
        #expect(found == (host, port))
    }

    @Test func passwordsStayOutOfMessages() {
        #expect(GitLocation.redacted("https://me:secret@example.org/a") == "https://me:***@example.org/a")
        #expect(GitLocation.redacted("https://example.org:8443/a@b") == "https://example.org:8443/a@b")
    }

    @Test func mirrorsHaveAStableFolderEach() throws {
        #expect(try Mirror.folder(url: "https://example.org/a", cache: "/c") == Mirror.folder(url: "https://example.org/a", cache: "/c"))
        #expect(try Mirror.folder(url: "https://example.org/a", cache: "/c") != Mirror.folder(url: "https://example.org/b", cache: "/c"))
        #expect(try Mirror.folder(url: "https://example.org/../../b", cache: "/c").split(separator: "/").count == 2)
    }
}

@Suite struct KnownHostsTests {
    @Test(arguments: [
        ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"), ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"),
        (String(repeating: "a", count: 119), "ee971065aaa017e0632a8ca6c77bb3bf8b1dfc56"),
    ])
    func sha1Vectors(text: String, hex: String) {
        #expect(SHA1.hash(Array(text.utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() == hex)
    }

    /// A key's blob: its type's name with its length in front, and some bytes.
    private func blob(_ type: String, _ seed: UInt8) -> [UInt8] {
        [0, 0, 0, UInt8(type.utf8.count)] + Array(type.utf8) + [UInt8](repeating: seed, count: 32)
    }

    private func base64(_ bytes: [UInt8]) -> String {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var text = ""
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let word = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for index in 0..<4 { text.append(index <= group.count ? letters[word >> (18 - 6 * index) & 63] : "=") }
        }
        return text
    }

    @Test func verdicts() {
        let (good, bad, other) = (blob("ssh-ed25519", 1), blob("ssh-ed25519", 2), blob("ecdsa-sha2-nistp256", 3))
        let text = """
            # a comment
            git.example.org,10.0.0.1 ssh-ed25519 \(base64(good)) me
            [git.example.org]:2222 ssh-ed25519 \(base64(bad))
            *.wild.org,!no.wild.org ssh-ed25519 \(base64(good))
            @revoked * ssh-ed25519 \(base64(blob("ssh-ed25519", 9)))
            broken line
            """
        let hosts = KnownHosts(files: [("f", text)])
        #expect(hosts.verdict(host: "git.example.org", port: 22, key: good) == .known)
        #expect(hosts.verdict(host: "GIT.example.org", port: 22, key: good) == .known)
        #expect(hosts.verdict(host: "10.0.0.1", port: 22, key: good) == .known)
        #expect(hosts.verdict(host: "git.example.org", port: 22, key: bad) == .changed("f:2"))
        #expect(hosts.verdict(host: "git.example.org", port: 22, key: other) == .unknown)
        #expect(hosts.verdict(host: "git.example.org", port: 2222, key: bad) == .known)
        #expect(hosts.verdict(host: "a.wild.org", port: 22, key: good) == .known)
        #expect(hosts.verdict(host: "no.wild.org", port: 22, key: good) == .unknown)
        #expect(hosts.verdict(host: "other.org", port: 22, key: good) == .unknown)
        #expect(hosts.verdict(host: "a.wild.org", port: 22, key: blob("ssh-ed25519", 9)) == .revoked("f:5"))
    }

    /// Names as OpenSSH itself hashes them.
    @Test func hashedNames() async throws {
        let fixture = try GitFixture()
        let key = blob("ssh-ed25519", 1)
        try await fixture.write("known", "git.example.org ssh-ed25519 \(base64(key))\n[h]:23 ssh-ed25519 \(base64(key))\n")
        let hashing = try await run(
            .name("ssh-keygen"), arguments: ["-H", "-f", "\(fixture.folder)/known"], output: .discarded, error: .discarded)
        #expect(hashing.terminationStatus.isSuccess)
        let text = try await run(.name("cat"), arguments: ["\(fixture.folder)/known"], output: .string(limit: 4096)).standardOutput
        #expect(text.hasPrefix("|1|"))
        let hosts = KnownHosts(files: [("f", text)])
        #expect(hosts.verdict(host: "git.example.org", port: 22, key: key) == .known)
        #expect(hosts.verdict(host: "h", port: 23, key: key) == .known)
        #expect(hosts.verdict(host: "h", port: 22, key: key) == .unknown)
    }
}
