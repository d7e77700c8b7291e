@testable import Planner
import TestSupport
import Testing
import Topology

@Suite("what people changed")
struct TopologyChangeTests {
    private static func lines(_ edit: (inout TopologyBuilder) -> Void) -> [String] {
        var builder = InterruptionTests.builder()
        let before = builder.build()
        edit(&builder)
        return TopologyChange(from: before, to: builder.build()).sections().filter { !$0.title.hasPrefix("roles") }.flatMap(\.lines)
    }

    /// A field that a type gets is a setting of it, or is named here.
    @Test("every field has a setting")
    func settings() throws {
        let builder = InterruptionTests.builder()
        let silent: Set = ["at", "dividersAt", "bouncersAt", "vpc", "network"]
        func fields(_ value: Any) -> [String] { Mirror(reflecting: value).children.compactMap(\.label).filter { !silent.contains($0) } }
        func count(_ value: Any) -> Int { fields(value).count - 1 }
        let cluster = builder.cluster
        let nested = fields(cluster.direct).count + fields(cluster.health).count + fields(cluster.guards).count
        #expect(cluster.settings.count == fields(cluster).count - 3 + nested)
        // Without the name, which is the path.
        #expect(builder.hosts[0].settings.count == count(builder.hosts[0]))
        #expect(builder.tenants[0].settings.count == count(builder.tenants[0]))
        #expect(builder.vpcs[0].settings.count == count(builder.vpcs[0]))
        #expect(builder.networks[0].settings.count == count(builder.networks[0]))
        // `device` is two: whether, and by which name.
        #expect(builder.endpoints[0].settings(home: "").count == count(builder.endpoints[0]) + 1)
    }

    @Test("what changes no row is shown and counted")
    func settingsAlone() {
        let edits: [(String, (inout TopologyBuilder) -> Void)] = [
            ("~ cluster test: settle 60s -> 90s", { $0.cluster.settle = 90_000 }),
            ("~ cluster test: guards.destroy 10% -> 100%", { $0.cluster.guards.destroy = 100 }),
            ("~ cluster test: guards.least 5 -> 9", { $0.cluster.guards.least = 9 }),
            ("~ cluster test: direct.age 30s -> 1500ms", { $0.cluster.direct.age = 1500 }),
            ("~ cluster test: health.count 3 -> 5", { $0.cluster.health.count = 5 }),
            ("~ tenant acme: protect false -> true  (tenants.yaml:3:3)", { $0.tenants[0].protect = true }),
            ("~ VPC acme/prod: protect false -> true  (vpcs.yaml:3:3)", { $0.vpcs[0].protect = true }),
            ("~ network acme/prod/web: protect false -> true  (networks.yaml:3:3)", { $0.networks[0].protect = true }),
            ("~ host h1: zone default -> az-1  (hosts.yaml:3:3)", { $0.hosts[0].zone = "az-1" }),
            ("~ host h1: datapath auto -> tc  (hosts.yaml:3:3)", { $0.hosts[0].datapath = .tc }),
            ("~ host h1: mtu none -> 1400  (hosts.yaml:3:3)", { $0.hosts[0].mtu = 1400 }),
            ("~ host h1: ipsec refuse -> ignore  (hosts.yaml:3:3)", { $0.hosts[0].ipsec = .ignore }),
        ]
        for (line, edit) in edits {
            #expect(Self.lines(edit) == [line])
            var builder = InterruptionTests.builder()
            let before = builder.build()
            edit(&builder)
            let plan = FleetPlan(base: before, baseCommit: "", head: builder.build(), headCommit: "")
            #expect(plan.text.contains(line) && plan.text.contains("\nResources: 0 to add, 1 to change, 0 to destroy.\nPlan: "))
            if line.contains("direct.age") {
                #expect(plan.text(isWhole: true).contains("  ~ host h1: direct.age 30s -> 1500ms  (hosts.yaml:3:3)"), "its row, too")
            }
            #expect(plan.markdown.contains(line.dropFirst(2)) && plan.text.contains("Nothing stops."))
        }
    }

    @Test("renamed, moved, or both")
    func renames() {
        func endpoint(_ edit: @escaping @Sendable (inout Endpoint) -> Void) -> [String] {
            Self.lines(InterruptionTests.endpoint("acme/prod/web/e-1", edit))
        }
        #expect(endpoint { $0.host = "h4" } == ["~ endpoint acme/prod/web/e-1: moved h1 -> h4  (endpoints.yaml:3:3)"])
        #expect(
            endpoint { $0.name = "acme/prod/web/n" } == ["~ endpoint acme/prod/web/n: renamed, was acme/prod/web/e-1  (endpoints.yaml:3:3)"]
        )
        #expect(
            endpoint { ($0.name, $0.host) = ("acme/prod/web/n", "h4") }
                == ["~ endpoint acme/prod/web/n: renamed, was acme/prod/web/e-1, moved h1 -> h4  (endpoints.yaml:3:3)"])
        #expect(
            Self.lines(InterruptionTests.rename("acme", "emca")) == ["~ tenant emca: renamed, was acme  (tenants.yaml:3:3)"],
            "what belongs to it has no line")
        #expect(
            Self.lines(InterruptionTests.rename("acme/prod", "acme/live")) == ["~ VPC acme/live: renamed, was acme/prod  (vpcs.yaml:3:3)"])
        let host = Self.lines { builder in
            builder.hosts[0].name = "h9"
            for index in builder.endpoints.indices where builder.endpoints[index].host == "h1" { builder.endpoints[index].host = "h9" }
        }
        #expect(host == ["~ host h9: renamed, was h1  (hosts.yaml:3:3)"], "its endpoints have not moved")
        let network = Self.lines { builder in
            builder.networks.removeAll { $0.name == "acme/prod/db" }
            builder.endpoints.removeAll { $0.network == "acme/prod/db" }
        }
        #expect(network == ["- network acme/prod/db"], "its endpoints go with it")
    }

    /// One host of 50, and its share of 2,000 endpoints in 100 networks of 10 tenants.
    @Test("the text of a drained host fits a screen")
    func drained() {
        var builder = TopologyBuilder()
        for number in 1...50 { builder.host("h\(number)", UInt32(number), zone: "az-\(number % 3)") }
        for number in 0..<2000 {
            let (tenant, vpc) = ("t\(number / 200)", "t\(number / 200)/prod")
            let network = "\(vpc)/n\(number / 20 % 10)"
            if number % 200 == 0 {
                builder.tenants.append(Tenant(name: tenant, at: builder.place("tenants.yaml", 3)))
                builder.vpc(vpc, vni: UInt32(1000 + number))
            }
            if number % 20 == 0 { builder.network(network, of: vpc, UInt32(number / 20 % 10), six: true) }
            builder.endpoint("\(network)/e\(number)", of: network, 10 + number % 20, on: "h\(1 + number * 7 % 50)")
        }
        let before = builder.build()
        builder.hosts[6].state = .draining
        var serial = 0
        for index in builder.endpoints.indices where builder.endpoints[index].host == "h7" {
            serial += 1
            builder.endpoints[index].host = "h\(8 + serial % 43)"
        }
        #expect(serial == 40)
        let plan = FleetPlan(base: before, baseCommit: "", head: builder.build(), headCommit: "")
        let lines = plan.text.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count <= 24, "\(plan.text)")
        #expect(lines.allSatisfy { $0.count <= 250 }, "\(plan.text)")
        #expect(plan.text.contains("~ host h7: state active -> draining"))
        #expect(plan.text.contains("\nResources: 0 to add, 41 to change, 0 to destroy.\nPlan: "))
        #expect(plan.text.contains("Nothing stops."))
        #expect(plan.markdown.length <= 65_536)
        #expect(plan.text(isWhole: true).contains("Host h7 changes"))
    }

    @Test("no line without a visible difference, and none twice", arguments: 0..<30)
    func visible(seed: Int) {
        var random = SeededGenerator(seed: UInt64(130_000 + seed))
        var builder = TopologyBuilder.random(using: &random, endpoints: 1...3)
        let before = builder.build()
        let done = builder.mutate(4, using: &random)
        let plan = FleetPlan(base: before, baseCommit: "", head: builder.build(), headCommit: "")
        for host in plan.hosts {
            var seen: Set<String> = []
            for row in host.rows {
                #expect(seen.insert("\(row.symbol) \(row.line)").inserted, "\(done), \(host.host): \(row.line) twice")
                if row.action == .update { #expect(row.line.contains("->") || row.line.contains("was "), "\(done): \(row.line)") }
            }
        }
        for line in plan.topology.sections(isWhole: true).flatMap(\.lines) where line.hasPrefix("~") {
            #expect(line.contains("->") || line.contains("was "), "\(done): \(line)")
        }
    }
}
