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
}
