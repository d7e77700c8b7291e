import CBench
import Glibc
import Lab

/// Two endpoints on two hosts: ours by tc and by XDP, the kernel's VXLAN and bridge, and bridges without an overlay, also with
/// XDP that does nothing.
enum Streams {
    private enum Figure: String, CaseIterable {
        case one = "TCP, 1 stream", four = "TCP, 4 streams", oneCPU = "CPU, 1 stream", fourCPU = "CPU, 4 streams"
        case datagrams = "UDP, 64-byte frames", half = "TCP request and response, p50"
        case most = "TCP request and response, p99"

        var unit: String {
            switch self {
            case .one, .four: "Gbit/s"
            case .oneCPU, .fourCPU: "s/GB"
            case .datagrams: "k/s"
            case .half, .most: "µs"
            }
        }

        /// A round's value. Of a rate in slices the upper quartile: what else runs at the time only takes away.
        func value(of slices: Samples) -> Double {
            switch self {
            case .one, .four: slices.percentile(75)
            default: slices.median
            }
        }
    }

    private static let plain = "plain bridges"
    private static let plainXDP = "plain, with XDP"
    private static let vxlan = "VXLAN"
    private static let server: UInt32 = 0x0a00_010b

    static func run(_ bench: Bench) async throws -> [Report.Section] {
        let contenders = [
            StreamLab(name: "ours, tc", lab: bench.lab(.tc)), StreamLab(name: "ours, XDP", lab: bench.lab(.xdp)),
            StreamLab(name: vxlan, lab: bench.lab(.vxlan)), StreamLab(name: plain, lab: bench.lab(.plain)),
            StreamLab(name: plainXDP, lab: bench.lab(.plainXDP)),
        ]
        try await contenders[0].product("tc", bench)
        try await contenders[1].product("xdp", bench)
        try await contenders[2].bridges(isOverlay: true)
        try await contenders[3].bridges(isOverlay: false)
        try await contenders[4].bridges(isOverlay: false)
        try await contenders[4].carryXDP(bench)
        for contender in contenders { try await IPerf.serve(in: contender.server, bench) }
        var sections: [Report.Section] = []
        for isOn in [true, false] {
            if !isOn { for contender in contenders { try await contender.segment(bench) } }
            var values: [String: [Figure: [Double]]] = [:]
            for _ in 0..<bench.rounds {
                let round = try await measure(contenders, turns: isOn && !bench.isQuick ? 3 : 1, bench)
                for (name, figures) in round {
                    for (figure, value) in figures { values[name, default: [:]][figure, default: []].append(value) }
                }
            }
            var section = Report.Section(
                isOn ? "streams" : "streams-no-offload",
                "1\(isOn ? "a" : "b"). Two endpoints on two hosts, segmentation offload of the uplinks \(isOn ? "on" : "off, GRO on")",
                note: "four veth pairs each, 1500 bytes inside, 1600 on the underlay; CPU: of both ends and the kernel's softirq threads")
            for figure in Figure.allCases {
                for contender in contenders {
                    section.add(
                        figure.rawValue, contender.name, unit: figure.unit, Samples(values: values[contender.name]?[figure] ?? []))
                }
            }
            if isOn { goals(&section) }
            sections.append(section)
        }
        for contender in contenders { try await contender.lab.down() }
        return sections
    }

    private static func goals(_ section: inout Report.Section) {
        for ours in ["ours, tc", "ours, XDP"] {
            func against(_ other: String, _ figure: Figure) -> Samples {
                section[figure.rawValue, ours] / section[figure.rawValue, other]
            }
            for figure in [Figure.one, .four] {
                section.goal("\(ours): \(figure.rawValue), against VXLAN", .atLeast, 1.1, unit: "×", against(vxlan, figure))
                section.goal("\(ours): \(figure.rawValue), against plain bridges", .atLeast, 0.95, unit: "×", against(plain, figure))
            }
            section.goal("\(ours): \(Figure.datagrams.rawValue), against VXLAN", .atLeast, 1.3, unit: "×", against(vxlan, .datagrams))
            for figure in [Figure.half, .most] {
                section.goal("\(ours): \(figure.rawValue), against VXLAN", .atMost, 0.9, unit: "×", against(vxlan, figure))
            }
        }
    }

    /// One round: of each contender all slices of its turns, in one value.
    private static func measure(_ contenders: [StreamLab], turns: Int, _ bench: Bench) async throws -> [String: [Figure: Double]] {
        var found: [String: [Figure: [Double]]] = [:]
        for _ in 0..<turns {
            for contender in contenders {
                for (figure, slices) in try await measure(contender, bench) {
                    found[contender.name, default: [:]][figure, default: []] += slices
                }
            }
        }
        return found.mapValues { figures in
            Dictionary(uniqueKeysWithValues: figures.map { ($0, $0.value(of: Samples(values: $1))) })
        }
    }

    private static func measure(_ contender: StreamLab, _ bench: Bench) async throws -> [Figure: [Double]] {
        // Also proves the direct path anew.
        let ping = try Bench.socket(AF_INET, Int32(SOCK_RAW.rawValue), Int32(IPPROTO_ICMP), in: contender.client)
        defer { close(ping) }
        var when: UInt64 = 0
        guard bench_first_answer(ping, server, 10_000, 5000, &when) == 0 else {
            throw Bench.Failure("\(contender.name): the endpoints do not reach each other")
        }
        let one = try await IPerf.run(streams: 1, in: contender.client, to: StreamLab.serverAddress, bench)
        let four = try await IPerf.run(streams: 4, in: contender.client, to: StreamLab.serverAddress, bench)
        let turns = try roundTrips(contender, milliseconds: bench.isQuick ? 200 : 300)
        return [
            .one: one.rates, .oneCPU: [one.cost], .four: four.rates, .fourCPU: [four.cost],
            .datagrams: [try datagrams(contender, milliseconds: bench.isQuick ? 200 : 300)],
            .half: [turns.percentile(50)], .most: [turns.percentile(99)],
        ]
    }

    /// Thousands that arrived a second.
    private static func datagrams(_ contender: StreamLab, milliseconds: UInt32) throws -> Double {
        let sender = try Bench.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), in: contender.client)
        let receiver = try Bench.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), in: contender.server)
        defer {
            close(sender)
            close(receiver)
        }
        bench_pin(0)
        defer { bench_pin(-1) }
        var result = bench_udp_result()
        // Of 64 bytes on the endpoint's link: Ethernet 14, IP 20, UDP 8.
        let code = bench_udp(sender, receiver, server, 7000, 22, milliseconds, &result)
        guard code == 0 else { throw Bench.Failure("\(contender.name), UDP: \(String(cString: strerror(-code)))") }
        return Double(result.received) / Double(result.nanoseconds) * 1e6
    }

    /// Microseconds of each turn.
    private static func roundTrips(_ contender: StreamLab, milliseconds: UInt32) throws -> Samples {
        let client = try Bench.socket(AF_INET, Int32(SOCK_STREAM.rawValue), in: contender.client)
        let listener = try Bench.socket(AF_INET, Int32(SOCK_STREAM.rawValue), in: contender.server)
        defer {
            close(client)
            close(listener)
        }
        bench_pin(0)
        defer { bench_pin(-1) }
        var turns = [UInt32](repeating: 0, count: 100_000)
        let count = bench_round_trips(client, listener, server, 7001, milliseconds, &turns, turns.count)
        guard count > 0 else { throw Bench.Failure("\(contender.name), request and response: \(String(cString: strerror(Int32(-count))))") }
        return Samples(values: turns.prefix(count).map { Double($0) / 1000 })
    }
}
