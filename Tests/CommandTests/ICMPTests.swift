import TestSupport
import Testing

/// What endpoints hear of packets that cannot arrive: told by the programs that people ask.
@Suite(.needsRoot) struct ICMPTests {
    /// a on h1, b on h2, c of another network on h2; the tables on h3.
    private static func fleet(_ datapath: String) -> Fleet {
        var fleet = ScenarioTests.oneNetwork(datapath)
        fleet.network("acme/prod/db", 2)
        fleet.endpoint("acme/prod/db/c", 10, on: "h2")
        fleet.roles(on: "h3")
        return fleet
    }

    private static let a = "acme/prod/web/a"
    /// The lab's uplinks have MTU 1600.
    private static let usable = 1538

    /// Gives an endpoint's interface, at both ends, an MTU that the underlay knows nothing of.
    private static func enlarge(_ endpoint: Fleet.Endpoint, _ lab: LabFixture) async throws {
        let outer = try await lab.on(endpoint.host, "ip", "link", "set", "dev", endpoint.interface, "mtu", "3000")
        let inner = try await lab.inside(endpoint.path, "ip", "link", "set", "dev", "eth0", "mtu", "3000")
        #expect(outer.succeeded && inner.succeeded, "\(outer.error) \(inner.error)")
    }

    /// Serves until it is ended: what TCP brings is counted, and UDP sent back.
    private static let server = """
        import socket, threading
        def start(work): threading.Thread(target=work, daemon=True).start()
        def bound(family, kind, address):
            made = socket.socket(family, kind)
            if family == socket.AF_INET6: made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made.bind((address, 7000))
            return made
        def serve(family, address):
            tcp = bound(family, socket.SOCK_STREAM, address)
            udp = bound(family, socket.SOCK_DGRAM, address)
            tcp.listen()
            def count():
                while True:
                    connection, _ = tcp.accept()
                    total = 0
                    while chunk := connection.recv(65536): total += len(chunk)
                    connection.sendall(str(total).encode() + b" " + bytes(1000000))
                    connection.close()
            def echo():
                while True:
                    data, peer = udp.recvfrom(65536)
                    try: udp.sendto(data, peer)
                    except OSError: pass
            start(count)
            start(echo)
        serve(socket.AF_INET, "0.0.0.0")
        serve(socket.AF_INET6, "::")
        print("ready", flush=True)
        threading.Event().wait()
        """

    /// A megabyte each way by TCP; then datagrams larger than the path, until one comes back.
    private static let client = """
        import socket, sys
        address = sys.argv[1]
        tcp = socket.create_connection((address, 7000), 10); tcp.settimeout(20)
        tcp.sendall(bytes(1000000)); tcp.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := tcp.recv(65536): answer += chunk
        print("tcp", answer.split(b" ")[0].decode(), len(answer))
        udp = socket.socket(tcp.family, socket.SOCK_DGRAM); udp.settimeout(0.3)
        for attempt in range(40):
            try:
                udp.sendto(bytes(2500), (address, 7000))
                print("udp", len(udp.recv(65536)))
                break
            except (TimeoutError, OSError): pass
        """

    @Test("where the underlay of another host takes less, its sender hears so", arguments: datapaths)
    func unlikeMTUs(datapath: String) async throws {
        var fleet = Self.fleet(datapath)
        fleet[host: "h2"].mtu = 1400
        try await LabFixture.with(fleet) { lab in
            // As workloads come, whose interfaces nobody has set.
            for endpoint in fleet.endpoints { try await Self.enlarge(endpoint, lab) }
            for (address, gateway) in [("10.0.1.11", "10.0.1.1"), ("fd00:1:0:1::11", "fd00:1:0:1::1")] {
                // By the answer to its first packet, which may come after the next one has gone.
                var output = ""
                let isTold = try await eventually {
                    output = try await lab.inside(Self.a, "ping", "-c", "1", "-W", "1", "-M", "do", "-s", "1350", address).output
                    return output.contains("From \(gateway) icmp_seq=1 ") && output.contains("1338")
                }
                #expect(isTold, "\(output)")
                #expect(try await lab.pings(Self.a, address, "-M", "do", "-s", address.contains(":") ? "1290" : "1310"))
            }
            for ipv6 in [false, true] {
                for report in try await lab.underTraffic([(Self.a, "acme/prod/web/b")], of: fleet, ipv6: ipv6, {}) {
                    #expect(report.isUnharmed, "\(report)")
                }
            }
        }
    }

    @Test("an MTU that the underlay does not carry is found out by TCP, UDP, ping and tracepath", arguments: datapaths)
    func pathMTU(datapath: String) async throws {
        let fleet = Self.fleet(datapath)
        try await LabFixture.with(fleet) { lab in
            let before = try await lab.plan("h1")
            #expect(!before.output.contains("MZ502"))
            for endpoint in fleet.endpoints { try await Self.enlarge(endpoint, lab) }
            let after = try await lab.plan("h1")
            #expect(after.output.contains("MZ502") && after.output.contains("leaves \(Self.usable)"), "\(after.output)")
            #expect(try await lab.status("h1").uplink?.usableMtu == Self.usable)
            for (address, gateway) in [("10.0.1.11", "10.0.1.1"), ("10.0.2.10", "10.0.1.1")] {
                let ping = try await lab.inside(Self.a, "ping", "-c", "1", "-W", "2", "-M", "do", "-s", "2000", address)
                #expect(ping.output.contains("From \(gateway) icmp_seq=1 Frag needed and DF set (mtu = \(Self.usable))"), "\(ping.output)")
                // What is just small enough goes by whatever way; one byte more does not.
                let fits = try await lab.pings(Self.a, address, "-M", "do", "-s", "\(Self.usable - 28)")
                let isTooBig = try await !lab.pings(Self.a, address, "-M", "do", "-s", "\(Self.usable - 27)")
                #expect(fits && isTooBig)
            }
            let ping6 = try await lab.inside(Self.a, "ping", "-c", "1", "-W", "2", "-M", "do", "-s", "2000", "fd00:1:0:1::11")
            #expect(ping6.output.contains("From fd00:1:0:1::1 icmp_seq=1 Packet too big: mtu=\(Self.usable)"), "\(ping6.output)")
            for (place, addresses) in [
                ("acme/prod/web/b", ["10.0.1.11", "fd00:1:0:1::11"]), ("acme/prod/db/c", ["10.0.2.10", "fd00:1:0:2::10"]),
            ] {
                let log = "\(lab.git.folder)/server"
                try await Tool.whileRunning(
                    ["python3", "-c", Self.server], namespace: lab.namespace(endpoint: place), log: log
                ) { server in
                    let isReady = try await eventually { server.output.contains("ready") }
                    #expect(isReady, "\(server.output)")
                    for address in addresses {
                        _ = try await lab.inside(Self.a, "ip", "route", "flush", "cache")
                        _ = try await lab.inside(Self.a, "ip", "-6", "route", "flush", "cache")
                        let flow = try await lab.inside(Self.a, "python3", "-c", Self.client, address)
                        #expect(flow.output == "tcp 1000000 1000008\nudp 2500\n", "\(address): \(flow.output) \(flow.error)")
                    }
                }
            }
            for (address, hops) in [("10.0.1.11", 1), ("10.0.2.10", 2), ("fd00:1:0:1::11", 1), ("fd00:1:0:2::10", 2)] {
                _ = try await lab.inside(Self.a, "ip", "route", "flush", "cache")
                _ = try await lab.inside(Self.a, "ip", "-6", "route", "flush", "cache")
                let path = try await lab.inside(Self.a, "tracepath", "-n", address)
                #expect(path.output.contains("Resume: pmtu \(Self.usable) hops \(hops) back \(hops)"), "\(path.output)")
            }
            let drops = try await lab.drops("h1")
            #expect(drops["too-big", default: 0] > 0)
        }
    }

    @Test("traceroute shows the gateway between two networks, and no router in one", arguments: datapaths)
    func hops(datapath: String) async throws {
        try await LabFixture.with(Self.fleet(datapath)) { lab in
            func route(_ address: String) async throws -> [String] {
                let outcome = try await lab.inside(Self.a, "traceroute", "-n", "-q", "1", "-N", "1", "-w", "2", address)
                return outcome.output.split(separator: "\n").dropFirst().compactMap { line in
                    line.split(separator: " ").dropFirst().first.map(String.init)
                }
            }
            for _ in 1...2 {
                // By way of tables, then straight.
                #expect(try await route("10.0.2.10") == ["10.0.1.1", "10.0.2.10"])
                #expect(try await route("fd00:1:0:2::10") == ["fd00:1:0:1::1", "fd00:1:0:2::10"])
                #expect(try await route("10.0.1.11") == ["10.0.1.11"])
                #expect(try await route("fd00:1:0:1::11") == ["fd00:1:0:1::11"])
            }
            let drops = try await lab.drops("h1")
            #expect(drops["time-exceeded", default: 0] >= 4, "\(drops)")
        }
    }

    @Test("an address that nobody has is unreachable until somebody has it", arguments: datapaths)
    func unreachable(datapath: String) async throws {
        var fleet = Self.fleet(datapath)
        try await LabFixture.with(fleet) { lab in
            // A row of each port that was told something.
            func errors() async throws -> Int? { try await lab.status("h1").tables.first { $0.name == "errors" }?.rows }
            #expect(try await errors() == 0)
            // Known to the bouncer, to the divider that has the network, and to the one that has no such network.
            for (address, gateway, words) in [
                ("10.0.1.99", "10.0.1.1", "Destination Host Unreachable"),
                ("10.0.2.99", "10.0.1.1", "Destination Host Unreachable"),
                ("10.9.9.9", "10.0.1.1", "Destination Host Unreachable"),
                ("fd00:1:0:1::99", "fd00:1:0:1::1", "Destination unreachable: Address unreachable"),
            ] {
                // The first packet asks; those within 3 s after the answer are told, so one ping sends several.
                var ping: Tool.Outcome?
                let isTold = try await eventually {
                    ping = try await lab.inside(Self.a, "ping", "-c", "4", "-i", "0.2", "-W", "1", address)
                    return ping?.output.split(separator: "\n").contains { $0.hasPrefix("From \(gateway) ") && $0.hasSuffix(words) } == true
                }
                let (here, there) = (try await lab.drops("h1"), try await lab.drops("h3"))
                #expect(isTold, "\(address): \(ping as Any), \(here), \(there)")
            }
            let drops = try await lab.drops("h1")
            #expect(drops["no-endpoint", default: 0] >= 4, "\(drops)")
            #expect(try await errors() == 1)
            fleet.endpoint("acme/prod/web/d", 99, on: "h4")
            try await lab.change(to: fleet)
            for address in ["10.0.1.99", "fd00:1:0:1::99"] {
                let isThere = try await eventually { try await lab.pings(Self.a, address) }
                #expect(isThere, "\(address)")
            }
            try await ScenarioTests.holds(lab, fleet)
        }
    }
}
