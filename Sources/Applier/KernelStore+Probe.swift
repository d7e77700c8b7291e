import CBPF
import Glibc
public import Planner
import Topology

// One packet through the programs that interfaces carry, by BPF_PROG_TEST_RUN. What a program redirects goes nowhere, but
// it counts the packet, and may ask other hosts about its destination as it would for any packet.
extension KernelStore {
    /// What was learned, and which hosts do not answer: what the programs know beside the plan's rows.
    public func forwarder(_ image: Image) throws(BPFError) -> Forwarder {
        var forwarder = Forwarder(image)
        if let map = try open(.direct) {
            for (vni, table) in try directTables(map) { forwarder.learned[vni] = try Self.learned(table) }
        }
        let patience = image.config?.healthCount ?? 0
        if let map = try open(.hosts) {
            try map.forEach { key, value in
                guard patience > 0, value.loadUnaligned(as: mzr_host.self).missed >= patience else { return }
                forwarder.silent.insert(IPAddress(v4: UInt32(bigEndian: key.loadUnaligned(as: UInt32.self))))
            }
        }
        if let map = try open(.endpoints), !map.isRelaid {
            try map.forEach { key, value in
                let row = value.loadUnaligned(as: mzr_endpoint.self)
                guard row.proven != 0 || row.asked != 0, case .endpoint(let key, let found)? = Record(.endpoints, key: key, value: value),
                    found.kind == .remote
                else { return }
                forwarder.proofs[key] = Forwarder.Proof(asked: row.asked, proven: row.proven)
            }
        }
        if let map = try open("told") {
            try map.forEach { key, value in
                let key = key.loadUnaligned(as: mzr_told_key.self)
                let host = IPAddress(v4: UInt32(bigEndian: key.host))
                forwarder.told[Forwarder.Told(host: host, vni: key.vni)] = value.loadUnaligned(as: UInt64.self)
            }
        }
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        forwarder.tick = UInt32(truncatingIfNeeded: (time.tv_sec * 1_000_000_000 + time.tv_nsec) >> Int(MZR_TICK_SHIFT))
        return forwarder
    }

    private static func learned(_ table: OpenMap) throws(BPFError) -> [IPAddress: LearnedRow] {
        var rows: [IPAddress: LearnedRow] = [:]
        try table.map.forEach { key, value in
            let row = value.loadUnaligned(as: mzr_direct.self)
            rows[IPAddress(bytes: key)] = LearnedRow(
                host: row.host == 0 ? nil : IPAddress(v4: UInt32(bigEndian: row.host)), packets: row.packets, network: row.network,
                proven: row.proven, asked: row.asked, nobody: Self.reason(row.nobody))
        }
        return rows
    }

    private static func reason(_ number: UInt32) -> DropReason? {
        mzr_drop_word(number).flatMap { DropReason(rawValue: String(cString: $0)) }
    }

    /// Runs the packet through the program at its place, and reads what it did.
    ///
    /// - Throws: where no program of ours is there.
    public func run(_ probe: TraceProbe, _ image: Image) throws(BPFError) -> TraceProbe.Answer {
        guard let config = image.config else {
            throw BPFError("run", "the programs", .unavailable("nothing is applied here"))
        }
        // Before, packets come in between, and what the programs know of them and of this one is one row.
        guard HostCheck.kernelVersion() >= (6, 3) else {
            throw BPFError(
                "run", "the programs", .unavailable("that takes Linux 6.3 or later: before, it would mix with packets that come meanwhile"))
        }
        let places = try attachedPlaces()
        let frame: [UInt8]
        var candidates: [AttachedPlace]
        switch probe.place {
        case .port(let interface):
            candidates = places.filter { $0.point == .port && $0.interface == interface }
            // What is learned must stay what it is.
            let mac = candidates.first.flatMap { image.portMACs[$0.ifindex] } ?? .assumed(for: [probe.packet.source])
            frame = ProbeFrame.inner(probe.packet, from: mac)
        case .uplink(let from, let stage):
            candidates = places.filter { $0.ifindex == config.uplink && [.xdp, .uplink].contains($0.point) }
                // As on the wire: XDP comes first.
                .sorted { ($0.point == .xdp ? 0 : 1) < ($1.point == .xdp ? 0 : 1) }
            let inner = ProbeFrame.inner(probe.packet, from: .assumed(for: [probe.packet.source]))
            frame = ProbeFrame.outer(
                inner, vni: probe.vni, stage: stage, tag: probe.tag, flow: probe.packet.flow, from: from, to: config.address,
                port: config.port)
        }
        guard !candidates.isEmpty else {
            throw BPFError("run", "the program of \(probe.description)", .unavailable("no program of ours is attached there"))
        }
        for place in candidates {
            let answer = try run(frame, at: place, probe, image)
            if answer.verdict != .pass { return answer }
        }
        return TraceProbe.Answer(.pass)
    }

    private func run(
        _ frame: [UInt8], at place: AttachedPlace, _ probe: TraceProbe, _ image: Image
    ) throws(BPFError) -> TraceProbe.Answer {
        // Other packets are counted, too: only a difference of one packet of this size is this one's.
        for _ in 0..<16 {
            let before = try counters()
            let outcome = try testRun(frame, at: place)
            let after = try counters()
            let reader = ProbeReader(
                outcome: outcome, frame: frame, packet: probe.packet, mark: try mark(), image: image,
                drops: after.drops(since: before, bytes: frame.count), received: after.received(since: before))
            if let verdict = reader.verdict { return TraceProbe.Answer(verdict, spendsHop: reader.spendsHop(verdict)) }
        }
        throw BPFError(
            "read", "what became of the packet at \(place.interface)",
            .unavailable("too many other packets are counted at the same time: try again"))
    }

    private func mark() throws(BPFError) -> UInt32 {
        guard let map = try open("mark"), let value = try map.value(of: [0, 0, 0, 0]) else { return 0 }
        return value.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
    }

    private func counters() throws(BPFError) -> ProbeCounters {
        ProbeCounters(drops: try drops(), traffic: try traffic([:]))
    }

    /// BPF_PROG_TEST_RUN, once.
    private func testRun(_ frame: [UInt8], at place: AttachedPlace) throws(BPFError) -> ProbeOutcome {
        // One that is bound to its interface cannot be run so. The pinned one is the same but for tags.
        let program =
            try ProgramName.find(place.program) == .xdpBound
            ? needProgram(.xdp)
            : Descriptor(owning: check(bpf_prog_get_fd_by_id(place.program), "open", "program \(place.program)"))
        var output = [UInt8](repeating: 0, count: frame.count + 2048)
        var options = bpf_test_run_opts()
        options.sz = optionsSize(\bpf_test_run_opts.batch_size)
        options.data_size_in = UInt32(frame.count)
        options.data_size_out = UInt32(output.count)
        options.repeat = 1
        var (xdp, skb, after) = (xdp_md(), __sk_buff(), __sk_buff())
        xdp.data_end = UInt32(frame.count)
        xdp.ingress_ifindex = place.ifindex
        skb.ifindex = place.ifindex
        skb.ingress_ifindex = place.ifindex
        let descriptor = program.raw
        let result = frame.withUnsafeBytes { input in
            output.withUnsafeMutableBytes { output in
                withUnsafePointer(to: &xdp) { xdp in
                    withUnsafePointer(to: &skb) { skb in
                        withUnsafeMutablePointer(to: &after) { after in
                            options.data_in = input.baseAddress
                            options.data_out = output.baseAddress
                            if place.point == .xdp {
                                options.ctx_in = UnsafeRawPointer(xdp)
                                options.ctx_size_in = UInt32(MemoryLayout<xdp_md>.size)
                            } else {
                                options.ctx_in = UnsafeRawPointer(skb)
                                options.ctx_size_in = UInt32(MemoryLayout<__sk_buff>.size)
                                options.ctx_out = UnsafeMutableRawPointer(after)
                                options.ctx_size_out = UInt32(MemoryLayout<__sk_buff>.size)
                            }
                            return bpf_prog_test_run_opts(descriptor, &options)
                        }
                    }
                }
            }
        }
        try check(result, "run", "the program at \(place.interface)")
        _ = consume program
        return ProbeOutcome(
            isXDP: place.point == .xdp, verdict: options.retval, packet: Array(output.prefix(Int(options.data_size_out))),
            mark: after.mark)
    }
}

extension TraceProbe {
    fileprivate var description: String {
        switch place {
        case .port(let interface): "interface \(interface)"
        case .uplink: "the uplink"
        }
    }
}
