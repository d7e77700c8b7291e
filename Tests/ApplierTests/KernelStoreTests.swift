import CBPF
import Planner
// Testing has an Attachment too.
import struct Planner.Attachment
import TestSupport
import Testing
import Topology

@testable import Applier

@Suite(.enabled(if: NetworkNamespace.isAvailable))
struct KernelStoreTests {
    @Test("what a plan writes is what is observed, and detach leaves nothing")
    func wholeWay() async throws {
        try await NetworkNamespace.run { host in
            let attachments = try host.makePorts()
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            #expect(try store.observe().capacities.isEmpty)
            let steps = Samples.base() + Samples.uniqueRecords.map { Samples.row(nil, $0) } + attachments.map { Samples.attach($0) }
            let outcome = Executor.apply(Samples.plan(steps), to: store)
            #expect(outcome.failed == nil, "\(String(describing: outcome.failed))")
            #expect(outcome.added == steps.count { !$0.isBookkeeping })

            let seen = try KernelStore(directory: host.bpffs, forWriting: false).observe()
            var image = Image()
            for record in Samples.uniqueRecords { image.put(record) }
            let indices = Set(seen.interfaces.map(\.ifindex))
            for ifindex in image.ports.keys { image.ports[ifindex]?.hasDevice = indices.contains(ifindex) }
            #expect(seen.image == image)
            #expect(seen.programsUsePinnedMaps)
            #expect(seen.attachments == Set(attachments))
            #expect(seen.capacities == Dictionary(uniqueKeysWithValues: Table.allCases.map { ($0, $0.hasOneRow ? 1 : 64) }))
            let port = try #require(seen.interface("port0"))
            #expect(port.driver == "veth" && port.mtu == 1500 && !port.foreignXDP)
            #expect(try #require(seen.interface("up0")).addresses.contains(Samples.h1))

            #expect(throws: Detach.Others.self) { try Detach.run(directory: host.bpffs, names: ["another"]) }
            let removed = try Detach.run(directory: host.bpffs)
            #expect(removed.count { $0.hasPrefix("program ") } == attachments.count)
            let after = try store.observe()
            #expect(after.attachments.isEmpty && after.capacities.isEmpty)
            #expect(try !host.command("tc", "qdisc", "show").contains("clsact"))
            #expect(try Detach.run(directory: host.bpffs).isEmpty)
        }
    }

    @Test("an idle host's maps take less than 16 MiB, a remote endpoint less than 256 bytes")
    func memory() async throws {
        try await NetworkNamespace.run { host in
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            try store.succeed(Samples.base())
            let idle = try store.status()
            #expect(idle.memory > 0 && idle.memory < 16 << 20)
            #expect(idle.tables.count == Table.allCases.count + 22)
            #expect(idle.tables.first { $0.name == "errors" }?.rows == 0, "nobody was told anything yet")

            let rows = Samples.endpoints(0..<10_000)
            try store.succeed([Samples.capacity(.endpoints, from: 64, to: 16384), Samples.programs])
            try store.succeed(rows.map { Samples.row(nil, $0) })
            let fill = try #require(try store.status().tables.first { $0.name == "endpoints" })
            #expect(fill.rows == 10_000 && fill.capacity == 16384)
            #expect(fill.memory > 0 && fill.memory / fill.rows < 256)
        }
    }

    @Test("status sums counters over the CPUs and names the reasons of drops")
    func counters() async throws {
        try await NetworkNamespace.run { host in
            let places = try host.makePorts()
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            try store.succeed(Samples.base() + [Samples.row(nil, Samples.port(places[0].ifindex))])
            let drops = Descriptor(owning: try check(bpf_obj_get(store.path("drops")), "open", "the drops"))
            let cpus = Int(libbpf_num_possible_cpus())
            let values = [mzr_drop](repeating: mzr_drop(packets: 2, bytes: 100), count: cpus)
            var reason = MZR_DROP_SPOOFED_IP.rawValue
            try check(bpf_map_update_elem(drops.raw, &reason, values, 0), "write", "the drops")
            let status = try store.status()
            #expect(status.drops.map(\.word) == ["spoofed-ip"])
            #expect(status.drops.first?.packets == UInt64(2 * cpus) && status.drops.first?.bytes == UInt64(100 * cpus))
            #expect(status.traffic.map(\.interface) == ["port0"])
            #expect(status.traffic.first?.sentPackets == 0)
        }
    }
}

extension Samples {
    /// `records` with one row a key.
    static let uniqueRecords: [Record] = {
        var seen = Set<String>()
        return records.reversed().filter {
            switch $0 {
            case .config, .datapath, .applied: seen.insert($0.table.rawValue).inserted
            default: true
            }
        }
    }()
}

extension NetworkNamespace {
    /// Two ports and an uplink, veths; and every place where our programs go.
    func makePorts() throws -> [Attachment] {
        for name in ["port0", "port1", "up0"] {
            try command("ip", "link", "add", name, "type", "veth", "peer", "name", "\(name)p")
            try command("ip", "link", "set", name, "up")
            try command("ip", "link", "set", "\(name)p", "up")
        }
        try command("ip", "address", "add", "172.16.0.1/24", "dev", "up0")
        let interfaces = try KernelStore(directory: bpffs, forWriting: false).observe().interfaces
        return try [
            ("port0", Attachment.Point.port), ("port1", .port), ("up0", .uplink), ("up0", .guardEgress), ("up0", .xdp), ("lo", .loopback),
        ].map { name, point in
            let interface = try #require(interfaces.first { $0.name == name })
            return Attachment(ifindex: interface.ifindex, interface: name, point: point)
        }
    }
}
