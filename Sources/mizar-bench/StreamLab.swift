import CBPF
import Lab

/// The same shape for every contender: endpoint a, host h1, a bridge as underlay, host h2, endpoint b.
struct StreamLab {
    static let serverAddress = "10.0.1.11"
    private static let hosts = [1, 2]

    let name: String
    let lab: Lab

    var client: String { lab.namespace(endpoint: "t/v/n/a") }
    var server: String { lab.namespace(endpoint: "t/v/n/b") }

    /// Ours, by `lab up`. A third host, which is not on the way, holds the tables.
    func product(_ datapath: String, _ bench: Bench) async throws {
        let folder = "\(bench.folder)/streams-\(datapath)"
        try await bench.run("mkdir", folder)
        var files = TopologyFiles(datapath: datapath)
        files.endpoints = [
            .init(name: "a", address: "10.0.1.10", host: "h1", interface: "v-a"),
            .init(name: "b", address: Self.serverAddress, host: "h2", interface: "v-b"),
        ]
        try files.write(to: folder)
        try await bench.run(bench.tool, "lab", "up", "--name", lab.name, "--repo", folder, "--quiet")
    }

    /// Bridges on the hosts; between them VXLAN, or nothing but the underlay.
    func bridges(isOverlay: Bool) async throws {
        let underlay = lab.underlayNamespace
        try await Command.ip(([underlay, client, server] + Self.hosts.map(host)).map { "netns add \($0)" })
        try await Command.ip(
            ["link add name br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0", "link set br0 up"], in: underlay)
        for number in Self.hosts {
            let (here, there) = (host(number), number == 1 ? client : server)
            try await Command.ip([
                "link add name eth0 mtu 1600 netns \(here) type veth peer name u\(number) mtu 1600 netns \(underlay)",
                "link add name v mtu 1500 netns \(here) type veth peer name eth0 mtu 1500 netns \(there)",
            ])
            try await Command.ip(["link set u\(number) master br0 up"], in: underlay)
            let overlay = [
                "addr add 172.16.0.\(number)/24 dev eth0", "link set eth0 up",
                "link add name vx0 type vxlan id 100 local 172.16.0.\(number) remote 172.16.0.\(3 - number) dstport 4789 dev eth0",
                "link set vx0 mtu 1500", "link set vx0 master br0 up",
            ]
            try await Command.ip(
                ["link set lo up", "link add name br0 mtu 1500 type bridge stp_state 0 forward_delay 0 mcast_snooping 0"]
                    + (isOverlay ? overlay : ["link set eth0 master br0 up"])
                    + ["link set v master br0 up", "link set br0 up"], in: here)
            try await Command.ip(["link set lo up", "addr add 10.0.1.\(9 + number)/24 dev eth0", "link set eth0 up"], in: there)
        }
    }

    /// Has the hosts' uplinks run XDP that lets everything pass.
    func carryXDP(_ bench: Bench) async throws {
        let path = "\(lab.bpffs)/pass"
        try await bench.run("mkdir", "-p", lab.bpffs)
        let programs = try BenchPrograms()
        guard bpf_obj_pin(programs.descriptor(.passXDP), path) == 0 else { throw Bench.Failure("pin \(path)") }
        for number in Self.hosts { try await bench.run("ip", "link", "set", "dev", "eth0", "xdp", "pinned", path, in: host(number)) }
    }

    /// Single packets on the underlay, which the hosts' uplinks receive as cards do: polled, and joined where the kernel can (GRO).
    func segment(_ bench: Bench) async throws {
        let underlay = lab.underlayNamespace
        let ports = try await bench.run("ip", "-br", "link", "show", "type", "veth", in: underlay).split(separator: "\n")
        // A veth polls if the other end hands on single packets.
        for port in ports.compactMap({ $0.split(separator: "@").first }) {
            try await bench.run("ethtool", "-K", String(port), "tso", "off", "gso", "off", in: underlay)
        }
        for number in Self.hosts {
            try await bench.run("ethtool", "-K", "eth0", "tso", "off", "gso", "off", "gro", "on", in: host(number))
        }
    }

    private func host(_ number: Int) -> String { lab.namespace(host: "h\(number)") }
}
