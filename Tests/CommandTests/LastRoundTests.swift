import TestSupport
import Testing

/// `status` says how the last round went, though it asks no repository.
@Suite(.needsRoot) struct LastRoundTests {
    @Test func statusSaysWhatIsWrong() async throws {
        var fleet = ApplyTests.twoHosts()
        fleet.guards = "{destroy: 10%, least: 1}"
        try await LabFixture.with(fleet) { lab in
            func isNoted(_ outcome: String, _ commit: String, _ words: String) async throws {
                let round = try #require(try await lab.status("h1").lastRound)
                #expect(round.outcome == outcome && round.commit == commit && round.text.contains(words), "\(round)")
                let text = try await lab.tool(on: "h1").run(["status", "--host", "h1", "--bpffs", lab.bpffs("h1")]).output
                #expect(text.contains(outcome == "done" ? "Last round: " : "Trouble since "), "\(text)")
            }
            let good = try await lab.git.git("rev-parse", "HEAD")
            #expect(try await lab.apply("h1").succeeded)
            try await isNoted("done", good, "")
            let since = try await lab.status("h1").lastRound?.since
            #expect(try await lab.apply("h1").succeeded)
            #expect(try await lab.status("h1").lastRound?.since == since, "since when it is well")

            var wrong = fleet
            wrong.endpoint("acme/prod/web/x", 99, on: "h7")
            let bad = try await lab.commit(wrong)
            #expect(try await lab.apply("h1").status == 1)
            try await isNoted("invalid", bad, "error")

            fleet.remove("acme/prod/web/b")
            fleet.remove("acme/prod/web/c")
            let less = try await lab.commit(fleet)
            #expect(try await lab.apply("h1").status == 4)
            try await isNoted("refused", less, "refused: commit \(less.prefix(12)) takes away")

            let words = ["apply", "--repo", "\(lab.git.folder)/nowhere", "--host", "h1", "--bpffs", lab.bpffs("h1")]
            #expect(try await lab.tool(on: "h1").run(words).status == 1)
            try await isNoted("unreachable", "", "nowhere")

            let daemon = RunTests.command(lab, "h1", repo: lab.repo, interval: "200ms")
            _ = try await Tool.whileRunning(daemon, namespace: lab.namespace(host: "h1"), log: "\(lab.git.folder)/run.log") { daemon in
                let isRefused = try await eventually { try await lab.status("h1").lastRound?.outcome == "refused" }
                #expect(isRefused, "\(daemon.output)")
                try await lab.git.git("revert", "--no-edit", less)
                try await lab.git.git("revert", "--no-edit", bad)
                let isDone = try await eventually { try await lab.status("h1").lastRound?.outcome == "done" }
                #expect(isDone, "\(daemon.output)")
            }
        }
    }
}
