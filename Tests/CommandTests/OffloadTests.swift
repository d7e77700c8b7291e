import TestSupport
import Testing

/// Offloads of endpoints and uplinks: none is in the way, and none is lost.
@Suite(.needsRoot) struct OffloadTests {
    /// UDP_SEGMENT: what a socket sends as one arrives as many at a socket that takes single datagrams, on the same host and another.
    @Test(arguments: datapaths)
    func datagramsSentAsOne(datapath: String) async throws {
        let fleet = DatapathFactTests.fleet(datapath)
        let receive = """
            import socket, sys
            made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); made.bind(("::", 7000)); print("ready", flush=True)
            while True: print(len(made.recv(65536)), flush=True)
            """
        let send = """
            import socket, sys
            made = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
            made.setsockopt(socket.IPPROTO_UDP, 103, 1000)
            made.sendto(bytes(5003), (sys.argv[1], 7000))
            """
        try await LabFixture.with(fleet) { lab in
            for target in ["acme/prod/web/b", "acme/prod/web/c"] {
                for address in fleet[target].addresses {
                    #expect(try await lab.pings("acme/prod/web/a", address))
                    try await Tool.whileRunning(
                        ["python3", "-c", receive], namespace: lab.namespace(endpoint: target),
                        log: "\(lab.git.folder)/datagrams"
                    ) { server in
                        let isReady = try await eventually { server.output.contains("ready") }
                        #expect(isReady)
                        let outcome = try await lab.inside("acme/prod/web/a", "python3", "-c", send, address)
                        #expect(outcome.succeeded, "\(outcome.error)")
                        let isThere = try await eventually { server.output == "ready\n" + String(repeating: "1000\n", count: 5) + "3\n" }
                        #expect(isThere, "\(address): \(server.output)")
                    }
                }
            }
        }
    }

    /// Packets that stand for many leave the endpoint's host as one, and arrive whole: nobody segments, nobody computes
    /// checksums, and no interface had an offload switched off.
    @Test(.enabled(if: Tool.exists("iperf3"), "iperf3 is not installed"), arguments: [false, true])
    func offloadsAreKept(ipv6: Bool) async throws {
        let fleet = DatapathFactTests.fleet("tc")
        try await LabFixture.with(fleet) { lab in
            let (a, b) = (lab.namespace(endpoint: "acme/prod/web/a"), lab.namespace(endpoint: "acme/prod/web/b"))
            for (namespace, interface) in [
                (a, "eth0"), (b, "eth0"), (lab.namespace(host: "h1"), "eth0"), (lab.namespace(host: "h2"), "eth0"),
            ] {
                let features = try await Tool.execute(["ethtool", "-k", interface], namespace: namespace).output
                for feature in ["tcp-segmentation-offload", "generic-segmentation-offload", "tx-checksumming"] {
                    #expect(features.contains("\n\(feature): on"), "\(feature) of \(interface) in \(namespace)")
                }
            }
            let address = fleet["acme/prod/web/b"].addresses[ipv6 ? 1 : 0]
            #expect(try await lab.pings("acme/prod/web/a", address))
            try await Tool.whileRunning(["iperf3", "-s", "--forceflush"], namespace: b, log: "\(lab.git.folder)/iperf") { server in
                #expect(try await eventually { server.output.contains("listening") })
                // On the sender's uplink in Geneve, and in the receiver's namespace without it.
                let captures = [
                    (lab.namespace(host: "h1"), ["-Q", "out", "udp dst port 6081 and greater 10000"]),
                    (b, ["-Q", "in", "tcp dst port 5201 and greater 10000"]),
                ]
                for (namespace, filter) in captures {
                    let log = "\(lab.git.folder)/\(namespace).large"
                    try await Tool.whileRunning(["tcpdump", "-ni", "eth0", "-l", "-c", "1"] + filter, namespace: namespace, log: log) {
                        capture in
                        #expect(try await eventually { capture.output.contains("listening on") })
                        let outcome = try await lab.inside("acme/prod/web/a", "iperf3", "-n", "100M", "-c", address)
                        #expect(outcome.succeeded, "\(outcome.output)\(outcome.error)")
                        let isSeen = try await eventually { capture.output.contains("1 packet captured") }
                        #expect(isSeen, "\(namespace): \(capture.output)")
                    }
                }
            }
            let drops = try await lab.drops("h1")
            #expect(Set(drops.keys).isSubset(of: ["multicast"]), "\(drops)")
        }
    }

    /// Single packets come in, as from a card: the kernel joins what has the same way, whatever else it joins, and all
    /// arrives as it was sent.
    @Test(.enabled(if: Tool.exists("iperf3"), "iperf3 is not installed"), arguments: datapaths)
    func packetsJoinedByTheUplink(datapath: String) async throws {
        let fleet = DatapathFactTests.fleet(datapath)
        try await LabFixture.with(fleet) { lab in
            func set(_ namespace: String, _ interface: String, _ features: String...) async throws {
                let outcome = try await Tool.execute(["ethtool", "-K", interface] + features, namespace: namespace)
                try #require(outcome.succeeded, "\(features): \(outcome.error)")
            }
            let ports = try await Tool.execute(["ip", "-br", "link", "show", "type", "veth"], namespace: lab.underlayNamespace).output
            let names = ports.split(separator: "\n").compactMap { $0.split(separator: "@").first.map(String.init) }
            try #require(names.count == fleet.hosts.count)
            // A veth polls, and joins, if the other end hands on single packets.
            for port in names { try await set(lab.underlayNamespace, port, "tso", "off", "gso", "off") }
            try await set(lab.namespace(host: "h1"), "eth0", "tso", "off", "gso", "off")
            let h2 = lab.namespace(host: "h2")
            try await set(h2, "eth0", "gro", "on")
            #expect(try await lab.pings("acme/prod/web/a", "10.0.1.11"))
            let b = lab.namespace(endpoint: "acme/prod/web/b")
            try await Tool.whileRunning(["iperf3", "-s", "--forceflush"], namespace: b, log: "\(lab.git.folder)/iperf") { server in
                #expect(try await eventually { server.output.contains("listening") })
                for feature in ["rx-gro-list", "rx-udp-gro-forwarding"] {
                    for state in ["on", "off"] {
                        try await set(h2, "eth0", feature, state)
                        #expect(try await Self.joins(lab), "\(feature) \(state)")
                        try await Self.exchangeDatagrams(lab, "\(feature) \(state)")
                    }
                }
                // Nothing else joins them, and who removes it gets it back.
                #expect(try await lab.on("h2", "ip", "link", "del", "mizar-gro").succeeded)
                #expect(try await lab.status("h2").uplink?.receiveOffload == false)
                #expect(try await !Self.joins(lab))
                let again = try await lab.apply("h2")
                #expect(again.succeeded && again.output.contains("No changes."), "\(again.output)\(again.error)")
                #expect(try await lab.status("h2").uplink?.receiveOffload == true)
                #expect(try await Self.joins(lab))
            }
            let drops = try await lab.drops("h2")
            #expect(Set(drops.keys).isSubset(of: ["multicast"]), "\(drops)")
        }
    }

    /// Whether of a stream from a to b a packet comes to h2 that is larger than any that h1 sent.
    private static func joins(_ lab: LabFixture) async throws -> Bool {
        let marker = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'', ('172.16.0.2', 9))"
        let words = ["tcpdump", "-ni", "eth0", "-Q", "in", "-l", "-c", "1", "udp dst port 6081 and greater 1700 or udp dst port 9"]
        var first = ""
        try await Tool.whileRunning(words, namespace: lab.namespace(host: "h2"), log: "\(lab.git.folder)/joined") { capture in
            #expect(try await eventually { capture.output.contains("listening on") })
            let outcome = try await lab.inside("acme/prod/web/a", "iperf3", "-n", "50M", "-c", "10.0.1.11")
            #expect(outcome.succeeded, "\(outcome.output)\(outcome.error)")
            // After all of it, so that there is something to see if nothing was joined.
            #expect(try await lab.on("h1", LabFixture.python, "-c", marker).succeeded)
            #expect(try await eventually { capture.output.contains("1 packet captured") })
            first = capture.output
        }
        return !first.contains("172.16.0.2.9:")
    }

    /// From a to b, so many at a time as a socket has room for, of which each must arrive.
    private static func exchangeDatagrams(_ lab: LabFixture, _ feature: String) async throws {
        let receive = """
            import socket
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); made.bind(("", 7000)); print("ready", flush=True)
            while True:
                for number in range(30):
                    data, sender = made.recvfrom(65536)
                    assert len(data) == 1000 and data[0] == number, (number, len(data), data[0])
                made.sendto(b"", sender)
            """
        let send = """
            import socket
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); made.connect(("10.0.1.11", 7000)); made.settimeout(5)
            for _ in range(20):
                for number in range(30): made.send(bytes([number]) + bytes(999))
                made.recv(1)
            """
        try await Tool.whileRunning(
            [LabFixture.python, "-c", receive], namespace: lab.namespace(endpoint: "acme/prod/web/b"), log: "\(lab.git.folder)/exchange"
        ) { server in
            #expect(try await eventually { server.output.contains("ready") })
            let outcome = try await lab.inside("acme/prod/web/a", LabFixture.python, "-c", send)
            #expect(outcome.succeeded, "\(feature): \(server.output)\(outcome.error)")
        }
    }
}
