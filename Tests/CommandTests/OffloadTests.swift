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

    /// Datagrams from a host to h2.
    private static func send(_ count: Int, of bytes: Int, to port: Int) -> String {
        "import socket; made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
            + "[made.sendto(bytes(\(bytes)), ('172.16.0.2', \(port))) for _ in range(\(count))]"
    }

    /// `rx-udp-gro-forwarding` joins what comes in with an outer checksum. Geneve of ours has none, and arrives as it was sent.
    @Test func datagramsJoinedByTheUplink() async throws {
        let fleet = DatapathFactTests.fleet("tc")
        try await LabFixture.with(fleet) { lab in
            let (h1, h2, underlay) = (lab.namespace(host: "h1"), lab.namespace(host: "h2"), lab.underlayNamespace)
            func run(_ namespace: String, _ command: String...) async throws {
                // Unlike nsenter, with a /sys of the namespace's own.
                let outcome = try await Tool.execute(["ip", "netns", "exec", namespace] + command)
                try #require(outcome.succeeded, "\(command): \(outcome.error)")
            }
            let ports = try await Tool.execute(["ip", "-br", "link", "show", "type", "veth"], namespace: underlay).output
            let names = ports.split(separator: "\n").compactMap { $0.split(separator: "@").first.map(String.init) }
            try #require(names.count == fleet.hosts.count)
            // Single packets, which the other end of a veth joins only if it polls for them, and if some come at a time.
            for port in names { try await run(underlay, "ethtool", "-K", port, "tso", "off", "gso", "off") }
            try await run(h1, "ethtool", "-K", "eth0", "tso", "off", "gso", "off")
            try await run(h2, "ethtool", "-K", "eth0", "gro", "on", "rx-udp-gro-forwarding", "on")
            try await run(h2, "sh", "-c", "cd /sys/class/net/eth0 && echo 2 > napi_defer_hard_irqs && echo 2000000 > gro_flush_timeout")
            /// Whether a packet larger than any that was sent comes to h2 before the one after `body`.
            func joins(_ filter: String, _ body: () async throws -> Void) async throws -> Bool {
                let words = ["tcpdump", "-ni", "eth0", "-Q", "in", "-l", "-c", "1", "\(filter) and greater 1700 or udp dst port 9"]
                var first = ""
                try await Tool.whileRunning(words, namespace: h2, log: "\(lab.git.folder)/joined") { capture in
                    #expect(try await eventually { capture.output.contains("listening on") })
                    try await body()
                    try await run(h1, LabFixture.python, "-c", Self.send(1, of: 1, to: 9))
                    #expect(try await eventually { capture.output.contains("1 packet captured") })
                    first = capture.output
                }
                return !first.contains("172.16.0.2.9:")
            }
            let others = try await joins("udp dst port 7000") {
                try await run(h1, LabFixture.python, "-c", Self.send(20_000, of: 1000, to: 7000))
            }
            #expect(others, "what is not ours is joined")
            #expect(try await lab.pings("acme/prod/web/a", "10.0.1.11"))
            try await Tool.whileRunning(
                ["iperf3", "-s", "--forceflush"], namespace: lab.namespace(endpoint: "acme/prod/web/b"), log: "\(lab.git.folder)/iperf"
            ) { server in
                #expect(try await eventually { server.output.contains("listening") })
                let ours = try await joins("udp dst port 6081") {
                    let outcome = try await lab.inside("acme/prod/web/a", "iperf3", "-n", "100M", "-c", "10.0.1.11")
                    #expect(outcome.succeeded, "\(outcome.output)\(outcome.error)")
                }
                #expect(!ours)
            }
            let drops = try await lab.drops("h2")
            #expect(Set(drops.keys).isSubset(of: ["multicast"]), "\(drops)")
        }
    }
}
