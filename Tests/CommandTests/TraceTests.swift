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

    struct LiveReport: Decodable {
        struct Action: Decodable, Equatable {
            var kind: String
            var host: String?
            var stage: String?
            var reason: String?
        }
        struct Live: Decodable {
            struct Probe: Decodable {
                var program: Action
                var agrees: Bool
                var commit: [Action]
            }
            var probes: [Probe]
        }
        var live: Live
    }

    /// Every kind of answer, at ports, at a bouncer and at the end of a way; in tc and in XDP.
    @Test(.needsRoot, arguments: ["tc", "xdp"]) func theProgramsAreAsked(_ datapath: String) async throws {
        var fleet = ScenarioTests.oneNetwork(datapath, hosts: 3)
        fleet.endpoint("acme/prod/web/c", 12, on: "h1")
        fleet.roles(on: "h3")
        try await LabFixture.with(fleet) { lab in
            func live(_ host: String, _ to: String, _ words: [String] = []) async throws -> [LiveReport.Live.Probe] {
                let outcome = try await lab.tool(on: host).run(
                    ["trace", "acme/prod/web/a", to, "--live", "--format", "json"] + lab.arguments(host) + words)
                #expect(outcome.status != 1, "\(host), \(to), \(words): \(outcome)")
                return try JSONDecoder().decode(LiveReport.self, from: Data(outcome.output.utf8)).live.probes
            }
            let cases: [(host: String, to: String, kinds: [String], words: [String])] = [
                ("h1", "acme/prod/web/c", ["deliver"], []), ("h1", "acme/prod/web/b", ["send"], ["--ip", "6"]),
                ("h3", "acme/prod/web/b", ["send"], ["--port", "7"]), ("h2", "acme/prod/web/b", ["deliver", "deliver"], ["--ip", "6"]),
                ("h1", "10.0.1.1", ["answer"], []), ("h1", "fd00:1:0:1::1", ["answer"], []),
                ("h1", "10.0.1.1", ["drop"], ["--port", "22"]),
                ("h3", "10.0.1.99", ["drop"], []), ("h1", "224.0.0.1", ["drop"], []), ("h1", "10.0.1.11", ["drop"], ["--size", "1600"]),
            ]
            for (host, to, kinds, words) in cases {
                let probes = try await live(host, to, words)
                #expect(probes.map(\.program.kind) == kinds && probes.allSatisfy(\.agrees), "\(host), \(to), \(words): \(probes)")
            }
            // What was learned is in the live rows, and is what the programs go by.
            let straight = LiveReport.Action(kind: "send", host: "h2", stage: "plain")
            let isLearned = try await eventually {
                _ = try await lab.pings("acme/prod/web/a", "10.0.1.11")
                return try await live("h1", "acme/prod/web/b").map(\.program) == [straight]
            }
            #expect(isLearned)
            let elsewhere = try await lab.tool(on: "h2").run(
                ["trace", "acme/prod/web/a", "acme/prod/web/c", "--live"] + lab.arguments("h2"))
            #expect(elsewhere.status == 1 && elsewhere.error.contains("does not come to host h2"), "\(elsewhere)")
            // Programs deliver to an interface that is down, and nobody gets it.
            let down = fleet["acme/prod/web/c"].interface
            for (state, status, words) in [("down", Int32(2), "Lost at h1: \(down), "), ("up", 0, "Delivered: acme/prod/web/c on h1")] {
                _ = try await lab.on("h1", "ip", "link", "set", down, state)
                let outcome = try await lab.tool(on: "h1").run(
                    ["trace", "acme/prod/web/a", "acme/prod/web/c", "--live"] + lab.arguments("h1"))
                let last = outcome.output.split(separator: "\n").last ?? ""
                #expect(outcome.status == status && last.hasPrefix(words), "\(outcome)")
            }
        }
    }
}
