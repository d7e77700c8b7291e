import Applier
import CBPF
import Glibc
import Planner
import Topology

/// A host's tables with so many endpoints in them: half behind a port of this host, half on another.
enum PacketTables {
    static let own: UInt32 = 0xac10_0001
    static let other: UInt32 = 0xac10_0002
    static let sender: UInt32 = 0x0aff_0001
    static let uplink: UInt32 = 2
    enum VNI { static let remote: UInt32 = 100, local: UInt32 = 200, divided: UInt32 = 300, direct: UInt32 = 400 }
    /// The product gives a VPC a table of 65,536 entries at most.
    static let directEntries = 40_000
    private static let directCapacity: UInt32 = 65_536

    static func load(_ size: Int) throws -> LoosePrograms {
        let (half, blocks) = (max(1, size / 2), max(1, size / 100))
        let programs = try LoosePrograms(capacities: [
            .endpoints: Capacity.ideal(rows: size + 8), .networks: Capacity.ideal(rows: blocks),
        ])
        let ip = { (number: UInt32) in IPAddress(v4: number) }
        let cidr = { (number: UInt32) in CIDR(containing: IPAddress(v4: number), length: 24) }
        var config = ConfigRow(address: ip(own), uplink: uplink, port: 6081, mtu: 1600)
        // Nobody is there to prove entries once more, and no guard to send an echo.
        config.directAge = .max
        config.healthCount = 0
        var records: [Record] = [.config(config)]
        for host in own...own + 2 { records.append(.host(ip(host), HostRow(host: UInt64(host)))) }
        for vni in [VNI.remote, VNI.local, VNI.divided, VNI.direct] {
            records.append(
                .vpc(vni, VPCRow(vpc: UInt64(vni), held: vni == VNI.divided, dividers: [ip(other)], lengths4: [120], lengths6: [])))
        }
        for (port, vni) in [(UInt32(11), VNI.remote), (12, VNI.direct), (13, VNI.local)] {
            records.append(.port(port, PortRow(vni: vni, macFixed: false, network: 1, endpoint: UInt64(port))))
            records.append(.portMAC(port, MACAddress(bits: 0x0200_0000_000b)))
            records.append(
                .endpoint(EndpointKey(vni: vni, address: ip(sender)), EndpointRow(kind: .local, host: ip(own), ifindex: port, network: 1)))
        }
        for number in 0..<half {
            records.append(
                .endpoint(
                    EndpointKey(vni: VNI.remote, address: ip(destination(number))), EndpointRow(kind: .remote, host: ip(other), network: 1))
            )
            records.append(
                .endpoint(
                    EndpointKey(vni: VNI.local, address: ip(destination(number))),
                    EndpointRow(kind: .local, host: ip(own), ifindex: 13, network: 1)))
        }
        for number in 0..<blocks {
            records.append(
                .network(
                    NetworkKey(vni: VNI.divided, cidr: cidr(block(number))),
                    NetworkRow(network: UInt64(number), held: false, bouncers: [ip(other), ip(other + 1)])))
        }
        try programs.put(records)
        try prove(half, programs)
        try learn(min(half, directEntries), programs)
        return programs
    }

    static func destination(_ number: Int) -> UInt32 { 0x0a00_0100 + UInt32(number) }
    static func block(_ number: Int) -> UInt32 { 0x0b00_0000 + UInt32(number) << 8 }

    private static func tick() -> UInt32 {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return UInt32(truncatingIfNeeded: (UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)) >> UInt64(MZR_TICK_SHIFT))
    }

    /// Rows of remote endpoints, as if their host had just answered.
    private static func prove(_ count: Int, _ programs: LoosePrograms) throws {
        let (table, tick) = (try programs.descriptor(of: .endpoints), tick())
        for number in 0..<count {
            var (key, row) = (mzr_endpoint_key(), mzr_endpoint())
            key.vni = VNI.remote
            withUnsafeMutableBytes(of: &key.address) { $0.copyBytes(from: IPAddress(v4: destination(number)).bytes) }
            guard bpf_map_lookup_elem(table, &key, &row) == 0 else { throw Bench.Failure("read a row of endpoints") }
            (row.proven, row.asked) = (tick, UInt16(truncatingIfNeeded: tick))
            guard bpf_map_update_elem(table, &key, &row, 0) == 0 else { throw Bench.Failure("prove a row of endpoints") }
        }
    }

    /// Entries of the direct path, as if just proven.
    private static func learn(_ count: Int, _ programs: LoosePrograms) throws {
        let table = bpf_map_create(
            BPF_MAP_TYPE_LRU_HASH, "direct_table", UInt32(MemoryLayout<mzr_address>.size), UInt32(MemoryLayout<mzr_direct>.size),
            directCapacity, nil)
        guard table >= 0 else { throw Bench.Failure("create a direct table: \(String(cString: strerror(-table)))") }
        defer { close(table) }
        var (vni, value) = (VNI.direct, table)
        bpf_map_update_elem(try programs.descriptor(of: .direct), &vni, &value, 0)
        let tick = tick()
        for number in 0..<count {
            var key = mzr_address()
            withUnsafeMutableBytes(of: &key) { $0.copyBytes(from: IPAddress(v4: destination(number)).bytes) }
            var entry = mzr_direct()
            (entry.host, entry.network, entry.proven, entry.asked) = (other.bigEndian, 1, tick, tick)
            guard bpf_map_update_elem(table, &key, &entry, 0) == 0 else { throw Bench.Failure("fill a direct table") }
        }
    }
}
