import TestSupport
import Testing

/// `plan` on a host: what it says, and what a saved plan is good for.
@Suite(.needsRoot) struct PlanTests {
    @Test func changesAreSaidAndNotMade() async throws {
        var fleet = ApplyTests.twoHosts()
        try await LabFixture.with(fleet) { lab in
            #expect(try await lab.plan("h1", "--detailed-exitcode").status == 0)
            let endpoints = try await lab.rows("h1", "endpoints")
            fleet.endpoint("acme/prod/web/d", 13, on: "h1")
            try await lab.commit(fleet)
            let plan = try await lab.plan("h1", "--detailed-exitcode")
            #expect(plan.status == 2)
            #expect(plan.output.contains("acme/prod/web/d"), "\(plan.output)")
            #expect(plan.output.contains("acme.yaml:"), "each row with its place: \(plan.output)")
            let closing = plan.output.split(separator: "\n").last ?? ""
            #expect(try #/Plan: [1-9][0-9]* to add, [0-9]+ to change, [0-9]+ to destroy\./#.wholeMatch(in: closing) != nil, "\(closing)")
            #expect(try await lab.plan("h1").status == 0, "without the flag, changes are no failure")
            #expect(try await lab.plan("h1", "--quiet").output == closing + "\n")
            #expect(try await lab.plan("h1", "--format", "markdown").output.contains("acme/prod/web/d"))
            let json = try await lab.plan("h1", "--format", "json").output
            let again = try await lab.plan("h1", "--format", "json").output
            #expect(json.contains("\"state_digest\"") && json == again)
            #expect(try await lab.rows("h1", "endpoints") == endpoints, "nothing was changed")
        }
    }

    @Test func aSavedPlanIsAppliedOrIsStale() async throws {
        var fleet = ApplyTests.twoHosts()
        try await LabFixture.with(fleet) { lab in
            fleet.remove("acme/prod/web/c")
            try await lab.commit(fleet)
            let (first, second) = ("\(lab.git.folder)/first.json", "\(lab.git.folder)/second.json")
            #expect(try await lab.plan("h1", "--out", first).succeeded)
            #expect(try await lab.plan("h1", "--out", second).succeeded)
            let tool = lab.tool(on: "h1")
            // On another machine it is refused.
            let elsewhere = try await lab.tool(on: "h2").run("apply", first, "--bpffs", lab.bpffs("h1"))
            #expect(elsewhere.status != 0, "\(elsewhere.output)")
            let applied = try await tool.run("apply", first, "--bpffs", lab.bpffs("h1"))
            #expect(applied.status == 0, "\(applied.output)\(applied.error)")
            #expect(applied.output.contains("Apply complete!"))
            let stale = try await tool.run("apply", second, "--bpffs", lab.bpffs("h1"))
            #expect(stale.status == 3, "\(stale.output)\(stale.error)")
            #expect(stale.error.contains("stale"))
            #expect(try await lab.apply("h2").succeeded)
            try await ScenarioTests.holds(lab, fleet)
        }
    }
}
