import TestSupport
import Testing

/// The direct path, told from captures of what leaves the sender's uplink: to a bouncer or divider first, then straight.
@Suite(.needsRoot) struct DirectPathTests {
    /// Datagrams to Geneve's port that left a host, by where to.
    private struct Sent: Equatable {
        /// Destinations of endpoints' packets, in their order.
        var packets: [String] = []
        /// Destinations of questions.
        var questions: [String] = []

        init(packets: [String], questions: [String] = []) { (self.packets, self.questions) = (packets, questions) }

        /// What tcpdump printed, as far as its lines are whole.
        init(_ output: String = "") {
            for line in output.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
                let words = line.split(separator: " ")
                guard let arrow = words.firstIndex(of: ">"), line.contains(": Geneve, ") else { continue }
                let to = words[arrow + 1].split(separator: ".").prefix(4).joined(separator: ".")
                if line.contains("Flags [OC]") { questions.append(to) } else { packets.append(to) }
            }
        }
    }

    /// What leaves `host` by its uplink while `body` runs, which is `packets` packets of endpoints at least.
    private static func sent(
        _ host: String, _ lab: LabFixture, packets: Int = 1, _ body: () async throws -> Void
    ) async throws -> Sent {
        let log = "\(lab.git.folder)/capture-\(host)"
        // Endpoints' packets, and of the control packets (flag O) the questions.
        let wanted = "udp dst port 6081 and (udp[9] & 0x80 = 0 or udp[20] = 1)"
        var sent = Sent()
        try await Tool.whileRunning(
            ["tcpdump", "-ni", "eth0", "-l", "--immediate-mode", "-Q", "out", wanted], namespace: lab.namespace(host: host), log: log
        ) { capture in
            let isListening = try await eventually { capture.output.contains("listening on") }
            #expect(isListening)
            try await body()
            _ = try await eventually {
                sent = Sent(capture.output)
                return sent.packets.count >= packets
            }
        }
        return sent
    }

    private static func ping(_ lab: LabFixture, _ address: String) async throws {
        #expect(try await lab.pings("acme/prod/web/a", address))
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
                let first = try await Self.sent("h1", lab) { try await Self.ping(lab, address) }
                #expect(first == Sent(packets: ["172.16.0.3"], questions: ["172.16.0.3"]), "\(address)")
                #expect(try await Self.learned("h1", "acme/prod", lab) == number + 1)
                let second = try await Self.sent("h1", lab) { try await Self.ping(lab, address) }
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
            let isLearned = try await eventually { try await Self.learned("h1", "acme/prod", lab) == 1 }
            #expect(isLearned)
            let second = try await Self.sent("h1", lab) { _ = try await lab.send([frame], from: from, expect: 0, wait: 0.1) }
            #expect(second == Sent(packets: ["172.16.0.2"]))
        }
    }

    /// Marks are random, and hosts have rules that look at a few bits of them.
    @Test("rules of the hosts' for marks lead no packet elsewhere", arguments: datapaths)
    func rulesForMarks(datapath: String) async throws {
        try await LabFixture.with(Self.fleet(datapath), underlay: "routed") { lab in
            for host in ["h1", "h2", "h3"] {
                let mark = try await lab.rows(host, "mark").first.map { $0.value.reversed().reduce(0) { $0 << 8 | Int($1) } } ?? 0
                let commands = "ip route add blackhole default table 4242; ip rule add fwmark \(mark)/\(mark) lookup 4242"
                #expect(try await lab.on(host, "sh", "-ec", commands).succeeded)
            }
            // Questions and answers, and the first packet to a host in each tick.
            let ping = try await Tool.execute(
                ["ping", "-qc", "200", "-i", "0.002", "10.0.1.11"], namespace: lab.namespace(endpoint: "acme/prod/web/a"))
            #expect(ping.output.contains(" 0% packet loss"), "\(ping.output)")
            #expect(try await Self.learned("h1", "acme/prod", lab) == 1)
        }
    }

    @Test("packets that leave their checksum to the interface ask and are answered", arguments: datapaths)
    func offloadedChecksums(datapath: String) async throws {
        let fleet = Self.fleet(datapath)
        try await LabFixture.with(fleet) { lab in
            for ipv6 in [false, true] {
                let reports = try await lab.underTraffic([("acme/prod/web/a", "acme/prod/web/b")], of: fleet, ipv6: ipv6) {
                    let isLearned = try await eventually { try await Self.learned("h1", "acme/prod", lab) == (ipv6 ? 2 : 1) }
                    #expect(isLearned)
                }
                for report in reports { #expect(report.isUnharmed, "\(report)") }
            }
            for host in ["h1", "h2", "h3"] {
                // The endpoints' stacks announce themselves to IPv6 multicast groups when they like.
                let drops = try await lab.drops(host)
                #expect(Set(drops.keys).isSubset(of: ["multicast"]), "on \(host): \(drops)")
            }
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
            let told = try await Self.sent("h1", lab) { try await Self.ping(lab, "10.0.1.11") }
            #expect(told.packets == ["172.16.0.3"], "by the bouncer again")
            let after = try await Self.sent("h1", lab) { try await Self.ping(lab, "10.0.1.11") }
            #expect(after == Sent(packets: ["172.16.0.4"]), "and straight to its new host")
            try await ScenarioTests.holds(lab, fleet)
        }
    }

    @Test("who is told that an endpoint has gone believes it, whatever packet it sent", arguments: datapaths)
    func toldOfAnyPacket(datapath: String) async throws {
        var fleet = Self.fleet(datapath)
        try await LabFixture.with(fleet) { lab in
            // By sockets, whose packets owe their checksums: of a short one the word that it has gone takes the end along.
            let sizes = [0, 20, 200, 400, 1400]
            func send(_ size: Int) async throws {
                let program = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(bytes(\(size)), ('10.0.1.11', 9))"
                let outcome = try await lab.inside("acme/prod/web/a", "python3", "-c", program)
                #expect(outcome.succeeded, "\(outcome.error)")
            }
            for (number, size) in sizes.enumerated() {
                let target = number % 2 == 0 ? "h4" : "h2"
                #expect(try await lab.pings("acme/prod/web/a", "10.0.1.11"))
                #expect(try await Self.learned("h1", "acme/prod", lab) == 1)
                fleet.move("acme/prod/web/b", to: target)
                try await lab.change(to: fleet)
                let told = ["tcpdump", "-ni", "eth0", "-l", "--immediate-mode", "-Q", "in", "udp[20] = 3 and len = ip[2:2] + 14"]
                try await Tool.whileRunning(
                    told, namespace: lab.namespace(host: "h1"), log: "\(lab.git.folder)/told-\(number)"
                ) { capture in
                    let isListening = try await eventually { capture.output.contains("listening on") }
                    #expect(isListening)
                    try await send(size)
                    let isTold = try await eventually { capture.output.contains("Flags [OC]") }
                    #expect(isTold, "\(size) bytes")
                }
                let isForgotten = try await eventually { try await Self.learned("h1", "acme/prod", lab) == 0 }
                #expect(isForgotten, "\(size) bytes")
            }
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
            let isCounted = try await eventually { try await lab.drops("h1")["geneve-control", default: 0] == before + 3 }
            #expect(isCounted)
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

    @Test("a bouncer that dies is left, its flows go on by another, and come back to it", arguments: datapaths)
    func bouncerDies(datapath: String) async throws {
        var fleet = Self.fleet(datapath)
        fleet.roles(on: "h3", "h4", shards: 2)
        // Nothing is learned, so every packet goes by a bouncer.
        fleet.direct = "{after: 1000000}"
        try await LabFixture.with(fleet) { lab in
            let ping = { try await lab.pings("acme/prod/web/a", "10.0.1.11", "-W", "1") }
            let way = { try await Self.sent("h1", lab) { _ = try await ping() }.packets }
            let first = try #require(try await way().first)
            let (dead, other) = first == "172.16.0.3" ? ("h3", "172.16.0.4") : ("h4", "172.16.0.3")
            // A connection that is open by then goes on.
            let flows = [("acme/prod/web/a", "acme/prod/web/b"), ("acme/prod/db/c", "acme/prod/web/a")]
            let reports = try await lab.underTraffic(flows, of: fleet) {
                try await Tool.whileRunning(
                    ["ping", "-n", "-i", "0.02", "10.0.1.11"], namespace: lab.namespace(endpoint: "acme/prod/web/a"),
                    log: "\(lab.git.folder)/pings"
                ) { pings in
                    let answers = { pings.output.split(separator: "\n").compactMap { Self.sequence($0) } }
                    let isFlowing = try await eventually { answers().count > 20 }
                    #expect(isFlowing)
                    #expect(try await lab.on(dead, "ip", "link", "set", "dev", "eth0", "down").succeeded)
                    let before = answers().last ?? 0
                    // More than the pings that may be on their way: others are answered by now.
                    let goesOn = try await eventually(within: .seconds(30)) { (answers().last ?? 0) > before + 60 }
                    #expect(goesOn)
                    let all = answers()
                    let gap = zip(all, all.dropFirst()).map { $1 - $0 }.max() ?? 0
                    print("± \(datapath): a dead bouncer was left after \(gap) pings, 20 ms apart")
                }
            }
            for report in reports {
                print("± \(datapath): a bouncer dies: \(report)")
                #expect(report.error == nil && report.turns > 0, "\(report)")
            }
            #expect(try await way() == [other])
            let state = { try await lab.status("h1").hosts.first { $0.address == first }?.state }
            #expect(try await state() == "silent")
            #expect(try await lab.on(dead, "ip", "link", "set", "dev", "eth0", "up").succeeded)
            // What would go by it asks it, again and again.
            let isBack = try await eventually(within: .seconds(30)) {
                guard try await ping() else { return false }
                return try await state() == "answers"
            }
            #expect(isBack)
            #expect(try await way() == [first])
            try await ScenarioTests.holds(lab, fleet)
        }
    }

    /// Of a line in which ping tells of an answer.
    private static func sequence(_ line: Substring) -> Int? {
        line.split(separator: " ").first { $0.hasPrefix("icmp_seq=") }.flatMap { Int($0.dropFirst(9)) }
    }

    @Test("a host that dies is told from one whose endpoint is silent", arguments: datapaths)
    func directHostDies(datapath: String) async throws {
        let fleet = Self.fleet(datapath)
        try await LabFixture.with(fleet) { lab in
            let ping = { try await lab.pings("acme/prod/web/a", "10.0.1.11", "-W", "1") }
            let way = { try await Self.sent("h1", lab) { _ = try await ping() }.packets }
            #expect(try await ping())
            #expect(try await way() == ["172.16.0.2"])
            let state = { try await lab.status("h1").hosts.first { $0.address == "172.16.0.2" } }
            #expect(try await state()?.state == "answers")
            let head = try await lab.git.git("rev-parse", "HEAD")
            #expect(try await state()?.commit == String(head.prefix(16)))
            // The endpoint alone goes: its host answers for it, and packets go straight as before.
            #expect(try await lab.inside("acme/prod/web/b", "ip", "link", "set", "dev", "eth0", "down").succeeded)
            for _ in 0..<3 { #expect(try await !ping()) }
            #expect(try await state()?.state == "answers")
            #expect(try await lab.inside("acme/prod/web/b", "ip", "link", "set", "dev", "eth0", "up").succeeded)
            // The host goes: packets go by the table again, where a commit may say something else one day.
            #expect(try await lab.on("h2", "ip", "link", "set", "dev", "eth0", "down").succeeded)
            let isLeft = try await eventually(within: .seconds(30)) {
                _ = try await ping(); return try await state()?.state == "silent"
            }
            #expect(isLeft)
            #expect(try await way() == ["172.16.0.3"])
            #expect(try await lab.on("h2", "ip", "link", "set", "dev", "eth0", "up").succeeded)
            let isBack = try await eventually(within: .seconds(30)) {
                guard try await ping() else { return false }
                return try await state()?.state == "answers"
            }
            #expect(isBack)
        }
    }
}
