import FoundationEssentials
import TestSupport
import Testing

/// `trace` without privileges: what it says, and how it ends.
@Suite struct TraceTests {
    struct Report: Decodable {
        struct Way: Decodable {
            struct Outcome: Decodable { var result: String }
            var outcome: Outcome
        }
        var ways: [Way]
    }

    static func repository() async throws -> GitFixture {
        let git = try GitFixture()
        try await git.repository(files: ApplyTests.twoHosts().files)
        return git
    }

    static func trace(_ git: GitFixture, _ words: String...) async throws -> Tool.Outcome {
        try await Tool().run(["trace"] + words + ["--repo", "\(git.folder)/repo"])
    }

    @Test func theExitCodeSaysHowItEnds() async throws {
        let git = try await Self.repository()
        let endpoint = "acme/prod/web/a"
        let delivered = try await Self.trace(git, endpoint, "acme/prod/web/c")
        #expect(delivered.status == 0 && delivered.error.isEmpty, "\(delivered)")
        #expect(delivered.output.contains("acme.yaml:"), "each row with its place: \(delivered.output)")
        let closing = delivered.output.split(separator: "\n").last ?? ""
        #expect(closing.hasPrefix("Delivered: acme/prod/web/c on h1"), "\(closing)")
        #expect(try await Self.trace(git, endpoint, "acme/prod/web/c", "--quiet").output == closing + "\n")
        let dropped = try await Self.trace(git, endpoint, "10.0.1.99")
        #expect(dropped.status == 2 && dropped.output.contains("(no-endpoint)"), "\(dropped)")
        let gateway = try await Self.trace(git, endpoint, "10.0.1.1", "--ip", "4")
        #expect(gateway.status == 0 && gateway.output.contains("Answered"), "\(gateway)")
        let refused = try await Self.trace(git, endpoint, "acme/prod/web/cc")
        #expect(refused.status == 1 && refused.error.contains("did you mean") && refused.output.isEmpty, "\(refused)")
        for words in [["--ip", "5"], ["--port", "65536"], ["--ttl", "256"], ["--flow-label", "1048576"], ["--size", "19"]] {
            let wrong = try await Tool().run(["trace", endpoint, "10.0.1.1", "--repo", "\(git.folder)/repo"] + words)
            #expect(wrong.status == 1 && wrong.output.isEmpty, "\(words): \(wrong)")
        }
    }

    @Test func theCommitIsTheOneThatIsAskedFor() async throws {
        let git = try await Self.repository()
        var fleet = ApplyTests.twoHosts()
        fleet.remove("acme/prod/web/c")
        try await git.commit(fleet.files)
        let json = try await Self.trace(git, "acme/prod/web/a", "10.0.1.12", "--ref", "HEAD~1", "--format", "json")
        let report = try JSONDecoder().decode(Report.self, from: Data(json.output.utf8))
        #expect(json.status == 0 && report.ways.map(\.outcome.result) == ["delivered"], "\(json)")
        #expect(try await Self.trace(git, "acme/prod/web/a", "10.0.1.12").status == 2)
    }
}
