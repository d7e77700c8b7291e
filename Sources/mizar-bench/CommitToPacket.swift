import Applier
import CBench
import Glibc
import Lab
import Planner

/// From `git commit` to the first ping that a new endpoint answers, with `run` on both hosts. They are told of the commit
/// by SIGHUP: the poll's wait, which is whatever `--interval` says, is no part of it.
enum CommitToPacket {
    private static let base: UInt32 = 0x0a00_0200
    /// Endpoints that come one by one and go together.
    private static let batch = 20

    static func run(_ bench: Bench) async throws -> [Report.Section] {
        let lab = bench.lab(.commit)
        let repository = "\(bench.folder)/commit"
        try await bench.run("git", "init", "-q", "-b", "main", repository)
        // Interfaces are there before their endpoints, as a container's are.
        try await commit(batch, "all", repository, bench)
        try await bench.run(bench.tool, "lab", "up", "--name", lab.name, "--repo", repository, "--quiet")
        func daemon(_ host: String) -> [String] {
            [bench.tool, "run", "--repo", repository, "--host", host, "--bpffs", lab.bpffs(host: host), "--interval", "24h"]
        }
        let section = try await bench.whileRunning(daemon("h1"), in: lab.namespace(host: "h1")) { first in
            try await bench.whileRunning(daemon("h2"), in: lab.namespace(host: "h2")) { second in
                try await measure([first, second], repository, lab, bench)
            }
        }
        try await lab.down()
        return [section]
    }

    private static func measure(_ daemons: [pid_t], _ repository: String, _ lab: Lab, _ bench: Bench) async throws -> Report.Section {
        let ping = try Bench.socket(AF_INET, Int32(SOCK_RAW.rawValue), Int32(IPPROTO_ICMP), in: lab.namespace(endpoint: "t/v/n/a"))
        defer { close(ping) }
        var (whole, told): ([Double], [Double]) = ([], [])
        let wanted = bench.isQuick ? batch : 10 * batch
        while whole.count < wanted {
            try await commit(0, "none", repository, bench)
            for daemon in daemons { kill(daemon, SIGHUP) }
            try await settle(repository, lab, bench)
            for number in 1...batch {
                try write(number, repository)
                try await bench.run("git", "-C", repository, "add", "-A")
                let start = bench_now()
                try await git(["commit", "-qm", "endpoint \(number)"], repository, bench)
                let committed = bench_now()
                for daemon in daemons { kill(daemon, SIGHUP) }
                var when: UInt64 = 0
                let code = bench_first_answer(ping, base + UInt32(number), 500, 20_000, &when)
                guard code == 0 else { throw Bench.Failure("endpoint \(number) did not answer: \(String(cString: strerror(-code)))") }
                whole.append(Double(when - start) * 1e-6)
                told.append(Double(when - committed) * 1e-6)
                try await settle(repository, lab, bench)
            }
        }
        var section = Report.Section(
            "commit", "5. From a commit to the first packet",
            note: "\(wanted) new endpoints on a host that `run` keeps; SIGHUP right after the commit, a ping every 0.5 ms; settle: 0s")
        for (row, values) in [("from git commit's start", whole), ("from its end (above the poll's wait)", told)] {
            let samples = Samples(values: values)
            for (column, percent) in [("p50", 50.0), ("p95", 95), ("max", 100)] {
                section.add(row, column, unit: "ms", Samples(values: [samples.percentile(percent)]))
            }
        }
        section.goal(
            "p95 above the poll's wait", .below, 50, unit: "ms", Samples(values: [Samples(values: told).percentile(95)]))
        return section
    }

    /// Until both hosts have applied the repository's HEAD.
    private static func settle(_ repository: String, _ lab: Lab, _ bench: Bench) async throws {
        let head = try await bench.run("git", "-C", repository, "rev-parse", "HEAD").filter { !$0.isWhitespace }
        for host in ["h1", "h2"] {
            let result = try Namespace.within(lab.namespace(host: host)) {
                Result {
                    let store = try KernelStore(directory: lab.bpffs(host: host), forWriting: false)
                    try Bench.wait("\(host) at \(head)") { try store.readApplied()?.commit == head }
                }
            }
            try result.get()
        }
    }

    private static func commit(_ count: Int, _ message: String, _ repository: String, _ bench: Bench) async throws {
        try write(count, repository)
        try await bench.run("git", "-C", repository, "add", "-A")
        try await git(["commit", "-qm", message], repository, bench)
    }

    /// Endpoint a on h1, which holds the tables, and the first `count` of those on h2.
    private static func write(_ count: Int, _ repository: String) throws {
        var files = TopologyFiles(hosts: 2, roles: "h1")
        files.endpoints = [.init(name: "a", address: "10.0.1.10", host: "h1", interface: "v-a")]
        for number in 0..<count {
            files.endpoints.append(
                .init(name: "n\(number + 1)", address: "10.0.2.\(number + 1)", host: "h2", interface: "v-n\(number + 1)"))
        }
        try files.write(to: repository)
    }

    /// Apart from the user's settings.
    private static func git(_ words: [String], _ repository: String, _ bench: Bench) async throws {
        try await bench.run(
            [
                "env", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "git", "-C", repository, "-c", "user.name=bench",
                "-c", "user.email=bench@example.org",
            ] + words)
    }
}
