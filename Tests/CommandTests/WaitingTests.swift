import TestSupport
import Testing

/// Changes that wait for every host to have seen the commit, and names of what has gone.
@Suite(.needsRoot) struct WaitingTests {
    @Test func planAndStatusAgreeAboutWhatWaits() async throws {
        var fleet = ApplyTests.twoHosts()
        fleet.settle = "1h"
        try await LabFixture.with(fleet) { lab in
            // An endpoint moves away, and the tables with it.
            fleet.move("acme/prod/web/c", to: "h2")
            fleet.roles(on: "h2")
            try await lab.commit(fleet)
            #expect(try await lab.apply("h1").succeeded)
            let plan = try await lab.plan("h1", "--detailed-exitcode")
            #expect(plan.status == 2, "what waits is outstanding: \(plan.output)")
            let line = try #require(plan.output.split(separator: "\n").first { $0.contains(" until every host has seen the commit (") })
            let words = try #require(line.split(separator: " (").first)
            let status = try await lab.tool(on: "h1").succeed("status", "--host", "h1", "--bpffs", lab.bpffs("h1"))
            #expect(status.contains("Waiting: \(words) (the next in "), "\(line)\n\(status)")
            #expect(try await lab.status("h1").waiting == Int(words.prefix { $0.isNumber }))
            #expect(plan.output.contains("No changes. \(words.prefix { $0.isNumber }) wait"), "\(plan.output)")
            // A second round has nothing to do, and says the same.
            #expect(try await lab.apply("h1").output.contains("0 added, 0 changed, 0 destroyed"))
            #expect(try await lab.plan("h1", "--detailed-exitcode").status == 2)
            // In the end nothing waits.
            #expect(try await lab.apply("h1", "--through", "remove").succeeded)
            #expect(try await lab.status("h1").waiting == 0)
            #expect(try await lab.plan("h1", "--detailed-exitcode").status == 0)
        }
    }

    @Test func anInterfaceThatWentKeepsItsName() async throws {
        let fleet = ApplyTests.twoHosts()
        try await LabFixture.with(fleet) { lab in
            let endpoint = fleet["acme/prod/web/c"]
            try await lab.unplug(endpoint)
            let status = try await lab.tool(on: "h1").succeed("status", "--host", "h1", "--bpffs", lab.bpffs("h1"))
            #expect(status.contains("\(endpoint.interface) (gone)"), "\(status)")
            let plan = try await lab.plan("h1")
            #expect(plan.output.contains("- port \(endpoint.interface) of \(endpoint.path)"), "\(plan.output)")
            #expect(plan.output.contains("here, \(endpoint.interface) -> here, interface awaited"), "\(plan.output)")
            #expect(try #/interface \d/#.firstMatch(in: plan.output) == nil, "\(plan.output)")
            #expect(try await lab.apply("h1").succeeded)
            #expect(try await lab.plan("h1").output.contains("No changes."))
        }
    }
}
