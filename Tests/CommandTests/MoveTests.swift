import TestSupport
import Testing

/// Hosts that take a commit one by one, in another order in each phase, while traffic flows: nothing is lost.
@Suite(.needsRoot) struct MoveTests {
    /// Does what is due in each phase on all hosts, one after the other, and `between` before the last phase.
    private static func settle(
        _ lab: LabFixture, _ fleet: Fleet, seed: UInt64, beforeRemove between: () async throws -> Void = {}
    ) async throws {
        var random = SeededGenerator(seed: seed)
        for phase in ["add", "switch", "remove"] {
            if phase == "remove" { try await between() }
            for host in fleet.hosts.map(\.name).shuffled(using: &random) {
                let outcome = try await lab.apply(host, "--through", phase)
                #expect(outcome.succeeded, "\(phase) on \(host): \(outcome.error)")
            }
        }
    }

    /// Scenario 8: with its new interface made beforehand, an endpoint goes to another host under traffic from its own
    /// network and from another, and tables move at the same time.
    @Test(arguments: datapaths, [false, true])
    func endpointMovesUnderTraffic(datapath: String, ipv6: Bool) async throws {
        var fleet = ScenarioTests.oneNetwork(datapath)
        fleet.network("acme/prod/db", 2)
        fleet.endpoint("acme/prod/db/c", 10, on: "h3")
        fleet.roles(on: "h3")
        let b = fleet["acme/prod/web/b"]
        try await LabFixture.with(fleet) { lab in
            try await lab.plugSecond(b, on: "h4")
            fleet.move(b.path, to: "h4")
            fleet.roles(on: "h1", "h4", shards: 2)
            try await lab.commit(fleet)
            let flows = [("acme/prod/web/a", b.path), (b.path, "acme/prod/web/a"), ("acme/prod/db/c", b.path)]
            let reports = try await lab.underTraffic(flows, of: fleet, ipv6: ipv6) {
                try await Self.settle(lab, fleet, seed: ipv6 ? 6 : 4) { try await lab.useSecond(b) }
            }
            for report in reports {
                print("\(datapath), an endpoint moves: \(report)")
                #expect(report.isUnharmed, "\(report)")
            }
            try await lab.on("h2", "ip", "link", "del", "dev", b.interface)
            try await ScenarioTests.holds(lab, fleet)
        }
    }

    /// Every table changes its place again and again while packets that are not learned yet need it.
    @Test(arguments: datapaths)
    func tablesMoveUnderTraffic(datapath: String) async throws {
        var fleet = ScenarioTests.oneNetwork(datapath)
        // No pair is ever learned: each packet goes by a table.
        fleet.direct = "{after: 1000000}"
        fleet.network("acme/prod/db", 2)
        fleet.endpoint("acme/prod/db/c", 10, on: "h2")
        fleet.roles(on: "h3")
        try await LabFixture.with(fleet) { lab in
            let flows = [("acme/prod/web/a", "acme/prod/web/b"), ("acme/prod/db/c", "acme/prod/web/a")]
            let reports = try await lab.underTraffic(flows, of: fleet) {
                for (seed, roles) in [["h4"], ["h3", "h4"], ["h1", "h2", "h3"], ["h3"]].enumerated() {
                    for index in fleet.hosts.indices { fleet.hosts[index].weight = roles.contains(fleet.hosts[index].name) ? 100 : 0 }
                    for index in fleet.networks.indices { fleet.networks[index].bouncers = roles.count }
                    for index in fleet.vpcs.indices { fleet.vpcs[index].dividers = roles.count }
                    try await lab.commit(fleet)
                    try await Self.settle(lab, fleet, seed: UInt64(seed))
                }
            }
            for report in reports {
                print("\(datapath), tables move: \(report)")
                #expect(report.isUnharmed, "\(report)")
            }
            try await ScenarioTests.holds(lab, fleet)
        }
    }
}
