import TestSupport
import Testing

/// VNIs that change hands while a host hears of nothing: whatever it sends comes out at its own VPC's endpoints, or nowhere.
@Suite(.needsRoot) struct HandoverTests {
    /// The same addresses in both VPCs; h1 holds acme's tables where `isBouncer`, else h3, whose VPC that is not.
    private static func fleet(_ datapath: String, isBouncer: Bool) -> Fleet {
        var fleet = Fleet(hosts: 3, datapath: datapath)
        for (tenant, vni) in [("acme", 4097), ("globex", 4098)] {
            fleet.vpc("\(tenant)/prod", vni: vni)
            fleet.network("\(tenant)/prod/web", 1)
            fleet.endpoint("\(tenant)/prod/web/a", 10, on: "h1", mac: tenant == "acme" ? DatapathFactTests.macOfA : nil)
            fleet.endpoint("\(tenant)/prod/web/b", 11, on: "h2")
        }
        // One that nobody has learned of.
        fleet.endpoint("acme/prod/web/c", 12, on: "h2")
        fleet.endpoint("globex/prod/web/c", 12, on: "h2")
        fleet.settle = "0s"
        fleet.direct = "{age: 2s}"
        fleet.roles(on: isBouncer ? "h1" : "h3")
        return fleet
    }

    private static let receivers = ["acme/prod/web/b", "acme/prod/web/c", "globex/prod/web/b", "globex/prod/web/c"]

    /// What `endpoint` sends to both addresses, and who gets it.
    private static func send(_ lab: LabFixture, from endpoint: String, _ mac: String, expect: Int) async throws -> [String] {
        let frames = (0..<10).map { number in
            LabFixture.Frame(srcMac: mac, src: "10.0.1.10", dst: number % 2 == 0 ? "10.0.1.11" : "10.0.1.12")
        }
        return try await lab.send(
            frames, from: lab.namespace(endpoint: endpoint), to: receivers, expect: expect, wait: expect == 0 ? 0.5 : 3
        ).map(\.at)
    }

    /// Until nothing waits there any more.
    private static func settle(_ host: String, _ lab: LabFixture) async throws {
        let isSettled = try await eventually {
            let outcome = try await lab.apply(host)
            let plan = try await lab.plan(host, "--detailed-exitcode")
            return outcome.succeeded && plan.status == 0
        }
        #expect(isSettled, "\(host)")
    }

    @Test("an exchange of VNIs that one host hears nothing of", arguments: datapaths, [false, true])
    func exchange(datapath: String, isBouncer: Bool) async throws {
        var fleet = Self.fleet(datapath, isBouncer: isBouncer)
        try await LabFixture.with(fleet) { lab in
            // h1 learns where b is; c it does not know.
            for _ in 0..<2 { #expect(try await lab.pings("acme/prod/web/a", "10.0.1.11")) }
            let before = try await Self.send(lab, from: "acme/prod/web/a", DatapathFactTests.macOfA, expect: 10)
            #expect(before.count == 10 && before.allSatisfy { $0.hasPrefix("acme/") }, "\(before)")

            fleet.vpcs = fleet.vpcs.map { vpc in
                var vpc = vpc
                vpc.vni = vpc.name == "acme/prod" ? 4098 : 4097
                return vpc
            }
            try await lab.commit(fleet)
            for host in ["h2", "h3"] {
                // The heirs wait until nothing that was learned of the ones before is believed, `settle: 0s` or not.
                #expect(try await lab.apply(host).succeeded)
                #expect(try await lab.rows(host, "vpcs").isEmpty, "\(host) gives VNIs to their heirs at once")
            }
            for host in ["h2", "h3"] { try await Self.settle(host, lab) }
            #expect(try await Self.send(lab, from: "acme/prod/web/a", DatapathFactTests.macOfA, expect: 0) == [], "by what h1 believes")
            let drops = try await lab.drops("h2").merging(lab.drops("h3")) { $0 + $1 }
            #expect(drops["other-vpc", default: 0] >= 10, "\(drops)")
            // It hears of it at last.
            try await Self.settle("h1", lab)
            for _ in 0..<2 { #expect(try await lab.pings("acme/prod/web/a", "10.0.1.11")) }
            let after = try await Self.send(lab, from: "acme/prod/web/a", DatapathFactTests.macOfA, expect: 10)
            #expect(after.count == 10 && after.allSatisfy { $0.hasPrefix("acme/") }, "\(after)")
            try await ScenarioTests.holds(lab, fleet)
        }
    }
}
