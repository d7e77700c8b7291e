import TestSupport
import Testing

/// What the data plane does with packets, real ones, between namespaces.
@Suite(.needsRoot) struct DatapathFactTests {
    static let gatewayMAC = "0a:58:a9:fe:00:01"
    /// What the lab gives a at 10.0.1.10.
    static let macOfA = "0a:58:0a:00:01:0a"

    /// a and c on h1, b on h2; the bouncer on h3.
    static func fleet(_ datapath: String) -> Fleet {
        var fleet = ScenarioTests.oneNetwork(datapath, hosts: 3)
        fleet.endpoint("acme/prod/web/c", 12, on: "h1")
        fleet.roles(on: "h3")
        return fleet
    }

    @Test(arguments: datapaths)
    func gatewaysAndNeighbors(datapath: String) async throws {
        let fleet = Self.fleet(datapath)
        try await LabFixture.with(fleet) { lab in
            for endpoint in fleet.endpoints {
                for gateway in ["10.0.1.1", "fd00:1:0:1::1"] {
                    #expect(try await lab.pings(endpoint.path, gateway), "\(endpoint.path) \(gateway)")
                    #expect(try await lab.pings(endpoint.path, gateway, "-s", "3000"), "\(endpoint.path) \(gateway), fragments")
                }
            }
            #expect(try await lab.failures(fleet) == [])
            let neighbors = try await lab.inside("acme/prod/web/a", "ip", "neigh", "show").output.split(separator: "\n")
            #expect(neighbors.contains { $0.hasPrefix("10.0.1.11 ") } && neighbors.contains { $0.hasPrefix("fd00:1:0:1::11 ") })
            for neighbor in neighbors { #expect(neighbor.contains(Self.gatewayMAC), "\(neighbor)") }

            let ask = { (sender: String, target: String) in
                try await lab.askARP(.init(mac: Self.macOfA, sender: sender, target: target), from: "acme/prod/web/a", wait: 0.5)
            }
            #expect(try await ask("10.0.1.10", "10.0.1.11") == Self.gatewayMAC)
            #expect(try await ask("10.0.1.10", "10.0.1.99") == Self.gatewayMAC, "an address that nobody has")
            #expect(try await ask("10.0.1.10", "10.0.1.10") == nil, "its own")
            #expect(try await ask("0.0.0.0", "10.0.1.11") == nil, "a probe")
            #expect(try await ask("10.0.1.10", "10.9.9.9") == nil, "outside the network")

            #expect(try await !lab.pings("acme/prod/web/a", "10.0.1.99", "-W", "1"))
            let drops = try await lab.drops("h3")
            #expect(drops["no-endpoint", default: 0] > 0, "the bouncer knows that nobody has it: \(drops)")
        }
    }

    @Test(arguments: datapaths)
    func lyingAndStrangeFramesAreDroppedAndCounted(datapath: String) async throws {
        let fleet = Self.fleet(datapath)
        try await LabFixture.with(fleet) { lab in
            let from = lab.namespace(endpoint: "acme/prod/web/a")
            func send(_ frame: LabFixture.Frame, reason: String?, arrives: Int = 0, _ comment: Comment) async throws {
                let before = try await lab.drops("h1")
                let received = try await lab.send(
                    [frame], from: from, to: ["acme/prod/web/b", "acme/prod/web/c"], expect: max(1, arrives),
                    wait: arrives > 0 ? 4 : 0.3)
                #expect(received.count == arrives, comment)
                guard let reason else { return }
                let after = try await lab.drops("h1")
                #expect(after[reason, default: 0] > before[reason, default: 0], "\(comment): \(before) \(after)")
            }
            for target in ["10.0.1.11", "10.0.1.12"] {
                let good = LabFixture.Frame(srcMac: Self.macOfA, src: "10.0.1.10", dst: target)
                try await send(good, reason: nil, arrives: 1, "what the sender makes does arrive")
                var frame = good
                frame.src = "10.0.1.12"
                try await send(frame, reason: "spoofed-ip", "another endpoint's address")
                frame.src = "192.0.2.1"
                try await send(frame, reason: "spoofed-ip", "anybody's address")
                frame = good
                frame.vlans = [5]
                try await send(frame, reason: "vlan", "a tag")
                frame.vlans = [5, 6]
                try await send(frame, reason: "vlan", "two tags")
                frame = good
                // Record route, three slots; then the end.
                frame.options = "070f0400000000000000000000000000"
                try await send(frame, reason: nil, arrives: 1, "IP options")
                frame = good
                frame.payload = 2000
                frame.fragment = 1000
                try await send(frame, reason: nil, arrives: 1, "fragments")
                frame.reverse = true
                try await send(frame, reason: nil, arrives: 1, "fragments, the last first")
            }
            var six = LabFixture.Frame(srcMac: Self.macOfA, src: "fd00:1:0:1::10", dst: "fd00:1:0:1::11")
            try await send(six, reason: nil, arrives: 1, "IPv6")
            six.src = "fd00:1:0:1::12"
            try await send(six, reason: "spoofed-ip", "another endpoint's IPv6 address")
            #expect(try await lab.failures(fleet) == [])
        }
    }

    /// A MAC that the topology gives is enforced; without one, the endpoint may change its own.
    @Test func fixedMACs() async throws {
        var fleet = ScenarioTests.oneNetwork("tc", hosts: 2)
        fleet.endpoint("acme/prod/web/fixed", 20, on: "h1", mac: "02:00:00:00:00:20")
        try await LabFixture.with(fleet) { lab in
            try await ScenarioTests.holds(lab, fleet)
            for (name, address) in [("fixed", "02:00:00:00:00:21"), ("a", "02:00:00:00:00:22")] {
                let changed = try await lab.inside("acme/prod/web/\(name)", "ip", "link", "set", "dev", "eth0", "address", address)
                #expect(changed.succeeded, "\(changed.error)")
            }
            #expect(try await lab.failures(fleet, except: ["acme/prod/web/fixed"]) == [], "a goes on with its new MAC")
            #expect(try await lab.drops("h1")["spoofed-mac", default: 0] > 0)
        }
    }

    @Test(arguments: datapaths)
    func geneveComesFromHostsAlone(datapath: String) async throws {
        let fleet = Self.fleet(datapath)
        try await LabFixture.with(fleet) { lab in
            // As if from b's host, to a: into h1's uplink from the underlay.
            let found = try await lab.on("h1", "ip", "-o", "link", "show", "dev", "eth0").output
            let uplinkMAC = String(found.split(separator: "link/ether ").last?.prefix(17) ?? "")
            #expect(uplinkMAC.count == 17, "\(found)")
            func geneve(from address: String) -> LabFixture.Frame {
                var frame = LabFixture.Frame(srcMac: "02:00:00:00:00:77", src: address, dst: "172.16.0.1")
                frame.dstMac = uplinkMAC
                frame.geneve = .init(vni: 4097, inner: .init(src: "10.0.1.11", dst: "10.0.1.10"))
                return frame
            }
            let good = try await lab.send([geneve(from: "172.16.0.2")], from: lab.underlayNamespace, "br0", to: ["acme/prod/web/a"])
            #expect(good.map(\.from) == ["10.0.1.11"], "what the sender makes is taken from a host of the topology")
            let before = try await lab.drops("h1")["foreign-host", default: 0]
            let foreign = try await lab.send(
                [geneve(from: "172.16.0.77")], from: lab.underlayNamespace, "br0", to: ["acme/prod/web/a"], wait: 0.3)
            #expect(foreign == [])
            #expect(try await lab.drops("h1")["foreign-host", default: 0] == before + 1)
            var other = geneve(from: "172.16.0.2")
            other.geneve?.vni = 9999
            let unknown = try await lab.send([other], from: lab.underlayNamespace, "br0", to: ["acme/prod/web/a"], wait: 0.3)
            #expect(unknown == [])
            #expect(try await lab.drops("h1")["no-vpc", default: 0] == 1)
        }
    }

    @Test(arguments: datapaths)
    func onlyTheDataPlaneSendsGeneve(datapath: String) async throws {
        let fleet = Self.fleet(datapath)
        try await LabFixture.with(fleet) { lab in
            let udp = { (port: Int) in
                try await lab.on(
                    "h1", LabFixture.python, "-c",
                    "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); [s.sendto(b'x' * 60, ('172.16.0.2', \(port))) for _ in range(3)]"
                )
            }
            _ = try await udp(6081)
            #expect(try await lab.drops("h1")["foreign-sender", default: 0] == 3)
            // What is no Geneve is none of our business, either way and of any size.
            let server =
                "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('172.16.0.2', 5353)); "
                + "print('up', flush=True)\nwhile True: s.sendto(*s.recvfrom(65536))"
            try await Tool.whileRunning(
                [LabFixture.python, "-c", server], namespace: lab.namespace(host: "h2"), log: "\(lab.git.folder)/server"
            ) { running in
                #expect(try await eventually { running.output.contains("up") })
                for size in [1, 1400, 9000] {
                    let client =
                        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(3); "
                        + "s.sendto(b'x' * \(size), ('172.16.0.2', 5353)); assert len(s.recv(65536)) == \(size)"
                    let outcome = try await lab.on("h1", LabFixture.python, "-c", client)
                    #expect(outcome.succeeded, "\(size): \(outcome.error)")
                }
            }
            #expect(try await lab.on("h1", "ping", "-c", "1", "-W", "2", "-s", "4000", "172.16.0.3").succeeded)
            #expect(try await lab.drops("h1")["foreign-sender"] == 3)
        }
    }

    /// Large pings in fragments and with options, wherever the tables are.
    @Test(arguments: datapaths)
    func largePacketsAndOptions(datapath: String) async throws {
        var fleet = Self.fleet(datapath)
        try await LabFixture.with(fleet) { lab in
            for roles in [["h3"], ["h2"], ["h1"], ["h1", "h2"]] {
                for index in fleet.hosts.indices { fleet.hosts[index].weight = roles.contains(fleet.hosts[index].name) ? 100 : 0 }
                fleet.networks[0].bouncers = roles.count
                try await lab.change(to: fleet)
                for (from, to) in [("a", "b"), ("b", "a"), ("a", "c")] {
                    for address in fleet["acme/prod/web/\(to)"].addresses {
                        for size in ["1472", "3000", "20000"] {
                            let works = try await lab.pings("acme/prod/web/\(from)", address, "-s", size)
                            #expect(works, "\(from) to \(address), \(size) bytes, roles on \(roles)")
                        }
                    }
                    let address = fleet["acme/prod/web/\(to)"].addresses[0]
                    for options in [["-R"], ["-T", "tsonly"]] {
                        let outcome = try await Tool.execute(
                            ["ping", "-c", "1", "-W", "2"] + options + [address],
                            namespace: lab.namespace(endpoint: "acme/prod/web/\(from)"))
                        #expect(outcome.succeeded, "\(from) to \(address), \(options), roles on \(roles)")
                    }
                }
            }
        }
    }
}
