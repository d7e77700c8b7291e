import TestSupport
import Testing

/// What is removed is gone everywhere, by bpftool's word; who stays is reached as before.
@Suite(.needsRoot) struct ScenarioDeletionTests {
    /// Scenario 11: an endpoint deleted, then made with another address.
    @Test(arguments: datapaths)
    func anotherAddress(datapath: String) async throws {
        var fleet = ScenarioTests.oneNetwork(datapath, hosts: 3)
        fleet.roles(on: "h3")
        try await LabFixture.with(fleet) { lab in
            let old = fleet["acme/prod/web/b"]
            fleet.remove(old.path)
            fleet.endpoint("acme/prod/web/c", 12, on: "h1")
            try await lab.change(to: fleet)
            try await ScenarioTests.holds(lab, fleet)
            #expect(try await lab.remains(of: [old], vni: 4097, on: fleet) == [])
            fleet.endpoint("acme/prod/web/b", 77, on: "h2")
            try await lab.change(to: fleet)
            try await ScenarioTests.holds(lab, fleet, "the new address")
            let silent = try await lab.failures(fleet, silent: [("acme/prod/web/a", old.addresses)], kinds: ["ping"])
            #expect(silent == [], "the old address")
            var other = old
            other.path = ""
            #expect(try await lab.remains(of: [other], vni: 4097, on: fleet) == [])
        }
    }

    /// Scenarios 12 to 18, with the roles elsewhere or (17) on the endpoints' own hosts.
    @Test(arguments: datapaths, [false, true])
    func deletions(datapath: String, areRolesColocated: Bool) async throws {
        var fleet = ScenarioTests.twoTenants(datapath, hosts: 4)
        for (name, number, host) in [("d", 20, "h1"), ("e", 21, "h1"), ("f", 22, "h1"), ("g", 23, "h2"), ("h", 24, "h2")] {
            fleet.endpoint("acme/prod/web/\(name)", number, on: host)
        }
        if areRolesColocated {
            fleet.roles(on: "h1", "h2", "h3", shards: 2)
        } else {
            fleet.roles(on: "h4")
        }
        try await LabFixture.with(fleet) { lab in
            try await ScenarioTests.holds(lab, fleet, "before")
            func remove(_ paths: String..., comment: Comment) async throws {
                let gone = paths.map { fleet[$0] }
                for path in paths { fleet.remove(path) }
                try await lab.change(to: fleet)
                #expect(try await lab.remains(of: gone, vni: 4097, on: fleet) == [], comment)
                let silent = try await lab.failures(
                    fleet, silent: [("acme/prod/web/a", gone.flatMap(\.addresses))], kinds: ["ping", "udp"])
                #expect(silent == [], comment)
                #expect(try await lab.unfinished(fleet) == [], comment)
            }
            try await remove("acme/prod/web/d", comment: "12: one endpoint")
            try await remove("acme/prod/web/e", "acme/prod/web/f", comment: "13: several on one host")
            try await remove("acme/prod/web/g", comment: "15: one at a time")
            if areRolesColocated {
                fleet.roles(on: "h2", "h4", shards: 2)
            } else {
                fleet.roles(on: "h3")
            }
            try await lab.change(to: fleet)
            try await remove("acme/prod/web/h", comment: "18: after role changes")

            let network = fleet.endpoints.filter { $0.network == "acme/prod/db" }
            fleet.remove(network: "acme/prod/db")
            try await lab.change(to: fleet)
            #expect(try await lab.remains(of: network, vni: 4097, on: fleet) == [], "14: a network")
            for host in fleet.hosts {
                let rows = try await lab.rows(host.name, "networks").count { $0.number == 4097 && $0.key[18] == 2 }
                #expect(rows == 0, "14: \(host.name) has no block of the network")
            }
            try await ScenarioTests.holds(lab, fleet, "14: a network")

            fleet.remove(vpc: "globex/prod")
            try await lab.change(to: fleet)
            #expect(try await lab.remains(ofVNI: 4098, on: fleet) == [], "16: a VPC")
            try await ScenarioTests.holds(lab, fleet, "16: a VPC")

            fleet.remove(vpc: "acme/prod")
            try await lab.change(to: fleet)
            #expect(try await lab.remains(ofVNI: 4097, on: fleet) == [], "the last VPC")
            #expect(try await lab.unfinished(fleet) == [])
        }
    }
}
