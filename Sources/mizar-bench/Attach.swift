import Lab

/// What one endpoint costs of an `apply` that brings many, and what one more costs beside a thousand.
enum Attach {
    private static let counts = [10, 100, 1000]
    /// Already there: fewer rows than an eighth of a table's capacity, and the table would shrink in between.
    private static let base = 300

    static func run(_ bench: Bench) async throws -> [Report.Section] {
        let lab = bench.lab(.attach)
        let namespace = lab.namespace(host: "h1")
        try await Command.ip(["netns add \(namespace)"])
        let most = base + 1000
        try await Command.ip(
            [
                "link set lo up", "link add name eth0 mtu 1600 type veth peer name far", "addr add 172.16.0.1/24 dev eth0",
                "link set eth0 up",
            ]
                + (0...most).flatMap { ["link add name v\($0) type veth peer name w\($0)", "link set v\($0) up"] }, in: namespace)
        for count in [0, base] + counts.map({ base + $0 }) + [most + 1] {
            var files = TopologyFiles(hosts: 2, roles: "h2")
            files.endpoints = (0..<count).map {
                .init(name: "e\($0)", address: TopologyFiles.address($0), host: "h1", interface: "v\($0)")
            }
            try await bench.run("mkdir", "\(bench.folder)/attach-\(count)")
            try files.write(to: "\(bench.folder)/attach-\(count)")
        }
        /// Milliseconds of an `apply` that leads to so many endpoints.
        func apply(_ count: Int) async throws -> Double {
            let words = [
                bench.tool, "apply", "--repo", "\(bench.folder)/attach-\(count)", "--host", "h1", "--bpffs", lab.bpffs(host: "h1"),
                "--quiet",
            ]
            return try await Bench.seconds { try await bench.run(words, in: namespace) } * 1000
        }
        /// Milliseconds that each endpoint of `to` beyond those of `from` costs: the least of some, since all else only adds.
        func cost(from: Int, to: Int, times: Int) async throws -> (each: Double, idle: Double) {
            var (time, again) = (Double.infinity, Double.infinity)
            for _ in 0..<times {
                _ = try await apply(from)
                time = min(time, try await apply(to))
                again = min(again, try await apply(to))
            }
            return ((time - again) / Double(to - from), again)
        }
        let first = try await apply(0)
        // The tables get their size, which loads the programs once more.
        let all = try await apply(most)
        var (each, idle): ([Int: [Double]], [Int: [Double]]) = ([:], [:])
        var more: [Double] = []
        for _ in 0..<bench.rounds {
            for count in counts {
                let (cost, again) = try await cost(from: base, to: base + count, times: count < 1000 ? 20 : 5)
                each[count, default: []].append(cost)
                idle[count, default: []].append(again)
            }
            more.append(try await cost(from: most, to: most + 1, times: 40).each)
        }
        var section = Report.Section(
            "attach", "6. Attaching endpoints",
            note:
                "time of an `apply` that attaches so many beside \(base), less that of the same `apply` again, which finds nothing to do; by endpoint; twenty times a round (1,000: five; one more: forty), and the least counts"
        )
        for count in counts {
            section.add("each", PacketCosts.grouped(count), unit: "ms", Samples(values: each[count] ?? []))
        }
        section.add("one more", "1,000", unit: "ms", Samples(values: more))
        for count in counts {
            section.add("whole apply that changes nothing", PacketCosts.grouped(count), unit: "ms", Samples(values: idle[count] ?? []))
        }
        section.add("whole apply on a bare host, without endpoints", "10", unit: "ms", Samples(values: [first]))
        section.add("whole apply from there: larger tables, \(most) endpoints", "1,000", unit: "ms", Samples(values: [all]))
        for count in counts {
            section.goal("each of \(PacketCosts.grouped(count))", .below, 1, unit: "ms", section["each", PacketCosts.grouped(count)])
        }
        section.goal("one more beside \(PacketCosts.grouped(most))", .below, 1, unit: "ms", section["one more", "1,000"])
        section.goal("each of 1,000 against each of 100", .atMost, 1.1, unit: "×", section["each", "1,000"] / section["each", "100"])
        try await lab.down()
        return [section]
    }
}
