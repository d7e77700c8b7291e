import TestSupport
import Testing

/// Who reaches whom, wherever tables and endpoints are: real packets, and afterwards nothing is left to do.
@Suite(.needsRoot) struct ScenarioTests {
    /// Traffic as the fleet says, and no host with anything left to do.
    static func holds(
        _ lab: LabFixture, _ fleet: Fleet, except: Set<String> = [], _ comment: Comment? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let failures = try await lab.failures(fleet, except: except)
        #expect(failures == [], comment, sourceLocation: sourceLocation)
        let unfinished = try await lab.unfinished(fleet)
        #expect(unfinished == [], comment, sourceLocation: sourceLocation)
    }

    static func oneNetwork(_ datapath: String, hosts: Int = 4) -> Fleet {
        var fleet = Fleet(hosts: hosts, datapath: datapath)
        fleet.vpc("acme/prod", vni: 4097)
        fleet.network("acme/prod/web", 1)
        fleet.endpoint("acme/prod/web/a", 10, on: "h1")
        fleet.endpoint("acme/prod/web/b", 11, on: "h2")
        return fleet
    }

    static func twoTenants(_ datapath: String, hosts: Int = 3) -> Fleet {
        var fleet = Fleet(hosts: hosts, datapath: datapath)
        for (tenant, vni) in [("acme", 4097), ("globex", 4098)] {
            fleet.vpc("\(tenant)/prod", vni: vni)
            fleet.network("\(tenant)/prod/web", 1)
            fleet.network("\(tenant)/prod/db", 2)
            fleet.endpoint("\(tenant)/prod/web/a", 10, on: "h1")
            fleet.endpoint("\(tenant)/prod/web/b", 11, on: "h2")
            fleet.endpoint("\(tenant)/prod/db/c", 10, on: tenant == "acme" ? "h3" : "h1")
        }
        return fleet
    }

    /// Scenarios 1, 2 and 3: bouncers on neither end's host, one or two of them, on the receiver's, the sender's, both;
    /// both ends on one host, and everything on one.
    @Test(arguments: zip(datapaths, ["bridged", "routed"]))
    func bouncersAnywhere(datapath: String, underlay: String) async throws {
        var fleet = Self.oneNetwork(datapath)
        fleet.roles(on: "h3")
        try await LabFixture.with(fleet, underlay: underlay) { lab in
            let b = fleet["acme/prod/web/b"]
            #expect(try await lab.knows("h3", b, vni: 4097), "the bouncer has the endpoint")
            #expect(try await !lab.knows("h1", b, vni: 4097), "so packets go by the bouncer")
            try await Self.holds(lab, fleet, "a bouncer elsewhere")
            fleet.roles(on: "h3", "h4", shards: 2)
            try await lab.change(to: fleet)
            try await Self.holds(lab, fleet, "two bouncers elsewhere")
            fleet.roles(on: "h2")
            try await lab.change(to: fleet)
            #expect(try await !lab.knows("h3", b, vni: 4097), "a bouncer that was relieved forgets")
            try await Self.holds(lab, fleet, "a bouncer at one end")
            fleet.roles(on: "h1", "h2", shards: 2)
            try await lab.change(to: fleet)
            try await Self.holds(lab, fleet, "a bouncer at both ends")
            fleet.roles(on: "h2")
            fleet.move("acme/prod/web/b", to: "h1")
            try await lab.change(to: fleet)
            try await Self.holds(lab, fleet, "both endpoints on one host, the bouncer on another")
            fleet.roles(on: "h1")
            try await lab.change(to: fleet)
            try await Self.holds(lab, fleet, "all on one host")
        }
    }

    /// Scenario 4: two VPCs with the same addresses on the same hosts.
    @Test(arguments: datapaths)
    func sameAddressesInTwoVPCs(datapath: String) async throws {
        var fleet = Self.twoTenants(datapath)
        fleet.endpoint("globex/prod/web/lonely", 99, on: "h2")
        try await LabFixture.with(fleet) { lab in
            try await Self.holds(lab, fleet)
            // An address that only the other tenant has.
            let lonely = fleet["globex/prod/web/lonely"].addresses
            #expect(try await lab.failures(fleet, silent: [("acme/prod/web/a", lonely)], kinds: ["udp"]) == [])
        }
    }

    /// Scenarios 5 and 6: two networks with a divider; then three bouncers a network and three dividers, co-located.
    @Test(arguments: zip(datapaths, ["routed", "bridged"]))
    func networksAndDividers(datapath: String, underlay: String) async throws {
        var fleet = Self.oneNetwork(datapath)
        fleet.network("acme/prod/db", 2)
        fleet.endpoint("acme/prod/db/c", 10, on: "h2")
        fleet.endpoint("acme/prod/db/d", 11, on: "h3")
        fleet.roles(on: "h4")
        try await LabFixture.with(fleet, underlay: underlay) { lab in
            let networks = try await lab.rows("h1", "networks").count
            #expect(networks == 2, "h1 has the two blocks of its own network, so packets to the other go by the divider")
            try await Self.holds(lab, fleet, "one bouncer, one divider")
            let status = try await lab.status("h2")
            let (sent, received) = (status.endpoints.map(\.sentPackets), status.endpoints.map(\.receivedPackets))
            #expect(status.networks.map(\.name) == ["acme/prod/db", "acme/prod/web"] && status.networks.allSatisfy { $0.endpoints == 1 })
            #expect(sent.allSatisfy { $0 > 0 } && status.networks.map(\.sentPackets) == sent)
            #expect(status.vpcs.map(\.name) == ["acme/prod"] && status.vpcs.first?.endpoints == 2)
            #expect(status.vpcs.map(\.receivedPackets) == [received.reduce(0, +)])
            #expect(status.vpcs.map(\.directPackets) == [status.endpoints.reduce(0) { $0 + $1.directPackets }])
            fleet.roles(on: "h1", "h2", "h3", "h4", shards: 3)
            try await lab.change(to: fleet)
            try await Self.holds(lab, fleet, "three of each")
        }
    }

    /// Blocks without a gateway have the whole VPC on their link: a pair, a single address, and one of two families.
    @Test(arguments: zip(datapaths, ["routed", "bridged"]))
    func blocksWithoutGateways(datapath: String, underlay: String) async throws {
        var fleet = Self.oneNetwork(datapath)
        fleet.network("acme/prod/pair", cidrs: ["10.0.9.0/31", "fd00:1:0:9::/127"])
        fleet.endpoint("acme/prod/pair/c", addresses: ["10.0.9.0", "fd00:1:0:9::"], on: "h1", interface: "v-c")
        fleet.endpoint("acme/prod/pair/d", addresses: ["10.0.9.1", "fd00:1:0:9::1"], on: "h2", interface: "v-d")
        fleet.network("acme/prod/single", cidrs: ["10.0.8.7/32", "fd00:1:0:8::7/128"])
        fleet.endpoint("acme/prod/single/e", addresses: ["10.0.8.7", "fd00:1:0:8::7"], on: "h3", interface: "v-e")
        fleet.network("acme/prod/half", cidrs: ["10.0.7.0/24", "fd00:1:0:7::/127"])
        fleet.endpoint("acme/prod/half/f", addresses: ["10.0.7.10", "fd00:1:0:7::1"], on: "h2", interface: "v-f")
        fleet.roles(on: "h4")
        try await LabFixture.with(fleet, underlay: underlay) { lab in
            let pair = "acme/prod/pair/c"
            for family in ["-4", "-6"] {
                let routes = try await lab.inside(pair, "ip", family, "route", "show", "default").output
                #expect(routes.hasPrefix("default dev eth0") && !routes.contains("via"), "\(routes)")
            }
            try await Self.holds(lab, fleet, "tables elsewhere")
            // Every address of the VPC is a neighbour, and none of another.
            let neighbors = try await lab.inside(pair, "ip", "neigh", "show").output.split(separator: "\n")
            for path in ["acme/prod/pair/d", "acme/prod/single/e", "acme/prod/half/f", "acme/prod/web/b"] {
                for address in fleet[path].addresses {
                    let neighbor = neighbors.first { $0.hasPrefix("\(address) ") }
                    #expect(neighbor?.contains(DatapathFactTests.gatewayMAC) == true, "\(address): \(neighbor ?? "no neighbour")")
                }
            }
            fleet.roles(on: "h1", "h2", "h3", "h4", shards: 2)
            try await lab.change(to: fleet)
            try await Self.holds(lab, fleet, "tables everywhere")
        }
    }

    /// A host drained, one added, one down and back.
    @Test(arguments: datapaths)
    func hostsComeAndGo(datapath: String) async throws {
        var fleet = Self.oneNetwork(datapath, hosts: 3)
        fleet.endpoint("acme/prod/web/c", 12, on: "h3")
        fleet.roles(on: "h2", "h3", shards: 2)
        try await LabFixture.with(fleet) { lab in
            try await Self.holds(lab, fleet)
            fleet[host: "h2"].state = "draining"
            try await lab.change(to: fleet)
            #expect(try await !lab.knows("h2", fleet["acme/prod/web/c"], vni: 4097), "a drained host holds no table")
            try await Self.holds(lab, fleet, "h2 is drained and keeps its endpoint")

            fleet.add(host: 4, datapath: datapath)
            fleet.endpoint("acme/prod/web/d", 13, on: "h4")
            try await lab.change(to: fleet)
            try await Self.holds(lab, fleet, "h4 was added")

            fleet[host: "h2"].state = "down"
            try await lab.change(to: fleet)
            try await Self.holds(lab, fleet, except: ["acme/prod/web/b"], "h2 is down")
            var drops = 0
            for host in ["h3", "h4"] { drops += try await lab.drops(host)["host-down", default: 0] }
            #expect(drops > 0, "packets to a host that is down are counted")

            fleet[host: "h2"].state = "active"
            try await lab.change(to: fleet)
            try await Self.holds(lab, fleet, "h2 is back")

            fleet.move("acme/prod/web/d", to: "h1")
            fleet.hosts.removeAll { $0.name == "h4" }
            try await lab.change(to: fleet)
            try await Self.holds(lab, fleet, "h4 was removed")
        }
    }

    /// Scenario 7, and hosts that leave their roles: a TCP connection and a UDP stream do not notice.
    @Test(arguments: datapaths)
    func rolesMoveUnderTraffic(datapath: String) async throws {
        var fleet = Self.oneNetwork(datapath)
        fleet.network("acme/prod/db", 2)
        fleet.endpoint("acme/prod/db/c", 10, on: "h2")
        fleet.roles(on: "h3")
        try await LabFixture.with(fleet) { lab in
            let flows = [("acme/prod/web/a", "acme/prod/web/b"), ("acme/prod/db/c", "acme/prod/web/a")]
            let reports = try await lab.underTraffic(flows, of: fleet) {
                fleet.roles(on: "h3", "h4", shards: 2)
                try await lab.change(to: fleet)
                fleet.roles(on: "h4")
                try await lab.change(to: fleet)
                fleet.endpoint("acme/prod/web/e", 20, on: "h3")
                fleet.roles(on: "h1", "h2", "h3", "h4", shards: 3)
                try await lab.change(to: fleet)
            }
            for report in reports { #expect(report.isUnharmed, "\(report)") }
            try await Self.holds(lab, fleet)
        }
    }

    /// The uplinks keep what XDP needs until the last host has left it.
    @Test func allHostsLeaveXDPUnderTraffic() async throws {
        var fleet = Self.oneNetwork("xdp", hosts: 3)
        fleet.roles(on: "h3")
        try await LabFixture.with(fleet) { lab in
            let flows = [("acme/prod/web/a", "acme/prod/web/b"), ("acme/prod/web/b", "acme/prod/web/a")]
            for datapath in ["tc", "xdp", "tc"] {
                for host in fleet.hosts.indices { fleet.hosts[host].datapath = datapath }
                let reports = try await lab.underTraffic(flows, of: fleet) { try await lab.change(to: fleet) }
                for report in reports { #expect(report.isUnharmed, "to \(datapath): \(report)") }
            }
            try await Self.holds(lab, fleet)
        }
    }

    /// A gateway that is another address, and another MAC: the interface and its routes stay.
    @Test func aGatewayChangesUnderTraffic() async throws {
        var fleet = Self.oneNetwork("tc", hosts: 3)
        fleet.network("acme/prod/db", 2)
        fleet.endpoint("acme/prod/db/c", 10, on: "h2")
        try await LabFixture.with(fleet) { lab in
            let flows = [("acme/prod/web/a", "acme/prod/db/c"), ("acme/prod/db/c", "acme/prod/web/a")]
            let link = try await lab.inside("acme/prod/web/a", "ip", "-o", "link", "show", "dev", "eth0").output.prefix { $0 != "<" }
            fleet.networks[0].gateways = ["10.0.1.254", "fd00:1:0:1::fe"]
            for ipv6 in [false, true] {
                let reports = try await lab.underTraffic(flows, of: fleet, ipv6: ipv6) { try await lab.change(to: fleet) }
                for report in reports { #expect(report.isUnharmed, "\(report)") }
                #expect(
                    try await lab.inside("acme/prod/web/a", "ip", ipv6 ? "-6" : "-4", "route", "show", "default").output
                        .contains(fleet.networks[0].gateways[ipv6 ? 1 : 0]))
                if !ipv6 { fleet.networks[0].gateways = ["10.0.1.253", "fd00:1:0:1::fd"] }
            }
            try await Self.holds(lab, fleet)
            for index in fleet.endpoints.indices where fleet.endpoints[index].path == "acme/prod/web/a" {
                fleet.endpoints[index].mac = "02:00:00:00:00:77"
            }
            try await lab.change(to: fleet)
            let now = try await lab.inside("acme/prod/web/a", "ip", "-o", "link", "show", "dev", "eth0").output
            #expect(now.hasPrefix(link) && now.contains("02:00:00:00:00:77"), "the same link, \(now)")
            try await Self.holds(lab, fleet)
        }
    }

    /// Hosts that go to another UDP port one after the other, phase by phase, in another order each time.
    @Test(arguments: datapaths)
    func thePortChangesUnderTraffic(datapath: String) async throws {
        var fleet = Self.oneNetwork(datapath, hosts: 3)
        fleet.roles(on: "h3")
        try await LabFixture.with(fleet) { lab in
            fleet.port = 7000
            try await lab.commit(fleet)
            let flows = [("acme/prod/web/a", "acme/prod/web/b"), ("acme/prod/web/b", "acme/prod/web/a")]
            let reports = try await lab.underTraffic(flows, of: fleet) {
                let rounds: [(phase: String, hosts: [String], port: Int, others: [Int])] = [
                    ("add", ["h1", "h2", "h3"], 6081, [7000]), ("switch", ["h3", "h1", "h2"], 7000, [6081]),
                    ("remove", ["h2", "h3", "h1"], 7000, []),
                ]
                for round in rounds {
                    for host in round.hosts {
                        #expect(try await lab.apply(host, "--through", round.phase).succeeded)
                        let uplink = try await lab.status(host).uplink
                        #expect(uplink?.port == round.port && uplink?.otherPorts == round.others, "\(round.phase) on \(host)")
                        #expect(uplink?.receiveOffload == true, "\(round.phase) on \(host)")
                    }
                }
            }
            for report in reports {
                print("\(datapath): \(report)")
                #expect(report.isUnharmed, "\(report)")
            }
            try await Self.holds(lab, fleet)
        }
    }
}
