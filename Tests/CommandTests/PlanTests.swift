import FoundationEssentials
import Glibc
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
            #expect(json.contains("\"state_digest\""))
            #expect(try await lab.plan("h1", "--format", "json").output == json, "the same each time")
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

    /// A file is anybody's, and what it names is judged before anything is done.
    @Test func aPlanFileIsJudgedWithItsPlace() async throws {
        var fleet = ApplyTests.twoHosts()
        try await LabFixture.with(fleet) { lab in
            fleet.hostEndpoint("acme/prod/web/node", 20, on: "h1")
            try await lab.commit(fleet)
            let file = "\(lab.git.folder)/plan.json"
            #expect(try await lab.plan("h1", "--out", file).succeeded)
            let plan = try await Tool.execute(["cat", file]).output
            let name = try #require(plan.firstMatch(of: #/mzr[0-9a-f]{10}/#)).output
            for (from, to, status, place) in [
                (
                    "\"name\" : \"\(name)\"", "\"name\" : \"../../../../etc/x\"", 4,
                    #/changes\[\d+\]\.after\.name: “\.\.\/\.\.\/\.\.\/\.\.\/etc\/x” is not a valid/#
                ),
                ("\"name\" : \"\(name)\"", "\"name\" : \"all\"", 4, #/changes\[\d+\]\.after\.name: “all” is not a valid/#),
                ("\"host\" : \"h1\"", "\"host\" : \"h1/../h2\"", 4, #/plan\.json: host: /#),
                ("\"mtu\" : 1", "\"mtu\" : 99999", 4, #/changes\[\d+\]\.after\.mtu: /#),
                ("\"mtu\" : 1", "\"mtu\" : -1", 4, #/changes\[\d+\]\.after\.mtu: /#),
                ("\"is_up\" : true", "\"is_up\" : 1", 1, #/changes\[\d+\]\.after\.is_up: not true or false/#),
                ("\"phase\" : \"add\"", "\"phase\" : \"now\"", 1, #/changes\[\d+\]\.phase: /#),
                ("\"addresses\" :", "\"address\" :", 1, #/changes\[\d+\]\.after: “addresses” is missing/#),
            ] as [(String, String, Int32, Regex<Substring>)] {
                try #require(plan.contains(from), "\(from)")
                try await lab.git.write("plan.json", plan.replacing(from, with: to))
                let refused = try await lab.tool(on: "h1").run("apply", file, "--bpffs", lab.bpffs("h1"))
                #expect(refused.status == status, "\(to): \(refused)")
                #expect(try place.firstMatch(in: refused.error) != nil, "\(to): \(refused.error)")
            }
            let endless = try await lab.tool(on: "h1").run("apply", "/dev/null", "--bpffs", lab.bpffs("h1"))
            #expect(endless.status == 1 && endless.error.contains("is no plan that this version can read"), "\(endless.error)")
            // Nothing was done, and the plan is as good as it was.
            try await lab.git.write("plan.json", plan)
            #expect(try await lab.tool(on: "h1").run("apply", file, "--bpffs", lab.bpffs("h1")).succeeded)
        }
    }

    /// Also a plan that names no address, as it changes nothing; and a fleet's, which no host can apply.
    @Test func aPlanOfAnotherMachineIsRefusedAndTouchesNothing() async throws {
        let fleet = ApplyTests.twoHosts()
        try await LabFixture.with(fleet) { lab in
            let (plan, fresh) = ("\(lab.git.folder)/plan.json", lab.bpffs("h2") + "-fresh")
            #expect(try await lab.plan("h1", "--out", plan).output.contains("No changes."))
            for bpffs in [fresh, lab.bpffs("h2"), lab.bpffs("h1")] {
                let elsewhere = try await lab.tool(on: "h2").run("apply", plan, "--bpffs", bpffs)
                #expect(elsewhere.status == 4, "\(bpffs): \(elsewhere.output)\(elsewhere.error)")
                #expect(elsewhere.error.contains("the plan is for "), "\(elsewhere.error)")
            }
            #expect(access(fresh, F_OK) != 0, "no folder was made")
            #expect(try await lab.tool(on: "h1").run("apply", plan, "--bpffs", lab.bpffs("h1")).succeeded)

            #expect(try await Tool().run("plan", "--repo", lab.repo, "--base", "HEAD", "--out", plan).succeeded)
            let whole = try await lab.tool(on: "h1").run("apply", plan, "--bpffs", lab.bpffs("h1"))
            #expect(whole.status == 1 && whole.error.contains("the plan of a whole fleet"), "\(whole.error)")

            // Flags that say how a result is printed.
            let words = ["--host", "h1", "--bpffs", lab.bpffs("h1")]
            let status = try await lab.tool(on: "h1").run(["status", "--quiet"] + words).output
            #expect(status.hasPrefix("Well\nHost h1, commit ") && status.split(separator: "\n").count == 2, "\(status)")
            struct Detached: Decodable { var removed: [String] }
            for isLast in [false, true] {
                let json = try await lab.tool(on: "h1").run(["detach", "--format", "json"] + words).output
                #expect(try JSONDecoder().decode(Detached.self, from: Data(json.utf8)).removed.isEmpty == isLast, "\(json)")
            }
        }
    }
}
