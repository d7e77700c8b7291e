import Applier
import Glibc
import Lab

/// What a host's tables and its daemon take, by endpoints of the topology: the host is the bouncer that knows all of them.
enum Memory {
    static func run(_ bench: Bench) async throws -> [Report.Section] {
        let lab = bench.lab(.memory)
        let namespace = lab.namespace(host: "h1")
        try await Command.ip(["netns add \(namespace)"])
        try await Command.ip(
            [
                "link set lo up", "link add name eth0 mtu 1600 type veth peer name far", "addr add 172.16.0.1/24 dev eth0",
                "link set eth0 up",
            ],
            in: namespace)
        var section = Report.Section(
            "memory", "4. Memory",
            note: "of a bouncer that holds all endpoints: its maps, by the kernel's account, and `run` after its first round; measured once"
        )
        for count in [0, 1000, 100_000] + (bench.isQuick ? [] : [1_000_000]) {
            let folder = "\(bench.folder)/memory-\(count)"
            try await bench.run("mkdir", folder)
            var files = TopologyFiles(hosts: 2, roles: "h1")
            files.endpoints = (0..<count).map {
                .init(name: "e\($0)", address: TopologyFiles.address($0), host: "h2", interface: "v\($0)")
            }
            try files.write(to: folder)
            let bpffs = lab.bpffs(host: "h1")
            let column = PacketCosts.grouped(count)
            let daemon = [bench.tool, "run", "--repo", folder, "--host", "h1", "--bpffs", bpffs, "--interval", "24h"]
            try await bench.whileRunning(daemon, in: namespace) { pid in
                for (row, bytes) in try measure(pid, bpffs, namespace) {
                    section.add(row, column, unit: "MB", Samples(values: [Double(bytes) * 1e-6]))
                }
            }
            try await bench.run(bench.tool, "detach", "--host", "h1", "--bpffs", bpffs, "--quiet", in: namespace)
        }
        try await lab.down()
        return [section]
    }

    /// Bytes of the maps and of the daemon, once its first round is over.
    private static func measure(_ pid: pid_t, _ bpffs: String, _ namespace: String) throws -> [(String, Int)] {
        let tables = try Namespace.within(namespace) {
            Result {
                let store = try KernelStore(directory: bpffs, forWriting: false)
                // Written last.
                try Bench.wait("the first round of `run`", seconds: 120) { try store.readApplied() != nil }
                return try store.status().memory
            }
        }
        var found = [("maps", try tables.get())]
        let status = try Bench.text(of: "/proc/\(pid)/status").split(separator: "\n")
        for (row, field) in [("run, resident", "VmRSS:"), ("run, at most", "VmHWM:")] {
            let words = status.first { $0.hasPrefix(field) }?.split(whereSeparator: \.isWhitespace) ?? []
            found.append((row, 1024 * (words.count > 1 ? Int(words[1]) ?? 0 : 0)))
        }
        return found
    }
}
