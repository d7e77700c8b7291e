import FoundationEssentials
import Glibc
import TestSupport
import Testing

/// `validate`: every finding, on one line each, whatever the files are called.
@Suite struct ValidateTests {
    struct Report: Decodable {
        struct Finding: Decodable {
            struct Place: Decodable { var file: String }
            var code: String
            var at: Place
        }
        var valid: Bool
        var diagnostics: [Finding]
    }

    static func report(_ json: String) throws -> Report {
        try JSONDecoder().decode(Report.self, from: Data(json.utf8))
    }

    /// A line feed, an escape sequence, marks of direction, a backtick, a mention and HTML.
    static let evil = "a\nb.yaml:1:1: error[MZ001]: forged\u{1b}[31m\u{202e}`@org<b>.yaml"

    @Test func namesOfFilesForgeNoLines() async throws {
        let git = try GitFixture()
        try await git.repository(files: [Self.evil: "kind: Nothing\n", "folder\u{2028}/x.yaml": "kind: Nothing\n"])
        let repo = "\(git.folder)/repo"
        for words in [["validate", repo], ["validate", "--repo", repo]] {
            let text = try await Tool().run(words)
            #expect(text.status == 1 && text.error.isEmpty, "\(text.error)")
            let lines = text.output.split(separator: "\n")
            #expect(lines.count == 3 && lines.last == "2 errors", "\(text.output)")
            #expect(text.output.unicodeScalars.allSatisfy { $0 == "\n" || !["\u{1b}", "\u{202e}", "\u{2028}"].contains($0) })
            #expect(
                lines.first?.hasPrefix("a\u{fffd}b.yaml:1:1: error[MZ001]: forged\u{fffd}[31m\u{fffd}`@org<b>.yaml:1:7: error[") == true)

            let markdown = try await Tool().run(words + ["--format", "markdown"])
            #expect(markdown.status == 1)
            let quotes = markdown.output.split(separator: "\n")
            #expect(quotes.prefix(2) == ["<!-- mizar-reconcile validate -->", "**2 errors**"])
            #expect(quotes.count == 4, "\(markdown.output)")
            // All of a name is code, in which nothing is markup.
            #expect(quotes.dropFirst(2).allSatisfy { $0.wholeMatch(of: /> ✖ `[^`]*`/) != nil }, "\(markdown.output)")

            let json = try await Tool().run(words + ["--format", "json"])
            #expect(json.status == 1)
            #expect(try Self.report(json.output).diagnostics.first?.at.file == Self.evil, "JSON is exact")
        }
        // The same findings of a commit that was to be planned.
        let plan = try await Tool().run("plan", "--repo", repo, "--base", "HEAD")
        #expect(plan.status == 1 && plan.error.split(separator: "\n").count == 3, "\(plan.error)")
        #expect(plan.error.contains("a\u{fffd}b.yaml"), "\(plan.error)")
    }

    @Test func aBareRepositoryIsNoEmptyFolder() async throws {
        let git = try GitFixture()
        try await git.repository(files: ApplyTests.twoHosts().files)
        try await git.git("clone", "-q", "--bare", ".", "\(git.folder)/bare.git")
        let folder = try await Tool().run("validate", "\(git.folder)/bare.git")
        #expect(folder.status == 1 && folder.error.contains("bare repository") && folder.error.contains("--repo"), "\(folder)")
        #expect(try await Tool().run("validate", "--repo", "\(git.folder)/bare.git").status == 0)
    }

    /// An unreadable file and an unreadable folder hide no other finding; nothing is said of what they may define.
    @Test(.needsRoot) func whatCannotBeReadIsAFindingAmongOthers() async throws {
        let git = try GitFixture()
        var files = ApplyTests.twoHosts().files
        files["bad.yaml"] = "kind: Nothing\n"
        files["closed/a.yaml"] = "kind: Nothing\n"
        try await git.repository(files: files)
        let repo = "\(git.folder)/repo"
        let hidden = try #require(ApplyTests.twoHosts().files.keys.sorted().first)
        #expect(chmod("\(repo)/\(hidden)", 0) == 0 && chmod("\(repo)/closed", 0) == 0)
        let outcome = try await Tool.execute(
            ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", Tool().path, "validate", repo])
        chmod("\(repo)/closed", 0o700)
        #expect(outcome.status == 1)
        for finding in ["\(hidden):1:1: error[MZ010]", "bad.yaml:1:7: error[MZ106]", "closed:1:1: error[MZ010]", "3 errors"] {
            #expect(outcome.output.contains(finding), "\(outcome.output)\(outcome.error)")
        }
        #expect(outcome.output.contains("Permission denied"))
    }

    /// Repositories of kilobytes that stand for gigabytes: refused at once, in little memory.
    @Test(arguments: ["folders", "names", "large", "endpoints", "values", "routes"]) func bombsAreRefusedInLittleMemory(_ kind: String)
        async throws
    {
        let bombs = try BombFixture()
        let code: String
        switch kind {
        case "folders":
            let tenant = try await bombs.blob("apiVersion: mizar/v1\nkind: Tenant\nname: acme\n")
            try await bombs.commit(tree: try await bombs.nested([("100644 blob", tenant, "t.yaml")], depth: 11))
            code = "MZ019"
        case "names":
            let endpoints = (0..<200).map { "  e\($0): {ip: 10.0.1.\($0), host: h1, interface: v\($0)}\n" }.joined()
            let blob = try await bombs.blob("apiVersion: mizar/v1\nkind: Endpoints\nnetwork: a/b/c\nendpoints:\n\(endpoints)")
            try await bombs.commit(tree: try await bombs.tree((0..<20_000).map { ("100644 blob", blob, "\($0).yaml") }))
            code = "MZ019"
        case "large":
            var entries: [BombFixture.Entry] = []
            for index in 0..<18 {
                let blob = try await bombs.blob(
                    "# \(index)\n" + String(repeating: "# \(String(repeating: "x", count: 4000))\n", count: 4100))
                entries.append(("100644 blob", blob, "\(index + 10).yaml"))
            }
            try await bombs.commit(tree: try await bombs.tree(entries))
            code = "MZ012"
        case "endpoints":
            let blob = try await bombs.blob(
                "apiVersion: mizar/v1\nkind: Endpoints\nnetwork: a/b/c\nendpoints:\n" + (0..<1_000_000).map { " e\($0): {}\n" }.joined())
            try await bombs.commit(tree: try await bombs.tree([("100644 blob", blob, "t.yaml")]))
            code = "MZ019"
        case "routes":
            // A host with thousands of endpoints of one VPC, which has as many blocks as it may.
            let blocks = (0..<1023).map { "10.1\($0 >> 8).\($0 & 255).0/24" }.joined(separator: ", ")
            let endpoints = (0..<9000).map { "  e\($0): {type: host, ip: 10.0.\(1 + $0 / 250).\(2 + $0 % 250), host: h1}\n" }.joined()
            let blob = try await bombs.blob(
                """
                apiVersion: mizar/v1\nkind: Host\nname: h1\naddress: 172.16.0.1\ninterface: eth0
                ---\napiVersion: mizar/v1\nkind: Tenant\nname: a
                ---\napiVersion: mizar/v1\nkind: VPC\nname: a/v\nvni: 1\ncidrs: [10.0.0.0/16, \(blocks)]
                ---\napiVersion: mizar/v1\nkind: Network\nname: a/v/n\ncidrs: [10.0.0.0/16]\nendpoints:
                \(endpoints)
                """)
            try await bombs.commit(tree: try await bombs.tree([("100644 blob", blob, "t.yaml")]))
            code = "MZ019"
        default:
            let blob = try await bombs.blob(repeating: "- [a,a,a,a,a,a,a,a,a,a,a,a]\n", times: 550_000)
            try await bombs.commit(tree: try await bombs.tree([("100644 blob", blob, "t.yaml")]))
            code = "MZ001"
        }
        // Of all that is writable, used or not.
        let outcome = try await Tool.execute(["prlimit", "--data=\(256 << 20)", Tool().path, "validate", "--repo", bombs.repo])
        #expect(outcome.status == 1, "\(outcome.error)")
        #expect(outcome.output.contains("error[\(code)]"), "\(outcome.output.suffix(1000))\(outcome.error)")
    }

    /// An object's header tells its own size, not that of what it is packed as a difference to.
    @Test func whatASmallFileIsPackedAsADifferenceToIsNotUnpackedBlindly() async throws {
        let bombs = try BombFixture()
        let blob = try await bombs.delta(of: "apiVersion: mizar/v1\nkind: Cluster\nname: lab\n", toMegabytes: 400)
        try await bombs.commit(tree: try await bombs.tree([("100644 blob", blob, "t.yaml")]))
        let outcome = try await Tool.execute(["prlimit", "--data=\(256 << 20)", Tool().path, "validate", "--repo", bombs.repo])
        #expect(outcome.status == 1 && outcome.error.contains("cannot read t.yaml of "), "\(outcome)")
        #expect(outcome.error.contains("is stored as a difference to is too large"), "\(outcome.error)")
    }

    /// What was a part of the topology and is skipped now is said, by `validate` and by `plan`.
    @Test func filesThatGoOutOfSightAreWarnedOf() async throws {
        let git = try GitFixture()
        let files = ApplyTests.twoHosts().files
        let team = "apiVersion: mizar/v1\nkind: Endpoints\nnetwork: acme/prod/web\nendpoints: {}\n"
        let base = try await git.repository(files: files.merging(["team/t.yaml": team]) { $1 })
        try await git.git("mv", "team/t.yaml", "team/t.YAML")
        try await git.commit([:])
        let repo = "\(git.folder)/repo"
        for words in [["validate", "--repo", repo], ["validate", repo], ["plan", "--repo", repo, "--base", base, "--head", "HEAD"]] {
            let outcome = try await Tool().run(words)
            #expect(outcome.status == 0 && (outcome.output + outcome.error).contains("team/t.YAML:1:1: warning[MZ017]"), "\(outcome)")
        }
    }
}
