import TestSupport
import Testing

/// What a host is, beside what the topology says of it: whatever its uplink is called, where its maps are pinned, what its
/// IPsec wants.
@Suite(.needsRoot) struct UnderlayTests {
    static func uplink(_ fleet: Fleet, _ change: (String) -> String) -> [String: String] { fleet.files.mapValues(change) }

    @Test("the uplink that has the address stays, renamed or named by its alternative name")
    func names() async throws {
        let fleet = ScenarioTests.oneNetwork("tc", hosts: 2)
        try await LabFixture.with(fleet) { lab in
            #expect(try await lab.on("h1", "ip", "link", "property", "add", "dev", "eth0", "altname", "enp0s31f6").succeeded)
            try await lab.git.commit(Self.uplink(fleet) { $0.replacing("interface: eth0", with: "interface: enp0s31f6") })
            let alternative = try await lab.plan("h1")
            #expect(alternative.succeeded && !alternative.output.contains("MZ510"), "\(alternative.output)\(alternative.error)")
            #expect(alternative.output.contains("No changes."), "\(alternative.output)")

            try await lab.commit(fleet)
            #expect(try await lab.on("h1", "ip", "link", "set", "eth0", "name", "ens3").succeeded)
            let renamed = try await lab.apply("h1")
            #expect(renamed.succeeded && renamed.output.contains("0 destroyed"), "\(renamed.output)\(renamed.error)")
            #expect(renamed.output.contains("MZ510") && renamed.output.contains("ens3"), "\(renamed.output)")
            #expect(try await lab.failures(fleet) == [])

            // The address moves along to a bridge that the interface becomes a port of.
            for words in [
                "ip link add br0 type bridge stp_state 0 forward_delay 0",
                "ip link set br0 address $(ip -br link show ens3 | awk '{print $3}') up",
                "ip link set ens3 master br0", "ip addr flush dev ens3", "ip addr add 172.16.0.1/16 dev br0",
            ] { #expect(try await lab.on("h1", "sh", "-c", words).succeeded, "\(words)") }
            let bridged = try await lab.apply("h1")
            #expect(bridged.succeeded && bridged.output.contains("br0"), "\(bridged.output)\(bridged.error)")
            #expect(try await lab.failures(fleet) == [])
        }
    }

    @Test("without an Ethernet header there is no uplink, and nothing is written")
    func withoutEthernet() async throws {
        let fleet = ScenarioTests.oneNetwork("tc", hosts: 2)
        try await LabFixture.with(fleet) { lab in
            _ = try await lab.detach("h1")
            for words in [
                "ip addr flush dev eth0", "ip tuntap add dev tun0 mode tun", "ip link set tun0 up", "ip addr add 172.16.0.1/16 dev tun0",
            ] { #expect(try await lab.on("h1", "sh", "-c", words).succeeded, "\(words)") }
            for outcome in [try await lab.plan("h1"), try await lab.apply("h1")] {
                #expect(outcome.status == 4, "\(outcome.output)")
                #expect(outcome.error.contains("tun0 cannot be the uplink of h1"), "\(outcome.error)")
            }
            #expect(
                try await lab.tool(on: "h1").run("status", "--host", "h1", "--bpffs", lab.bpffs("h1")).output.contains("nothing is applied")
            )
        }
    }

    @Test("in a mount namespace of its own, nothing takes the programs from the maps that are pinned in the host's")
    func privateMounts() async throws {
        let fleet = ScenarioTests.oneNetwork("tc", hosts: 2)
        try await LabFixture.with(fleet) { lab in
            let tool = lab.tool(on: "h1").path
            func apart(_ command: String) async throws -> Tool.Outcome {
                let script =
                    "mount --make-rprivate / && umount -l /sys/fs/bpf && exec \(tool) \(command) --host h1 --bpffs \(lab.bpffs("h1"))"
                return try await Tool.execute(["unshare", "-m", "sh", "-c", script], namespace: lab.namespace(host: "h1"))
            }
            for command in ["apply --repo \(lab.repo)", "plan --repo \(lab.repo)", "detach"] {
                let outcome = try await apart(command)
                #expect(outcome.status == 4, "\(command): \(outcome.output)\(outcome.error)")
                #expect(outcome.error.contains("maps that are pinned at \(lab.bpffs("h1"))"), "\(outcome.error)")
            }
            let status = try await apart("status")
            #expect(status.output.contains("Maps elsewhere: programs on eth0, lo, v-acm-a"), "\(status.output)\(status.error)")
            // Another folder of the same bpffs.
            let other = try await lab.tool(on: "h1").run(
                "apply", "--repo", lab.repo, "--host", "h1", "--bpffs", lab.bpffs("h1") + "-other")
            #expect(other.status == 4 && other.error.contains("pinned at \(lab.bpffs("h1"))"), "\(other.error)")
            _ = try await lab.on("h1", "rmdir", lab.bpffs("h1") + "-other")
            try await ScenarioTests.holds(lab, fleet)

            // Pins that nobody has any more are made anew.
            _ = try await lab.on("h1", "rm", "-r", lab.bpffs("h1"))
            let again = try await lab.apply("h1")
            #expect(again.succeeded, "\(again.output)\(again.error)")
            try await ScenarioTests.holds(lab, fleet)
        }
    }

    @Test("a policy that Geneve would pass by refuses a first apply, unless it is to be ignored, and is said of a host that runs")
    func ipsec() async throws {
        let fleet = ScenarioTests.oneNetwork("tc", hosts: 2)
        try await LabFixture.with(fleet) { lab in
            let policy = ["src", "172.16.0.1/32", "dst", "172.16.0.2/32", "proto", "udp", "dport", "6081", "dir", "out"]
            let added = try await Tool.execute(
                ["ip", "xfrm", "policy", "add"] + policy + ["tmpl", "proto", "esp", "mode", "transport"],
                namespace: lab.namespace(host: "h1"))
            try #require(added.succeeded, "\(added.error)")
            let running = try await lab.apply("h1")
            #expect(running.succeeded && running.output.contains("MZ512"), "\(running.output)\(running.error)")
            let status = try await lab.tool(on: "h1").run("status", "--host", "h1", "--bpffs", lab.bpffs("h1"))
            #expect(status.output.contains("IPsec: a policy of this host asks for IPsec of packets to 172.16.0.2"), "\(status.output)")
            try await ScenarioTests.holds(lab, fleet)

            _ = try await lab.detach("h1")
            let first = try await lab.apply("h1")
            #expect(first.status == 4 && first.error.contains("asks for IPsec of packets to 172.16.0.2"), "\(first.output)\(first.error)")
            try await lab.git.commit(
                Self.uplink(fleet) { $0.replacing("interface: eth0", with: "interface: eth0\nipsec: ignore") })
            let ignored = try await lab.apply("h1")
            #expect(ignored.succeeded && !ignored.output.contains("MZ512"), "\(ignored.output)\(ignored.error)")
            #expect(try await lab.failures(fleet) == [])
        }
    }

    /// A datagram to Geneve's port of h2, from an address of h1, out by an interface.
    private static func send(_ lab: LabFixture, from address: String, by interface: String) async throws {
        let words = """
            import socket
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"\(interface)")
            s.bind(("\(address)", 0)); s.sendto(bytes(64), ("172.16.0.2", 6081))
            """
        let sent = try await lab.on("h1", "python3", "-c", words)
        #expect(sent.succeeded, "\(sent.error)")
    }

    @Test("Geneve that comes by another interface in the network of other hosts is taken, and leaves by none", arguments: datapaths)
    func besideTheUplink(datapath: String) async throws {
        var fleet = ScenarioTests.oneNetwork(datapath, hosts: 2)
        fleet.roles(on: "h1")
        try await LabFixture.with(fleet) { lab in
            let before = try await lab.attached("h1")
            let eth1 = "02:00:00:00:51:01"
            for words in [
                "ip link add eth1 address \(eth1) mtu 1600 type veth peer name beside mtu 1600 netns \(lab.underlayNamespace)",
                "ip link set eth1 up", "ip addr add 172.16.0.51/16 dev eth1 noprefixroute",
                "sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth1.rp_filter=0",
            ] { #expect(try await lab.on("h1", "sh", "-c", words).succeeded, "\(words)") }
            _ = try await Tool.execute(
                ["ip", "link", "set", "dev", "beside", "master", "br0", "up"], namespace: lab.underlayNamespace)
            // What ARP ends with where the other interface answers first.
            let neighbor = try await lab.on(
                "h2", "ip", "neigh", "replace", "172.16.0.1", "lladdr", eth1, "dev", "eth0", "nud", "permanent")
            #expect(neighbor.succeeded, "\(neighbor.error)")
            // So that the bridge knows where it is. A frame for a MAC that it does not know goes to all, and is taken off any.
            try await Self.send(lab, from: "172.16.0.51", by: "eth1")
            let cut = try await eventually { try await lab.failures(fleet) != [] }
            #expect(cut)
            let applied = try await lab.apply("h1")
            #expect(applied.succeeded && applied.output.contains("program beside on eth1"), "\(applied.output)\(applied.error)")
            let again = try await lab.plan("h1")
            #expect(again.output.contains("No changes."), "\(again.output)")
            try await ScenarioTests.holds(lab, fleet)
            let status = try await lab.tool(on: "h1").run("status", "--host", "h1", "--bpffs", lab.bpffs("h1"))
            #expect(status.output.contains("Beside the uplink: eth1"), "\(status.output)")

            // With the host's address it could speak as one of its endpoints; another overlay has its own.
            let drops = try await lab.drops("h1")["foreign-sender", default: 0]
            try await Self.send(lab, from: "172.16.0.51", by: "eth1")
            #expect(try await lab.drops("h1")["foreign-sender", default: 0] == drops)
            try await Self.send(lab, from: "172.16.0.1", by: "eth1")
            #expect(try await lab.drops("h1")["foreign-sender", default: 0] == drops + 1)

            #expect(try await lab.on("h1", "ip", "addr", "del", "172.16.0.51/16", "dev", "eth1").succeeded)
            let left = try await lab.apply("h1")
            #expect(left.succeeded && left.output.contains("program guard-beside on eth1"), "\(left.output)\(left.error)")
            #expect(try await lab.attached("h1") == before)
        }
    }
}
