import CBPF
import Glibc
import Lab

/// Frames injected in batches at an interface, and the kernel's own account of the program that gets them there
/// (BPF_ENABLE_STATS): every packet is a fresh one, and really sent where the program says.
final class PacketStream {
    private let programs: BenchPrograms
    private let statistics: Int32

    /// Attaches what dispatches to the programs. The interfaces are PacketCosts'.
    init(_ bench: Bench, _ lab: Lab, _ namespace: String) async throws {
        programs = try BenchPrograms()
        statistics = bpf_enable_stats(BPF_STATS_RUN_TIME)
        guard statistics >= 0 else { throw Bench.Failure("BPF_ENABLE_STATS: \(String(cString: strerror(-statistics)))") }
        try await bench.run("mkdir", "-p", lab.bpffs)
        func pin(_ program: BenchPrograms.Program) throws -> String {
            let path = "\(lab.bpffs)/\(program.rawValue)"
            guard bpf_obj_pin(programs.descriptor(program), path) == 0 else { throw Bench.Failure("pin \(path)") }
            return path
        }
        let (dispatch, sink, empty) = (try pin(.dispatch), try pin(.sinkXDP), try pin(.emptyXDP))
        for interface in ["up0", "p11", "p12"] {
            // A veth has the queues that live frames seem to come from only while it runs XDP; these do not meet it.
            try await bench.run("ip", "link", "set", "dev", interface, "xdp", "pinned", empty, in: namespace)
            try await bench.run("tc", "qdisc", "add", "dev", interface, "clsact", in: namespace)
            try await bench.run("tc", "filter", "add", "dev", interface, "ingress", "bpf", "da", "object-pinned", dispatch, in: namespace)
        }
        // Frames out of XDP arrive only at who runs XDP.
        try await bench.run("ip", "link", "set", "dev", "under", "xdp", "pinned", sink, in: namespace)
    }

    deinit { close(statistics) }

    private static let slices = 20

    /// Of cases that are to be compared, what each costs, and the empty program at its place. `count` packets of each go in
    /// slices, in turns, each a mean beside one of a quarter as many of the empty program; what counts is the lower quartile
    /// of either, since what else runs on the core at the time only adds.
    func costs(_ cases: [PacketCase], isRandom: Bool, count: Int) throws -> [(cost: Double, floor: Double)] {
        var slices = [(times: [Double], floors: [Double])](repeating: ([], []), count: cases.count)
        for _ in 0..<Self.slices {
            for (index, one) in cases.enumerated() {
                try vary(one, isRandom: isRandom)
                slices[index].floors.append(try mean(one.floor, one, count / Self.slices / 4))
                slices[index].times.append(try mean(one.program, one, count / Self.slices))
            }
        }
        return slices.map { slices in
            let floor = Samples(values: slices.floors).percentile(25)
            return (Samples(values: slices.times).percentile(25) - floor, floor)
        }
    }

    /// What the next frames are.
    private func vary(_ one: PacketCase, isRandom: Bool) throws {
        try set("head", Array(one.frame.prefix(64)))
        // struct vary
        let places = isRandom ? one.places.map { UInt32($0) } : []
        let vary: [UInt32] = [
            places.first ?? 0, places.count > 1 ? places[1] : 0, one.addresses.base, isRandom ? UInt32(one.addresses.count) : 0,
            one.addresses.shift,
        ]
        try set("vary", vary)
    }

    private func mean(_ program: Int32, _ one: PacketCase, _ count: Int) throws -> Double {
        // XDP's target runs as part of `inject`, tc's as part of what the interface carries.
        try set(one.isXDP ? "target" : "dispatched", [program])
        if !one.isXDP {
            var slot: UInt32 = 0
            bpf_map_delete_elem(programs.map("target"), &slot)
        }
        let seen = programs.descriptor(one.isXDP ? .inject : .dispatch)
        let inject = programs.descriptor(.inject)
        try TestRun.live(inject, one.frame, ifindex: one.ifindex, count: 256)
        let before = try Self.account(seen)
        try TestRun.live(inject, one.frame, ifindex: one.ifindex, count: count)
        let after = try Self.account(seen)
        let runs = after.runs - before.runs
        guard runs * 10 >= UInt64(count) * 9 else { throw Bench.Failure("\(one.name): of \(count) packets \(runs) met the program") }
        return Double(after.time - before.time) / Double(runs)
    }

    private static func account(_ program: Int32) throws -> (runs: UInt64, time: UInt64) {
        var info = bpf_prog_info()
        var size = UInt32(MemoryLayout<bpf_prog_info>.size)
        guard bpf_obj_get_info_by_fd(program, &info, &size) == 0 else { throw Bench.Failure("read a program's account") }
        return (info.run_cnt, info.run_time_ns)
    }

    private func set<Value: BitwiseCopyable>(_ map: String, _ value: [Value]) throws {
        var key: UInt32 = 0
        let result = value.withUnsafeBytes { bpf_map_update_elem(programs.map(map), &key, $0.baseAddress, 0) }
        guard result == 0 else { throw Bench.Failure("write \(map): \(String(cString: strerror(-result)))") }
    }
}
