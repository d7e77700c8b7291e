import TestSupport
import Testing

/// Packets of real sockets that are too big for the underlay and may be fragmented.
@Suite(.needsRoot) struct FragmentTests {
    private static let a = "acme/prod/web/a"
    private static let b = "acme/prod/web/b"

    /// Answers each datagram with its size and digest, each connection with the bytes that came.
    private static let server = """
        import hashlib, socket, threading
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(("0.0.0.0", 7000))
        tcp = socket.socket(socket.AF_INET6, socket.SOCK_STREAM); tcp.bind(("::", 7000)); tcp.listen()
        def answer():
            while True:
                data, peer = udp.recvfrom(65536)
                udp.sendto(f"{len(data)} {hashlib.sha256(data).hexdigest()}".encode(), peer)
        threading.Thread(target=answer, daemon=True).start()
        print("ready", flush=True)
        while True:
            connection, _ = tcp.accept()
            count, digest = 0, hashlib.sha256()
            while chunk := connection.recv(65536): count += len(chunk); digest.update(chunk)
            connection.sendall(f"{count} {digest.hexdigest()}".encode())
            connection.close()
        """

    /// No datagram has DF, nor has TCP over IPv4. Prints what arrived as it was sent.
    private static let client = """
        import hashlib, os, socket, sys
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.settimeout(1)
        udp.setsockopt(socket.IPPROTO_IP, 10, 5)  # IP_MTU_DISCOVER: IP_PMTUDISC_OMIT
        def arrives(size, options=b""):
            udp.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, options)
            data = os.urandom(size)
            for attempt in range(3):
                try:
                    udp.sendto(data, ("10.0.1.11", 7000))
                    while True:
                        answer = udp.recv(100).decode()
                        if answer == f"{size} {hashlib.sha256(data).hexdigest()}": return size
                except TimeoutError: pass
        def stream(family, address):
            tcp = socket.socket(family, socket.SOCK_STREAM); tcp.settimeout(20)
            if family == socket.AF_INET: tcp.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_PMTUDISC_DONT
            tcp.connect((address, 7000))
            data = os.urandom(4000000)
            tcp.sendall(data); tcp.shutdown(socket.SHUT_WR)
            print("tcp", tcp.recv(100).decode() == f"{len(data)} {hashlib.sha256(data).hexdigest()}")
        if sys.argv[1] == "6":
            stream(socket.AF_INET6, "fd00:1:0:1::11")
            sys.exit()
        print("udp", *[arrives(size) for size in (1511, 1512, 1600, 2500, 2972, 2973, 9000, 30000)])
        print("options", arrives(2000, bytes([0x94, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0, 0])))
        stream(socket.AF_INET, "10.0.1.11")
        """

    @Test("IPv4 without DF arrives whatever its size; frames over 64 KiB arrive", arguments: datapaths)
    func arrives(datapath: String) async throws {
        let fleet = ScenarioTests.oneNetwork(datapath)
        try await LabFixture.with(fleet) { lab in
            for place in [Self.a, Self.b] {
                let endpoint = try #require(fleet.endpoints.first { $0.path == place })
                let outer = try await lab.on(endpoint.host, "ip", "link", "set", "dev", endpoint.interface, "mtu", "3000")
                let inner = try await lab.inside(
                    place, "ip", "link", "set", "dev", "eth0", "mtu", "3000", "gso_max_size", "131072", "gro_max_size", "131072")
                #expect(outer.succeeded && inner.succeeded, "\(outer.error) \(inner.error)")
            }
            let log = "\(lab.git.folder)/server"
            try await Tool.whileRunning(
                ["python3", "-c", Self.server], namespace: lab.namespace(endpoint: Self.b), log: log
            ) { server in
                let isReady = try await eventually { server.output.contains("ready") }
                #expect(isReady, "\(server.output)")
                let ipv4 = try await lab.inside(Self.a, "python3", "-c", Self.client, "4")
                #expect(
                    ipv4.output == "udp 1511 1512 1600 2500 2972 2973 9000 30000\noptions 2000\ntcp True\n",
                    "\(ipv4.output) \(ipv4.error)")
                let drops = try await lab.drops("h1")
                #expect(drops["too-big"] == nil, "\(drops)")
                let ipv6 = try await lab.inside(Self.a, "python3", "-c", Self.client, "6")
                #expect(ipv6.output == "tcp True\n", "\(ipv6.output) \(ipv6.error)")
            }
            let drops = try await lab.drops("h1")
            #expect(drops["internal"] == nil && drops["malformed"] == nil, "\(drops)")
        }
    }
}
