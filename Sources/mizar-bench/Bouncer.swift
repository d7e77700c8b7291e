import CBPF
import CBench
import Glibc
import Lab

/// What one core of a host that only forwards gets through: frames are injected at its uplink as a driver would, and
/// counted where they leave it.
enum Bouncer {
    private static let frame = Frame.geneve(
        from: 0xac10_0001, to: 0xac10_0003, vni: 100, stage: UInt8(MZR_STAGE_BOUNCER.rawValue),
        Frame.plain(from: 0x0a00_010a, to: 0x0a00_010b))
    private static let modes = ["tc", "xdp"]
    private static let uplink: UInt32 = 2

    static func run(_ bench: Bench) async throws -> Report.Section {
        var section = Report.Section(
            "bouncer", "3. A bouncer alone, on one core",
            note:
                "64-byte frames in Geneve by live-frame BPF_PROG_TEST_RUN, through the product's own attachments, to a far end that counts and drops"
        )
        let lab = bench.lab(.bouncer)
        var programs: [String: BenchPrograms] = [:]
        for mode in modes { programs[mode] = try await prepare(mode, bench, lab) }
        let count = bench.isQuick ? 100_000 : 400_000
        var rates: [String: [Double]] = [:]
        for _ in 0..<bench.rounds {
            for mode in modes {
                guard let programs = programs[mode] else { continue }
                let rate = try Namespace.within(lab.namespace(host: mode)) { Result { try measure(programs, count) } }
                rates[mode, default: []].append(try rate.get())
            }
        }
        for mode in modes { section.add("forwarded", mode, unit: "k/s", Samples(values: rates[mode] ?? []) * 0.001) }
        section.goal("XDP against tc", .atLeast, 2, unit: "×", section["forwarded", "xdp"] / section["forwarded", "tc"])
        try await lab.down()
        return section
    }

    /// A host h3 that the product has reconciled, on a link whose other end is the far end.
    private static func prepare(_ mode: String, _ bench: Bench, _ lab: Lab) async throws -> BenchPrograms {
        let namespace = lab.namespace(host: mode)
        let folder = "\(bench.folder)/bouncer-\(mode)"
        try await Command.ip(["netns add \(namespace)"])
        try await Command.ip(
            [
                "link set lo up", "link add name eth0 index \(uplink) mtu 1600 type veth peer name far index 3 mtu 1600",
                "addr add 172.16.0.3/24 dev eth0", "link set eth0 up", "link set far up",
                "neigh add 172.16.0.2 lladdr 02:00:00:00:00:02 dev eth0 nud permanent",
            ], in: namespace)
        try await bench.run("mkdir", folder)
        var files = TopologyFiles(datapath: mode)
        files.endpoints = [
            .init(name: "a", address: "10.0.1.10", host: "h1", interface: "v-a"),
            .init(name: "b", address: "10.0.1.11", host: "h2", interface: "v-b"),
        ]
        try files.write(to: folder)
        let bpffs = lab.bpffs(host: mode)
        try await bench.run(bench.tool, "apply", "--repo", folder, "--host", "h3", "--bpffs", bpffs, "--quiet", in: namespace)

        let programs = try BenchPrograms()
        let far = "\(bpffs)-far"
        guard bpf_obj_pin(programs.descriptor(mode == "xdp" ? .sinkXDP : .sinkTC), far) == 0 else { throw Bench.Failure("pin \(far)") }
        if mode == "xdp" {
            try await bench.run("ip", "link", "set", "dev", "far", "xdp", "pinned", far, in: namespace)
            var (slot, program) = (UInt32(0), bpf_obj_get("\(bpffs)/xdp"))
            guard program >= 0 else { throw Bench.Failure("open \(bpffs)/xdp") }
            defer { close(program) }
            let result = bpf_map_update_elem(programs.map("target"), &slot, &program, 0)
            guard result == 0 else { throw Bench.Failure("aim at the bouncer: \(String(cString: strerror(-result)))") }
        } else {
            try await bench.run("tc", "qdisc", "add", "dev", "far", "clsact", in: namespace)
            try await bench.run("tc", "filter", "add", "dev", "far", "ingress", "bpf", "da", "object-pinned", far, in: namespace)
            // A veth has the queues that live frames seem to come from only while it runs XDP; these frames do not meet it.
            let any = "\(bpffs)-any"
            guard bpf_obj_pin(programs.descriptor(.emptyXDP), any) == 0 else { throw Bench.Failure("pin \(any)") }
            try await bench.run("ip", "link", "set", "dev", "eth0", "xdp", "pinned", any, in: namespace)
        }
        var (key, head) = (UInt32(0), Array(frame.prefix(64)))
        bpf_map_update_elem(programs.map("head"), &key, &head, 0)
        return programs
    }

    /// Frames a second that reached the far end.
    private static func measure(_ programs: BenchPrograms, _ count: Int) throws -> Double {
        bench_pin(1)
        defer { bench_pin(-1) }
        let before = arrived(programs)
        let start = bench_now()
        try TestRun.live(programs.descriptor(.inject), frame, ifindex: uplink, count: count)
        let time = bench_now() - start
        // What is still queued is soon there.
        var got = arrived(programs) - before
        for _ in 0..<100 where got < UInt64(count) {
            usleep(1000)
            got = arrived(programs) - before
        }
        guard Double(got) > 0.9 * Double(count) else { throw Bench.Failure("of \(count) frames \(got) were forwarded") }
        return Double(got) / (Double(time) * 1e-9)
    }

    private static func arrived(_ programs: BenchPrograms) -> UInt64 {
        var key: UInt32 = 0
        var values = [UInt64](repeating: 0, count: Int(libbpf_num_possible_cpus()))
        bpf_map_lookup_elem(programs.map("arrived"), &key, &values)
        return values.reduce(0, +)
    }
}
