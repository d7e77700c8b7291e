import TestSupport
import Testing

/// Geneve leaves a host only if the data plane sent it, however a container behind the host goes about it.
@Suite(.needsRoot) struct ForeignSenderTests {
    @Test(arguments: datapaths)
    func containersBehindTheHost(datapath: String) async throws {
        let fleet = ScenarioTests.oneNetwork(datapath, hosts: 3)
        try await LabFixture.with(fleet) { lab in
            let sender = Sender(lab: lab, container: try await lab.container(behind: "h1"))
            let own = sender.container.address
            // Routed: h2 would take the second, of which it cannot see that it is not h3's.
            for source in [own, "172.16.0.3"] {
                try await sender.isDropped(sender.geneve(from: source), "routed, from \(source)")
            }
            var fragmented = sender.geneve(from: "172.16.0.3")
            fragmented.fragment = 24
            try await sender.isDropped(fragmented, "routed, in fragments")
            let process = try await Tool.execute(
                [
                    LabFixture.python, "-c",
                    "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('172.16.0.2', 6081))",
                ],
                namespace: sender.container.namespace)
            #expect(process.succeeded, "\(process.error)")
            #expect(try await eventually { try await sender.dropped() == 4 }, "a plain socket's")

            // Translated to the host's own address, which is in every host's table.
            let rules = """
                table ip container {
                    chain before {
                        type nat hook prerouting priority dstnat;
                        udp dport 7777 dnat to 172.16.0.2:6081
                    }
                    chain marks { type filter hook forward priority mangle; }
                    chain after {
                        type nat hook postrouting priority srcnat;
                        oifname eth0 masquerade
                    }
                }
                """
            #expect(try await lab.on("h1", "nft", rules).succeeded)
            for source in [own, "172.16.0.3"] {
                try await sender.isDropped(sender.geneve(from: source), "translated, from \(source)")
                var fragmented = sender.geneve(from: source)
                fragmented.fragment = 24
                try await sender.isDropped(fragmented, "translated, from \(source), in fragments")
            }
            try await sender.isDropped(sender.geneve(from: own, to: sender.container.gateway, port: 7777), "both addresses translated")
            #expect(try await lab.on("h1", "nft", "add rule ip container marks meta mark set \(try await sender.mark())").succeeded)
            try await sender.isDropped(sender.geneve(from: own), "with the mark of our own")

            // What is no Geneve goes its way, translated.
            let server =
                "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('172.16.0.2', 5353)); print('up', flush=True); print(s.recvfrom(99), flush=True)"
            try await Tool.whileRunning(
                [LabFixture.python, "-c", server], namespace: lab.namespace(host: "h2"), log: "\(lab.git.folder)/server"
            ) { running in
                #expect(try await eventually { running.output.contains("up") })
                _ = try await sender.arrives(sender.container.frame(from: own, to: "172.16.0.2", port: 5353))
                #expect(try await eventually { running.output.contains("172.16.0.1") }, "\(running.output)")
            }

            // All this is the guard's doing: without it, b takes the container for a.
            try await lab.takeOff("h1", "eth0", "egress")
            let fooled = try await sender.arrives(sender.geneve(from: own), isExpected: true)
            #expect(fooled.map(\.from) == ["10.0.1.10"] && fooled.map(\.at) == ["acme/prod/web/b"])
            #expect(try await lab.apply("h1").succeeded)
            try await sender.isDropped(sender.geneve(from: own), "the guard is back")
            try await ScenarioTests.holds(lab, fleet)
        }
    }

    /// A container on a macvlan of the uplink: its packets keep their mark, and the index of the interface that they came
    /// in by, from its namespace, where it chooses both. It has to guess the mark.
    @Test(arguments: datapaths)
    func aContainerOnAMacvlan(datapath: String) async throws {
        let fleet = ScenarioTests.oneNetwork(datapath, hosts: 3)
        try await LabFixture.with(fleet) { lab in
            let sender = Sender(
                lab: lab, container: try await lab.container(onMacvlanOf: "h1", forgingPortOf: fleet["acme/prod/web/a"], to: "h2"))
            let mark = try await sender.mark()
            let other = try await lab.rows("h2", "mark").map(\.value)
            #expect(mark != 0)
            #expect(try await lab.rows("h1", "mark").map(\.value) != other, "each host draws its own")
            func set(_ mark: Int) async throws {
                let outcome = try await Tool.execute(
                    [
                        "nft",
                        "flush ruleset; table ip t { chain f { type filter hook forward priority mangle; meta mark set \(mark) ; } ; "
                            + "chain p { type nat hook postrouting priority srcnat; snat to 172.16.0.1 ; } ; }",
                    ],
                    namespace: sender.container.namespace)
                #expect(outcome.succeeded, "\(outcome.error)")
            }
            for wrong in [0, 0x6d7a_7200, mark ^ 1] {
                try await set(wrong)
                try await sender.isDropped(sender.geneve(from: sender.container.address), "the mark \(wrong)")
            }
            // It is the mark that it lacks.
            try await set(mark)
            let fooled = try await sender.arrives(sender.geneve(from: sender.container.address), isExpected: true)
            #expect(fooled.map(\.at) == ["acme/prod/web/b"])
            try await ScenarioTests.holds(lab, fleet)
        }
    }

    /// Who sends out of the container.
    private struct Sender {
        let lab: LabFixture
        let container: LabFixture.Container

        /// What the data plane marks its packets with on h1.
        func mark() async throws -> Int {
            try await lab.rows("h1", "mark").first.map { $0.value.reversed().reduce(0) { $0 << 8 | Int($1) } } ?? 0
        }

        /// As if a, on h1, had sent it to b, on h2.
        func geneve(from source: String, to target: String = "172.16.0.2", port: Int = 6081) -> LabFixture.Frame {
            var frame = container.frame(from: source, to: target, port: port)
            frame.geneve = .init(vni: 4097, inner: .init(src: "10.0.1.10", dst: "10.0.1.11"))
            return frame
        }

        /// Sends a frame; gives what a and b got of it.
        func arrives(_ frame: LabFixture.Frame, isExpected: Bool = false) async throws -> [LabFixture.Received] {
            try await lab.send(
                [frame], from: container.inner, to: ["acme/prod/web/a", "acme/prod/web/b"], wait: isExpected ? 4 : 0.3)
        }

        func dropped() async throws -> Int { try await lab.drops("h1")["foreign-sender", default: 0] }

        func isDropped(_ frame: LabFixture.Frame, _ comment: Comment) async throws {
            let before = try await dropped()
            let received = try await arrives(frame)
            #expect(received == [], comment)
            let after = try await dropped()
            #expect(after == before + 1, comment)
        }
    }
}
