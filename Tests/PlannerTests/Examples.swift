import Planner
import TestSupport
import Topology

/// One topology in two versions, small enough to read in the golden files.
enum Examples {
    static let before: Topology = {
        var builder = base()
        builder.vpc("globex/old", vni: 4098)
        builder.network("globex/old/lan", of: "globex/old", 0)
        builder.endpoint("globex/old/lan/o-1", of: "globex/old/lan", 10, on: "h2", interface: "v-o-1")
        builder.endpoint("acme/prod/web/web-2", of: "acme/prod/web", 11, on: "h2", interface: "v-web-2")
        builder.endpoint("acme/prod/web/mgmt-1", of: "acme/prod/web", 20, on: "h2", isHost: true)
        builder.endpoint("acme/prod/web/web-9", of: "acme/prod/web", 19, on: "h1", interface: "v-web-9")
        return builder.build()
    }()

    /// An endpoint moves, one goes, one and a network come, a host comes, a VNI passes to another VPC.
    static let after: Topology = {
        var builder = base()
        builder.host("h4", 4, zone: "az-2")
        builder.vpc("globex/new", vni: 4098)
        builder.network("globex/new/lan", of: "globex/new", 0, bouncers: 1)
        builder.endpoint("globex/new/lan/n-1", of: "globex/new/lan", 10, on: "h2", interface: "v-n-1")
        builder.endpoint("acme/prod/web/web-2", of: "acme/prod/web", 11, on: "h3", interface: "v-web-2")
        builder.endpoint("acme/prod/web/web-3", of: "acme/prod/web", 12, on: "h1", interface: "v-web-3")
        builder.endpoint("acme/prod/web/mgmt-1", of: "acme/prod/web", 20, on: "h1", isHost: true)
        builder.network("acme/prod/db", of: "acme/prod", 2, bouncers: 1)
        builder.endpoint(
            "acme/prod/db/db-1", of: "acme/prod/db", 10, on: "h1", interface: "v-db-1", mac: MACAddress(bits: 0x0200_0000_0011))
        return builder.build()
    }()

    /// One network with an endpoint on each of two hosts, under one name and then under another.
    static let (named, renamed) = (named("web"), named("www"))

    private static func named(_ web: String) -> Topology {
        var builder = base(web: web)
        builder.endpoint("acme/prod/\(web)/web-2", of: "acme/prod/\(web)", 11, on: "h2", interface: "v-web-2")
        return builder.build()
    }

    private static func base(web: String = "web") -> TopologyBuilder {
        var builder = TopologyBuilder(settle: 60_000)
        builder.tenants = [
            Tenant(name: "acme", at: builder.place("tenants.yaml", 3)), Tenant(name: "globex", at: builder.place("tenants.yaml", 7)),
        ]
        builder.host("h1", 1, zone: "az-1", datapath: .tc)
        builder.host("h2", 2, zone: "az-2", datapath: .xdp)
        builder.host("h3", 3, zone: "az-1", mtu: 1400)
        builder.vpc("acme/prod", vni: 4097)
        builder.network("acme/prod/\(web)", of: "acme/prod", 1, six: true)
        builder.endpoint("acme/prod/\(web)/web-1", of: "acme/prod/\(web)", 10, on: "h1", interface: "v-web-1")
        return builder
    }

    static let warning = Diagnostic(
        .warning, "MZ310", at: SourceLocation(file: "networks.yaml", line: 4, column: 11),
        "network acme/prod/web asks for 9 bouncers, and 3 hosts are eligible", hint: "all of them serve")

    /// A host of `before` that has applied it.
    static func machine(_ name: String) -> PlanSimulator {
        var machine = PlanSimulator(name: name)
        machine.makeInterfaces(before)
        machine.makeInterfaces(after)
        let plan = Planner.plan(before, host: name, commit: commit("a"), observation: machine.observation, through: .remove)
        if let plan {
            do { try machine.apply(plan) } catch { machine.image = Image() }
        }
        return machine
    }

    static func commit(_ digit: Character) -> String { String(repeating: digit, count: 40) }

    static func plan(_ machine: PlanSimulator, _ topology: Topology, base: Topology?) -> Plan {
        Planner.plan(topology, base: base, host: machine.name, commit: commit("b"), observation: machine.observation)
            ?? Plan(host: "", commit: "", stateDigest: 0)
    }

    static let hosts: [String: Plan] = {
        var result: [String: Plan] = [:]
        var fresh = PlanSimulator(name: "h1")
        fresh.makeInterfaces(before)
        fresh.interfaces.removeAll { $0.name == "v-web-9" }
        result["host-first"] = plan(fresh, before, base: nil)
        result["host-first"]?.warnings = [warning]
        for name in ["h1", "h2", "h3"] {
            var machine = machine(name)
            let first = plan(machine, after, base: before)
            result["host-change-\(name)"] = first
            do { try machine.apply(first) } catch { continue }
            machine.now += 1_000_000_000
            result["host-waiting-\(name)"] = plan(machine, after, base: after)
            machine.now += 200_000_000_000
            result["host-settled-\(name)"] = plan(machine, after, base: after)
        }
        result["host-unchanged"] = plan(machine("h1"), before, base: before)
        if let commit = result["host-unchanged"]?.commit { precondition(commit == Self.commit("b")) }
        return result
    }()

    static let fleets: [String: FleetPlan] = [
        "fleet-change": FleetPlan(
            base: before, baseCommit: commit("a"), head: after, headCommit: commit("b"), warnings: [warning]),
        "fleet-back": FleetPlan(base: after, baseCommit: commit("b"), head: before, headCommit: commit("a")),
        "fleet-renamed": FleetPlan(base: named, baseCommit: commit("a"), head: renamed, headCommit: commit("b")),
        "fleet-unchanged": FleetPlan(base: before, baseCommit: commit("a"), head: before, headCommit: commit("a")),
    ]
}

/// Swift Testing has a SourceLocation too.
typealias Place = SourceLocation
