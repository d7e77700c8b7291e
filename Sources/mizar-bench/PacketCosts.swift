import Applier
import CBPF
import CBench
import Glibc
import Lab
import Planner

/// What a program costs a packet, above an empty program at the same place. Two ways, since they answer two questions:
/// what it costs in a stream of packets, and what the first of them costs.
enum PacketCosts {
    private static let sizes = [1, 1000, 1_000_000]

    /// Of one size.
    private struct Context {
        let size: Int
        let programs: LoosePrograms
        let compared: BenchPrograms
        let cases: [PacketCase]
    }

    /// Costs by case and column, a value a round.
    private struct Costs {
        var values: [String: [String: [Double]]] = [:]
        var floors: [Double] = []

        mutating func add(_ name: String, _ column: String, _ cost: (cost: Double, floor: Double)) {
            values[name, default: [:]][column, default: []].append(cost.cost)
            floors.append(cost.floor)
        }
    }

    static func run(_ bench: Bench) async throws -> [Report.Section] {
        let lab = bench.lab(.packets)
        let namespace = lab.namespace(host: "h1")
        try await Command.ip(["netns add \(namespace)"])
        let ports = 11...13
        try await Command.ip(
            [
                "link set lo up", "link add name up0 index \(PacketTables.uplink) type veth peer name under index 3",
                "addr add 172.16.0.1/24 dev up0", "link set up0 up", "link set under up",
                "neigh add 172.16.0.2 lladdr 02:00:00:00:00:02 dev up0 nud permanent",
                "neigh add 172.16.0.3 lladdr 02:00:00:00:00:03 dev up0 nud permanent",
            ] + ports.map { "link add name p\($0) index \($0) type veth peer name q\($0) index 1\($0)" }
                + ports.flatMap { ["link set p\($0) up", "link set q\($0) up"] }, in: namespace)
        try await bench.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/lo/forwarding", in: namespace)
        let stream = try await PacketStream(bench, lab, namespace)
        let result = try Namespace.within(namespace) { Result { try measure(bench, stream) } }
        try await lab.down()
        return try result.get()
    }

    private static func measure(_ bench: Bench, _ stream: PacketStream) throws -> [Report.Section] {
        bench_pin(1)
        defer { bench_pin(-1) }
        let contexts = try sizes.map { size in
            let programs = try PacketTables.load(size)
            let compared = try BenchPrograms(endpoints: programs.descriptor(of: .endpoints))
            return Context(size: size, programs: programs, compared: compared, cases: try PacketCase.all(size, programs, compared))
        }
        defer { withExtendedLifetime(contexts) {} }
        // The first packet to a host makes the tc program ask whether it is alive, and XDP leave that to it.
        for one in contexts.flatMap(\.cases) where !one.isXDP {
            for isRandom in [false, true] { try single(one, isRandom: isRandom, count: 64) }
        }
        var (streams, singles) = (Costs(), Costs())
        for _ in 0..<bench.rounds {
            for number in 0..<(contexts.first?.cases.count ?? 0) {
                for isRandom in [false, true] {
                    let sizes = contexts.filter { !isRandom || $0.cases[number].addresses.count > 1 }
                    let cases = sizes.map { $0.cases[number] }
                    let costs = try stream.costs(cases, isRandom: isRandom, count: bench.isQuick ? 5000 : 20_000)
                    for (index, one) in cases.enumerated() {
                        let column = grouped(sizes[index].size) + (isRandom ? " random" : "")
                        streams.add(one.name, column, costs[index])
                        singles.add(one.name, column, try single(one, isRandom: isRandom, count: bench.isQuick ? 300 : 1000))
                    }
                }
            }
        }
        var warm = Report.Section(
            "packets", "2a. Nanoseconds a packet in a stream, above an empty program's",
            note:
                "64-byte frames, injected 64 at a time; the kernel's own run times; columns: endpoints in the table, one destination or random ones"
        )
        fill(&warm, streams, contexts)
        goals(&warm)
        var cold = Report.Section(
            "packets-single", "2b. The same for single packets, a system call between one and the next",
            note: "BPF_PROG_TEST_RUN, once a call: caches and branch predictors as a lonely packet finds them; no goals")
        fill(&cold, singles, contexts)
        return [warm, cold]
    }

    private static func fill(_ section: inout Report.Section, _ costs: Costs, _ contexts: [Context]) {
        let columns = contexts.flatMap { $0.size == 1 ? [grouped(1)] : [grouped($0.size), grouped($0.size) + " random"] }
        for name in contexts.first?.cases.map(\.name) ?? [] {
            for column in columns {
                if let values = costs.values[name]?[column] { section.add(name, column, unit: "ns", Samples(values: values)) }
            }
        }
        section.add("an empty program, itself", grouped(1), unit: "ns", Samples(values: [Samples(values: costs.floors).median]))
    }

    private static func goals(_ section: inout Report.Section) {
        let (middle, most) = (grouped(1000), grouped(1_000_000))
        let forwarding: [(String, Double)] = [
            ("encapsulate, endpoint row", 150), ("encapsulate, direct entry", 150), ("bounce, XDP", 100), ("bounce, tc", 100),
            ("divide, XDP", 120), ("divide, tc", 120), ("deliver", 120),
        ]
        let drops = ["drop, unknown VNI, XDP", "drop, unknown VNI, tc", "drop, spoofed address"].map { ($0, 30.0) }
        for (name, limit) in forwarding + drops { section.goal(name, .atMost, limit, unit: "ns", section[name, middle]) }
        for (name, _) in forwarding {
            section.goal("\(name): 1,000,000 against 1,000", .atMost, 1.1, unit: "×", section[name, most] / section[name, middle])
        }
        let lookups = section["two bare lookups", most + " random"]
        for (name, _) in forwarding {
            section.goal(
                "\(name), random of 1,000,000: against two bare lookups", .atMost, 1.5, unit: "×",
                section[name, most + " random"] / lookups)
        }
    }

    /// Medians of single runs, each with an empty one before it.
    @discardableResult
    private static func single(_ one: PacketCase, isRandom: Bool, count: Int) throws -> (cost: Double, floor: Double) {
        var frame = one.frame
        var (costs, floors): ([Double], [Double]) = ([], [])
        var wrong = 0
        for _ in 0..<count {
            for place in isRandom ? one.places : [] {
                frame.replaceSubrange(place..<place + 4, with: Frame.be32(one.addresses.random()))
            }
            floors.append(Double(try TestRun.once(one.floor, frame, ifindex: one.ifindex, isXDP: one.isXDP).duration))
            let run = try TestRun.once(one.program, frame, ifindex: one.ifindex, isXDP: one.isXDP)
            costs.append(Double(run.duration))
            if run.verdict != one.verdict { wrong += 1 }
        }
        // XDP leaves one transit packet in 1,024 to the stack.
        guard wrong * 50 < count else { throw Bench.Failure("\(one.name): \(wrong) of \(count) packets got another verdict") }
        let floor = Samples(values: floors).median
        return (Samples(values: costs).median - floor, floor)
    }

    /// 1000000 as 1,000,000.
    static func grouped(_ number: Int) -> String {
        var text = ""
        for (index, digit) in String(number).reversed().enumerated() {
            if index > 0, index % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return String(text.reversed())
    }
}
