import TestSupport
import Testing
import Topology

/// Hosts that have an address in a network themselves: real packets both ways, moves, drift, and what must not get through.
@Suite(.needsRoot) struct HostEndpointTests {
    private static let path = "acme/prod/web/m"
    private static let device = Endpoint.deviceName(of: path)

    /// A host endpoint on each of three hosts, in two networks, beside endpoints of both.
    private static func everywhere(_ datapath: String) -> Fleet {
        var fleet = ScenarioTests.oneNetwork(datapath, hosts: 3)
        fleet.network("acme/prod/db", 2)
        fleet.endpoint("acme/prod/db/c", 10, on: "h2")
        fleet.hostEndpoint(path, 20, on: "h1")
        fleet.hostEndpoint("acme/prod/web/n", 21, on: "h2")
        fleet.hostEndpoint("acme/prod/db/o", 20, on: "h3")
        return fleet
    }

    @Test(arguments: zip(datapaths, ["bridged", "routed"]))
    func reachEveryoneAndAreReached(datapath: String, underlay: String) async throws {
        var fleet = Self.everywhere(datapath)
        fleet.roles(on: "h3")
        try await LabFixture.with(fleet, underlay: underlay) { lab in
            try await ScenarioTests.holds(lab, fleet, "tables elsewhere")
            let inside = try await Tool().succeed("lab", "exec", "--name", lab.name, Self.path, "--", "ip", "-o", "addr", "show")
            #expect(inside.contains("10.0.1.20/32") && inside.contains("172.16.0.1/32"), "a host endpoint's place is its host")
            let own = try await lab.status("h1").endpoints.first { $0.name == Self.path }
            #expect(own?.device == Self.device && own?.mac == "0a:58:0a:00:01:14" && (own?.receivedPackets ?? 0) > 0)
            let link = try await lab.on("h1", "ip", "-o", "link", "show", "dev", Self.device).output
            #expect(link.contains("mtu 1538"), "what the underlay leaves: \(link)")

            fleet.roles(on: "h1", "h2", "h3", shards: 2)
            try await lab.change(to: fleet)
            try await ScenarioTests.holds(lab, fleet, "tables everywhere")
            // IPv6 has no link-local address to probe a neighbour from: it is asked for anew.
            let gateway = "fd00:1:0:1::1"
            #expect(try await lab.on("h1", "ip", "-6", "neigh", "change", gateway, "dev", Self.device, "nud", "probe").succeeded)
            #expect(
                try await eventually {
                    try await !lab.on("h1", "ip", "-6", "neigh", "show", gateway, "dev", Self.device).output.contains("PROBE")
                })
            #expect(try await lab.on("h1", "ping", "-c", "1", "-W", "2", "fd00:1:0:1::11").succeeded)

            #expect(try await lab.detach("h1").succeeded)
            #expect(try await lab.remains(on: "h1") == [])
            #expect(try await lab.apply("h1").succeeded)
            try await ScenarioTests.holds(lab, fleet, "after a detach")
        }
    }

    /// Also blocks without a gateway: everybody is a neighbour of the host.
    @Test(arguments: datapaths)
    func blocksWithoutGateways(datapath: String) async throws {
        var fleet = ScenarioTests.oneNetwork(datapath, hosts: 3)
        fleet.network("acme/prod/pair", cidrs: ["10.0.9.0/31", "fd00:1:0:9::/127"])
        fleet.endpoint("acme/prod/pair/c", addresses: ["10.0.9.0", "fd00:1:0:9::"], on: "h3", interface: "v-c")
        fleet.endpoints[fleet.endpoints.count - 1].isHost = true
        try await LabFixture.with(fleet) { lab in try await ScenarioTests.holds(lab, fleet) }
    }

    @Test(arguments: datapaths)
    func moveChangeAndGo(datapath: String) async throws {
        var fleet = ScenarioTests.oneNetwork(datapath, hosts: 3)
        fleet.hostEndpoint(Self.path, 20, on: "h1")
        try await LabFixture.with(fleet) { lab in
            let reports = try await lab.underTraffic([("acme/prod/web/a", "acme/prod/web/b"), ("acme/prod/web/b", Self.path)], of: fleet) {
                fleet.hostEndpoint("acme/prod/web/n", 21, on: "h2")
                try await lab.change(to: fleet)
                fleet.roles(on: "h2", "h3", shards: 2)
                try await lab.change(to: fleet)
            }
            for report in reports { #expect(report.isUnharmed, "\(report)") }
            fleet.move(Self.path, to: "h3")
            try await lab.change(to: fleet)
            try await ScenarioTests.holds(lab, fleet, "moved")
            #expect(try await !lab.on("h1", "ip", "-o", "link").output.contains("mz"), "nothing stays where it was")

            // Two change places, another is called otherwise, and one changes its addresses.
            fleet.move(Self.path, to: "h2")
            fleet.move("acme/prod/web/n", to: "h3")
            try await lab.change(to: fleet)
            try await ScenarioTests.holds(lab, fleet, "changed places")
            fleet.remove(Self.path, "acme/prod/web/n")
            fleet.hostEndpoint("acme/prod/web/renamed", 20, on: "h2")
            fleet.hostEndpoint("acme/prod/web/n", 22, on: "h3")
            try await lab.change(to: fleet)
            try await ScenarioTests.holds(lab, fleet, "another name, another address")

            fleet.remove("acme/prod/web/renamed", "acme/prod/web/n")
            try await lab.change(to: fleet)
            try await ScenarioTests.holds(lab, fleet, "removed")
            for host in ["h1", "h2", "h3"] {
                let left = try await lab.on(host, "sh", "-c", "ip -o link; ip route; ip -6 route; ip rule; ip -6 rule").output
                #expect(!left.contains("mz") && !left.contains("10.0.0.0/16"), "\(host): \(left)")
            }
        }
    }

    /// Its device is renamed under traffic, by the host and to it: a rename by path alone loses no packet.
    @Test(arguments: datapaths)
    func anotherPath(datapath: String) async throws {
        var fleet = ScenarioTests.oneNetwork(datapath, hosts: 3)
        fleet.hostEndpoint(Self.path, 20, on: "h1")
        try await LabFixture.with(fleet) { lab in
            let index = try await lab.on("h1", "cat", "/sys/class/net/\(Self.device)/ifindex").output
            for ipv6 in [false, true] {
                let (old, new) = ipv6 ? ("acme/prod/web/renamed", Self.path) : (Self.path, "acme/prod/web/renamed")
                let flows = [("acme/prod/web/b", old), (old, "acme/prod/web/b")]
                let reports = try await lab.underTraffic(flows, of: fleet, ipv6: ipv6) {
                    fleet.remove(old)
                    fleet.hostEndpoint(new, 20, on: "h1")
                    try await lab.change(to: fleet)
                }
                for report in reports { #expect(report.isUnharmed, "\(report)") }
                try await ScenarioTests.holds(lab, fleet, "\(old) is \(new)")
                let name = Endpoint.deviceName(of: new)
                #expect(try await lab.on("h1", "cat", "/sys/class/net/\(name)/ifindex").output == index, "the same device")
                #expect(try await !lab.on("h1", "sh", "-c", "ip -o link; ip rule").output.contains(Endpoint.deviceName(of: old)))
            }
        }
    }

    @Test func driftIsShownAndRepaired() async throws {
        var fleet = ScenarioTests.oneNetwork("tc", hosts: 2)
        fleet.hostEndpoint(Self.path, 20, on: "h1")
        try await LabFixture.with(fleet) { lab in
            let changes = [
                ("ip link del dev \(Self.device)", "+ device \(Self.device)"),
                ("ip link set dev \(Self.device) down", "down -> up"),
                ("ip link set dev \(Self.device) mtu 1400", "MTU of each end another -> 1538"),
                ("ip addr flush dev \(Self.device)", "addresses none -> 10.0.1.20 fd00:1:0:1::20"),
                ("ip route del 10.0.0.0/16", "-> 10.0.0.0/16 by 10.0.1.1 fd00:1::/48 by fd00:1:0:1::1"),
                ("echo 1 >/proc/sys/net/ipv4/conf/\(Self.device)/forwarding", "settings changed -> right"),
                ("ip link set dev \(Self.device) alias ''", "of nobody -> \(Self.path)"),
                ("ip link set dev \(Self.device) name eth7", "name eth7 -> \(Self.device)"),
            ]
            for (change, text) in changes {
                #expect(try await lab.on("h1", "sh", "-ec", change).succeeded, "\(change)")
                let plan = try await lab.plan("h1")
                #expect(plan.output.contains(text), "\(change): \(plan.output)\(plan.error)")
                #expect(try await lab.apply("h1").succeeded, "\(change)")
                try await ScenarioTests.holds(lab, fleet, "after \(change)")
            }
            // Somebody else's keeps its name.
            #expect(try await lab.on("h1", "ip", "link", "del", "dev", Self.device).succeeded)
            #expect(try await lab.on("h1", "ip", "link", "add", "name", Self.device, "type", "bridge").succeeded)
            let plan = try await lab.apply("h1")
            #expect(plan.succeeded && plan.output.contains("Pending: \(Self.path) waits for interface \(Self.device)"))
            #expect((plan.output + plan.error).contains("MZ503"))
            #expect(try await lab.status("h1").pending.map(\.name) == [Self.path])
            #expect(try await lab.failures(fleet, except: [Self.path]) == [])
            #expect(try await lab.on("h1", "ip", "link", "del", "dev", Self.device).succeeded)
            #expect(try await lab.apply("h1").succeeded)
            try await ScenarioTests.holds(lab, fleet, "the name is free")
        }
    }

    /// A host that is a router, with containers, in two VPCs: the VPCs reach its own addresses in them and nothing else.
    @Test(arguments: datapaths)
    func nothingElseOfTheHostIsReached(datapath: String) async throws {
        var fleet = ScenarioTests.oneNetwork(datapath, hosts: 2)
        fleet.hostEndpoint(Self.path, 20, on: "h1")
        fleet.vpc("globex/prod", vni: 4098, cidrs: ["10.1.0.0/16", "fd00:2::/48"])
        fleet.network("globex/prod/lan", cidrs: ["10.1.1.0/24", "fd00:2:0:1::/64"])
        fleet.hostEndpoint("globex/prod/lan/m", 20, on: "h1")
        fleet.endpoint("globex/prod/lan/b", 11, on: "h2")
        try await LabFixture.with(fleet) { lab in
            let b = "acme/prod/web/b"
            let container = try await lab.container(behind: "h1")
            // As a container runtime sets a host up: it forwards, translates what containers send, and publishes a port.
            let rules = """
                table ip container {
                    chain before { type nat hook prerouting priority dstnat; icmp type echo-request iifname "mzr*" ip length 128 dnat to \(container.address); }
                    chain after { type nat hook postrouting priority srcnat; ip saddr 192.168.99.0/24 ip length 98 masquerade; }
                    chain through { type filter hook forward priority 0; iifname "mzr*" counter; }
                }
                """
            #expect(try await lab.on("h1", "nft", rules).succeeded)
            #expect(
                try await lab.on("h1", "sh", "-ec", "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding; sysctl -qw net.ipv4.ip_forward=1")
                    .succeeded)
            // Setting `all` sets every interface. The next apply takes it back; nothing gets through until then either.
            #expect(try await lab.plan("h1").output.contains("settings changed -> right"))

            for own in ["10.0.1.20", "fd00:1:0:1::20"] { #expect(try await lab.pings(b, own), "\(own)") }
            #expect(try await lab.pings("globex/prod/lan/b", "10.1.1.20"))
            let others = ["172.16.0.1", container.gateway, container.address, "10.1.1.20", "10.1.1.11", "fd00:2:0:1::20", "fd00:2:0:1::11"]
            for other in others { #expect(try await !lab.pings(b, other), "from a VPC to \(other)") }
            // A published port, by its translation: 100 bytes of data make 128.
            #expect(try await !lab.pings(b, "10.0.1.20", "-s", "100"), "to a container behind the host's address")
            // A source route over the host to the container, and to the other VPC.
            for target in [container.address, "10.1.1.11"] {
                var frame = LabFixture.Frame(srcMac: "0a:58:0a:00:01:0b", src: "10.0.1.11", dst: "10.0.1.20")
                frame.dstMac = DatapathFactTests.gatewayMAC
                frame.options =
                    "830704"
                    + target.split(separator: ".").compactMap { UInt8($0) }.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
                    + "00"
                _ = try await lab.send([frame], from: lab.namespace(endpoint: b), expect: 0, wait: 0.2)
            }
            let counted = try await lab.on("h1", "nft", "list", "chain", "ip", "container", "through").output
            #expect(counted.contains("counter packets 0"), "the host forwards nothing from a VPC: \(counted)")

            // The host speaks there as the endpoint alone; and neither VPC as the other's.
            let dropped = try await lab.drops("h1")["spoofed-ip", default: 0]
            for (source, target) in [("172.16.0.1", "10.0.1.11"), ("10.1.1.20", "10.0.1.11"), ("10.0.1.20", "10.1.1.11")] {
                let ping = try await lab.on("h1", "ping", "-c", "1", "-W", "1", "-I", source, target)
                #expect(!ping.succeeded, "as \(source) to \(target)")
            }
            // What it forwards into a VPC has another source; translated (70 bytes of data make 98), no answer comes back.
            for size in ["56", "70"] {
                let ping = try await Tool.execute(["ping", "-c", "1", "-W", "1", "-s", size, "10.0.1.11"], namespace: container.namespace)
                #expect(!ping.succeeded, "a container to a VPC, \(size)")
            }
            let now = try await lab.drops("h1")["spoofed-ip", default: 0]
            #expect(now - dropped == 4, "dropped at the ports: \(now - dropped)")
        }
    }
}
