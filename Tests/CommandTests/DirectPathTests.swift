import TestSupport
import Testing

/// The direct path, told from captures of what leaves the sender's uplink: to a bouncer or divider first, then straight.
@Suite(.needsRoot) struct DirectPathTests {
    /// Datagrams to Geneve's port that left a host, by where to.
    private struct Sent: Equatable {
        /// Destinations of endpoints' packets, in their order.
        var packets: [String] = []
        /// Destinations of control packets.
        var control: [String] = []
    }

    /// What leaves `host` by its uplink while `body` runs.
    private static func sent(_ host: String, _ lab: LabFixture, _ body: () async throws -> Void) async throws -> Sent {
        let log = "\(lab.git.folder)/capture-\(host)"
        var lines: [Substring] = []
        try await Tool.whileRunning(
            ["tcpdump", "-ni", "eth0", "-l", "--immediate-mode", "-Q", "out", "udp dst port 6081"],
            namespace: lab.namespace(host: host), log: log
        ) { capture in
            #expect(try await eventually { capture.output.contains("listening on") })
            try await body()
            // Everything is on its way when its answer is here; the last line may still be tcpdump's to write.
            var length = -1
            _ = try await eventually {
                defer { length = capture.output.utf8.count }
                return capture.output.utf8.count == length
            }
            lines = capture.output.split(separator: "\n")
        }
        var sent = Sent()
        for line in lines {
            let words = line.split(separator: " ")
            guard let arrow = words.firstIndex(of: ">"), line.contains("Geneve"), line.contains(".6081: ") else { continue }
            let to = words[arrow + 1].split(separator: ".").prefix(4).joined(separator: ".")
            if line.contains("Flags [OC]") { sent.control.append(to) } else { sent.packets.append(to) }
        }
        return sent
    }

    private static func learned(_ host: String, _ vpc: String, _ lab: LabFixture) async throws -> Int {
        try await lab.status(host).tables.first { $0.name == "direct \(vpc)" }?.rows ?? -1
    }

    private static func fleet(_ datapath: String) -> Fleet {
        var fleet = ScenarioTests.oneNetwork(datapath)
        fleet.network("acme/prod/db", 2)
        fleet.endpoint("acme/prod/db/c", 10, on: "h2")
        fleet.roles(on: "h3")
        return fleet
    }

    @Test("the first packet goes by a table, the second straight", arguments: datapaths)
    func twoPackets(datapath: String) async throws {
        let fleet = Self.fleet(datapath)
        try await LabFixture.with(fleet) { lab in
            // In its network by the bouncer; in another by the divider, which is on the same host.
            for (number, address) in ["10.0.1.11", "fd00:1:0:1::11", "10.0.2.10", "fd00:1:0:2::10"].enumerated() {
                let first = try await Self.sent("h1", lab) { #expect(try await lab.pings("acme/prod/web/a", address)) }
                #expect(first == Sent(packets: ["172.16.0.3"], control: ["172.16.0.3"]), "\(address)")
                #expect(try await Self.learned("h1", "acme/prod", lab) == number + 1)
                let second = try await Self.sent("h1", lab) { #expect(try await lab.pings("acme/prod/web/a", address)) }
                #expect(second == Sent(packets: ["172.16.0.2"]), "\(address)")
            }
            let traffic = try #require(try await lab.status("h1").endpoints.first { $0.name == "acme/prod/web/a" })
            #expect(traffic.directPackets == 4 && traffic.bouncerPackets == 2 && traffic.dividerPackets == 2, "\(traffic)")
            try await ScenarioTests.holds(lab, fleet)
        }
    }

    @Test("a flow that is never answered goes straight too", arguments: datapaths)
    func oneWay(datapath: String) async throws {
        let fleet = Self.fleet(datapath)
        try await LabFixture.with(fleet) { lab in
            var frame = LabFixture.Frame(srcMac: DatapathFactTests.macOfA, src: "10.0.1.10", dst: "10.0.1.11")
            frame.dport = 9
            let from = lab.namespace(endpoint: "acme/prod/web/a")
            let first = try await Self.sent("h1", lab) { _ = try await lab.send([frame], from: from, expect: 0, wait: 0.1) }
            #expect(first.packets == ["172.16.0.3"])
            #expect(try await eventually { try await Self.learned("h1", "acme/prod", lab) == 1 })
            let second = try await Self.sent("h1", lab) { _ = try await lab.send([frame], from: from, expect: 0, wait: 0.1) }
            #expect(second == Sent(packets: ["172.16.0.2"]))
        }
    }

    @Test("an endpoint that moves is found again, and who still sends to its old host is told", arguments: datapaths)
    func moved(datapath: String) async throws {
        var fleet = Self.fleet(datapath)
        try await LabFixture.with(fleet) { lab in
            #expect(try await lab.pings("acme/prod/web/a", "10.0.1.11"))
            #expect(try await Self.learned("h1", "acme/prod", lab) == 1)
            fleet.move("acme/prod/web/b", to: "h4")
            try await lab.change(to: fleet)
            // Straight to h2, which has nothing there any more and says so. That packet is lost: the lab has waited
            // for no clock, and h2 forwards until its `remove`.
            let stale = try await Self.sent("h1", lab) { _ = try await lab.pings("acme/prod/web/a", "10.0.1.11", "-W", "1") }
            #expect(stale.packets.first == "172.16.0.2")
            let told = try await Self.sent("h1", lab) { #expect(try await lab.pings("acme/prod/web/a", "10.0.1.11")) }
            #expect(told.packets == ["172.16.0.3"], "by the bouncer again")
            let after = try await Self.sent("h1", lab) { #expect(try await lab.pings("acme/prod/web/a", "10.0.1.11")) }
            #expect(after == Sent(packets: ["172.16.0.4"]), "and straight to its new host")
            try await ScenarioTests.holds(lab, fleet)
        }
    }

    @Test("what nobody asked for teaches nothing, whoever it seems to come from")
    func forged() async throws {
        let fleet = Self.fleet("tc")
        try await LabFixture.with(fleet) { lab in
            let found = try await lab.on("h1", "ip", "-o", "link", "show", "dev", "eth0").output
            let uplinkMAC = String(found.split(separator: "link/ether ").last?.prefix(17) ?? "")
            func claim(from address: String, message: String) -> LabFixture.Frame {
                var frame = LabFixture.Frame(srcMac: "02:00:00:00:00:77", src: address, dst: "172.16.0.1")
                frame.dstMac = uplinkMAC
                frame.geneve = .init(vni: 4097, inner: .init(src: "10.0.1.11", dst: "10.0.1.10"))
                frame.geneve?.flags = 0xc0
                // message, then ::ffff:10.0.1.11, a network and a nonce that is none.
                frame.geneve?.options =
                    "ff6d820a" + message + "000000" + "00000000" + "00000000000000000000ffff0a00010b" + "0000000000000001"
                    + "0123456789abcdef"
                return frame
            }
            let before = try await lab.drops("h1")["geneve-control", default: 0]
            for host in ["172.16.0.2", "172.16.0.3", "172.16.0.4"] {
                _ = try await lab.send([claim(from: host, message: "02")], from: lab.underlayNamespace, "br0", expect: 0, wait: 0.1)
            }
            #expect(try await eventually { try await lab.drops("h1")["geneve-control", default: 0] == before + 3 })
            #expect(try await Self.learned("h1", "acme/prod", lab) == 0)
            #expect(try await lab.pings("acme/prod/web/a", "10.0.1.11"))
            #expect(try await Self.learned("h1", "acme/prod", lab) == 1)
            // Nor can anybody but the endpoint's host take it back.
            for host in ["172.16.0.3", "172.16.0.4"] {
                _ = try await lab.send([claim(from: host, message: "03")], from: lab.underlayNamespace, "br0", expect: 0, wait: 0.1)
            }
            #expect(try await Self.learned("h1", "acme/prod", lab) == 1)
        }
    }
}
