import TestSupport
import Testing

/// Tunnels that endpoints have among themselves, with all their interfaces' offloads.
@Suite(.needsRoot) struct EndpointTunnelTests {
    private static let a = "acme/prod/web/a"
    private static let b = "acme/prod/web/b"
    private static let d = "acme/prod/db/d"

    /// a on h1; b and, in another network, d on h2; the tables on h3.
    private static func fleet(_ datapath: String) -> Fleet {
        var fleet = ScenarioTests.oneNetwork(datapath, hosts: 3)
        fleet.network("acme/prod/db", 2)
        fleet.endpoint(d, 12, on: "h2")
        fleet.roles(on: "h3")
        return fleet
    }

    /// Gives two endpoints a VXLAN: the first is 192.168.7.1 in it, the other 192.168.7.2.
    private static func connect(_ lab: LabFixture, _ endpoints: [Fleet.Endpoint], ipv6: Bool = false) async throws {
        let ends = endpoints.map { $0.addresses[ipv6 ? 1 : 0] }
        for (number, endpoint) in endpoints.enumerated() {
            for line in [
                "link add vx0 type vxlan id 7 local \(ends[number]) remote \(ends[1 - number]) dstport 4789 dev eth0",
                "link set dev vx0 mtu 1400 up", "addr add 192.168.7.\(number + 1)/24 dev vx0",
            ] {
                let words = ["ip"] + line.split(separator: " ").map(String.init)
                let outcome = try await Tool.execute(words, namespace: lab.namespace(endpoint: endpoint.path))
                #expect(outcome.succeeded, "\(line): \(outcome.error)")
            }
        }
    }

    private static let receive = """
        import hashlib, socket
        server = socket.create_server(("192.168.7.2", 7000)); print("ready", flush=True)
        got, size, made = hashlib.sha256(), 0, server.accept()[0]
        while part := made.recv(1 << 20): got.update(part); size += len(part)
        print(size, got.hexdigest(), flush=True)
        """
    private static let send = """
        import hashlib, random, socket
        data = random.Random(7).randbytes(16 << 20); made = socket.create_connection(("192.168.7.2", 7000), 5)
        made.sendall(data); made.shutdown(socket.SHUT_WR); made.recv(1); print(len(data), hashlib.sha256(data).hexdigest())
        """

    /// What a sent to the endpoint by their tunnel, and what arrived there: bytes and their hash.
    private static func stream(_ lab: LabFixture, to endpoint: String) async throws -> (sent: String, arrived: String) {
        var (output, arrived) = ("", "")
        try await Tool.whileRunning(
            [LabFixture.python, "-c", receive], namespace: lab.namespace(endpoint: endpoint), log: "\(lab.git.folder)/server"
        ) { server in
            let isReady = try await eventually { server.output.contains("ready") }
            #expect(isReady)
            let sent = try await lab.inside(a, "timeout", "10", LabFixture.python, "-c", send)
            #expect(sent.succeeded, "\(sent.error)")
            _ = try await eventually(within: .seconds(2)) { server.output.contains(sent.output) }
            (output, arrived) = (sent.output, String(server.output.dropFirst("ready\n".count)))
        }
        return (output, arrived)
    }

    /// Whatever segments GSO packets behind us, a stream by a tunnel of the endpoints arrives as it was sent. Between networks
    /// each packet has spent one hop.
    @Test(arguments: datapaths)
    func streamsByTunnelsOfEndpoints(datapath: String) async throws {
        let fleet = Self.fleet(datapath)
        try await LabFixture.with(fleet) { lab in
            // With XDP the uplink segments what it is given.
            if datapath == "tc" {
                let outcome = try await lab.on("h1", "ethtool", "-K", "eth0", "tso", "off", "gso", "off")
                #expect(outcome.succeeded)
            }
            for (target, ipv6, hops) in [
                (Self.b, false, "ttl 64,"), (Self.b, true, "hlim 64,"), (Self.d, false, "ttl 63,"), (Self.d, true, "hlim 63,"),
            ] {
                try await Self.connect(lab, [fleet[Self.a], fleet[target]], ipv6: ipv6)
                let capture = ["tcpdump", "-nvi", "eth0", "-Q", "in", "-l", "-c", "20", "udp dst port 4789 and greater 1000"]
                var (outcome, captured) = (("", ""), "")
                try await Tool.whileRunning(
                    capture, namespace: lab.namespace(endpoint: target), log: "\(lab.git.folder)/capture"
                ) { capture in
                    _ = try await eventually { capture.output.contains("listening on") }
                    outcome = try await Self.stream(lab, to: target)
                    _ = try await eventually(within: .seconds(2)) { capture.output.contains("20 packets captured") }
                    captured = capture.output
                }
                #expect(!outcome.0.isEmpty && outcome.0 == outcome.1, "to \(target), \(hops)")
                let headers = captured.split(separator: "\n").filter { $0.contains("ttl ") || $0.contains("hlim ") }
                let own = headers.filter { $0.contains(hops) }
                #expect(own.count >= 20, "to \(target): \(captured)")
                for endpoint in [Self.a, target] { _ = try await lab.inside(endpoint, "ip", "link", "del", "vx0") }
            }
            for host in ["h1", "h2", "h3"] {
                let drops = try await lab.drops(host)
                #expect(Set(drops.keys).isSubset(of: ["multicast"]), "on \(host): \(drops)")
            }
        }
    }

    /// Packets of tunnels ask and watch hosts as others do.
    @Test(.enabled(if: Tool.exists("iperf3"), "iperf3 is not installed"))
    func tunnelsOfEndpoints() async throws {
        let fleet = Self.fleet("tc")
        try await LabFixture.with(fleet) { lab in
            try await Self.connect(lab, [fleet[Self.a], fleet[Self.b]])
            let b = lab.namespace(endpoint: Self.b)
            try await Tool.whileRunning(["iperf3", "-s", "--forceflush"], namespace: b, log: "\(lab.git.folder)/iperf") { server in
                #expect(try await eventually { server.output.contains("listening") })
                let outcome = try await lab.inside(Self.a, "iperf3", "-c", "192.168.7.2", "-t", "3", "-b", "400M", "-l", "64K")
                #expect(outcome.succeeded, "\(outcome.output)\(outcome.error)")
            }
            let status = try await lab.status("h1")
            #expect(status.hosts.allSatisfy { $0.state != "silent" }, "\(status.hosts)")
            let traffic = try #require(status.endpoints.first { $0.name == Self.a })
            #expect(traffic.directPackets > 1000 && traffic.bouncerPackets < 1000, "\(traffic)")
            for host in ["h1", "h2", "h3"] {
                let drops = try await lab.drops(host)
                #expect(Set(drops.keys).isSubset(of: ["multicast"]), "on \(host): \(drops)")
            }
        }
    }
}
