import CBPF
import Glibc
import Planner
import TestSupport
import Testing
import Topology

@testable import Applier

@Suite(.enabled(if: NetworkNamespace.isAvailable))
struct KernelStoreRowTests {
    @Test("a full map says so, by its name and capacity, and how far it came", arguments: [1, 40])
    func full(extra: UInt32) async throws {
        try await NetworkNamespace.run { host in
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            let steps = [Samples.capacity(.endpoints, to: 64)] + Samples.endpoints(0..<64 + extra).map { Samples.row(nil, $0) }
            let outcome = Executor.apply(Samples.plan(steps), to: store)
            let failed = try #require(outcome.failed)
            #expect(failed.error.cause == .full(capacity: 64))
            #expect(failed.error.subject == "map endpoints")
            #expect(outcome.added == 64)
            #expect(failed.step == steps[65])
            #expect(try store.observe().image.endpoints.count == 64)
        }
    }

    @Test("rows that mean nothing to this version are seen, replaced and removed")
    func foreign() async throws {
        try await NetworkNamespace.run { host in
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            let steps = [Samples.capacity(.endpoints, to: 64), Samples.capacity(.config, to: 1)]
            #expect(Executor.apply(Samples.plan(steps), to: store).failed == nil)
            let row = try #require(Samples.endpoints(0..<1).first)
            let bytes = try #require(row.bytes)
            let endpoints = try store.need(.endpoints)
            let nonsense = [UInt8](repeating: 0xee, count: 24)
            try endpoints.put(bytes.key, nonsense)
            // A second other port without a first.
            try store.need(.config).put(
                [0, 0, 0, 0], [UInt8](repeating: 0xee, count: 12) + [0, 0] + [UInt8](repeating: 0xee, count: 14))

            let seen = try store.observe().image
            #expect(Set(seen.foreign.map(\.table)) == [.endpoints, .config])
            #expect(seen.endpoints.isEmpty && seen.config == nil)

            // The planner makes the row of the same key first, and removes the foreign one last.
            let config = Record.config(ConfigRow(address: Samples.h1, uplink: 1, port: 6081, mtu: 1500))
            let repair = [Samples.row(nil, row), Samples.row(nil, config)] + seen.foreign.map { Samples.row($0, nil) }
            let outcome = Executor.apply(Samples.plan(repair), to: store)
            #expect(outcome.failed == nil)
            var image = Image()
            image.put(row)
            image.put(config)
            #expect(try store.observe().image == image)

            try endpoints.put(bytes.key, nonsense)
            let last = try store.observe().image.foreign.map { Samples.row($0, nil) }
            #expect(Executor.apply(Samples.plan(last), to: store).failed == nil)
            #expect(try store.observe().image.endpoints.isEmpty)
            #expect(try store.observe().image.foreign.isEmpty)
        }
    }

    @Test("every write to what programs read counts the generation up, and a new config row does not set it back")
    func generations() async throws {
        try await NetworkNamespace.run { host in
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            func generation() throws -> UInt32 {
                let value = try #require(try store.need(.config).value(of: [0, 0, 0, 0]))
                return value.withUnsafeBytes { $0.loadUnaligned(as: mzr_config.self) }.generation
            }
            try store.succeed(Samples.base())
            var config = ConfigRow(address: Samples.h1, uplink: 1, port: 6081, mtu: 1500)
            try store.succeed([Samples.row(nil, .host(Samples.h2, HostRow(host: 1)))])
            #expect(try generation() == 0, "there is no row yet")
            try store.succeed([Samples.row(nil, .config(config))])
            var last = try generation()
            #expect(last > 0)
            let other = Record.config(config)
            config.mtu = 1400
            let vni = EndpointKey(vni: 1, address: Samples.h1)
            let row = EndpointRow(kind: .remote, host: Samples.h2, network: 1)
            for step in [
                Samples.row(nil, .endpoint(vni, row)), Samples.row(other, .config(config)), Samples.row(.endpoint(vni, row), nil),
                Samples.row(nil, .direct(1, capacity: 1024)), Samples.row(nil, .portMAC(1, MACAddress(bits: 2))),
            ] {
                try store.succeed([step])
                #expect(try generation() > last, "\(step)")
                last = try generation()
            }
            try store.succeed([Samples.row(nil, .name(1, "one"))])
            #expect(try generation() == last)
            #expect(try store.observe().image.config == config)
        }
    }

    @Test("a single row that changed since the plan is not overwritten")
    func changed() async throws {
        try await NetworkNamespace.run { host in
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            let steps = [Samples.capacity(.hosts, to: 64), Samples.row(nil, .host(Samples.h1, HostRow(host: 1)))]
            #expect(Executor.apply(Samples.plan(steps), to: store).failed == nil)
            let stale = Samples.row(.host(Samples.h1, HostRow(host: 2)), .host(Samples.h1, HostRow(host: 3)))
            let failed = try #require(Executor.apply(Samples.plan([stale]), to: store).failed)
            guard case .changed = failed.error.cause else {
                Issue.record("\(failed.error)")
                return
            }
            #expect(try store.observe().image.hosts[Samples.h1] == HostRow(host: 1))
        }
    }

    @Test("a map of another kind is not written to, and another takes its place")
    func otherKind() async throws {
        try await NetworkNamespace.run { host in
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            let map = Descriptor(
                owning: try check(
                    bpf_map_create(BPF_MAP_TYPE_ARRAY, "endpoints", 4, 8, 5, nil), "create", "a map"))
            try check(bpf_obj_pin(map.raw, "\(host.bpffs)/endpoints"), "pin", "a map")
            let seen = try store.observe()
            #expect(seen.relaid == [.endpoints] && seen.unreadable == [.endpoints] && seen.image == Image())
            let rows = Samples.endpoints(0..<3).map { Samples.row(nil, $0) }
            let failed = try #require(Executor.apply(Samples.plan(rows), to: store).failed)
            guard case .unsupportedLayout(let fields) = failed.error.cause else {
                Issue.record("\(failed.error)")
                return
            }
            #expect(fields.count == 4)
            #expect(failed.error.description.contains("keys of 4 bytes instead of 20"))
            let others = Table.allCases.filter { $0 != .endpoints }.map { Samples.capacity($0, to: $0.hasOneRow ? 1 : 64) }
            try store.succeed(others + [Samples.capacity(.endpoints, from: 5, to: 64)] + rows + [Samples.programs])
            let then = try store.observe()
            #expect(then.relaid.isEmpty && then.unreadable.isEmpty && then.image.endpoints.count == 3 && then.programsUsePinnedMaps)
            _ = try Detach.run(directory: host.bpffs)
            #expect(!BPFFilesystem.exists(host.bpffs))
        }
    }

    @Test("reads all rows while others come and go")
    func concurrentChange() async throws {
        try await NetworkNamespace.run { host in
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            let rows = Samples.endpoints(0..<1000)
            let steps = [Samples.capacity(.endpoints, to: 4096)] + rows.map { Samples.row(nil, $0) }
            #expect(Executor.apply(Samples.plan(steps), to: store).failed == nil)
            let others = Samples.endpoints(100_000..<102_000).compactMap(\.bytes)
            let path = try store.path("endpoints")
            let churn = Beside {
                let map = bpf_obj_get(path)
                defer { close(map) }
                for row in others { _ = bpf_map_update_elem(map, row.key, row.value, 0) }
                for row in others { _ = bpf_map_delete_elem(map, row.key) }
            }
            defer { churn.stop() }
            for _ in 0..<10 {
                let seen = try store.observe().image.endpoints
                #expect(seen.count { $0.key.address.bits & 0xffff_ffff < 0x0a00_0000 + 1000 } == 1000)
            }
        }
    }

    @Test("nothing there is nothing, not an error; a folder that is no bpffs is one")
    func directories() async throws {
        try await NetworkNamespace.run { host in
            let seen = try KernelStore(directory: host.bpffs, forWriting: false).observe()
            #expect(seen.capacities.isEmpty && seen.image == Image() && !seen.programsUsePinnedMaps)
            #expect(throws: BPFError.self) { try KernelStore(directory: "/tmp", forWriting: false) }
            #expect(throws: BPFError.self) { try KernelStore(directory: "/run/mizar-none", forWriting: true) }
            #expect(access("/run/mizar-none", F_OK) != 0)
        }
    }
}
