import CBPF
import Glibc
import Planner
import Topology

/// The bytes of a row. The value of a per-CPU table is that of one CPU.
struct RowBytes: Hashable, Sendable {
    var key: [UInt8]
    var value: [UInt8]
}

// The only Swift that names the structs of mizar_abi.h. Both directions are total: what would not come back as the
// same bytes is `.foreign`.
extension Record {
    /// The row of these bytes; nil for an array's row of zeros, which is one that was never written.
    init?(_ table: Table, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        if table.hasOneRow, value.allSatisfy({ $0 == 0 }) { return nil }
        self = Self.known(table, key: key, value: value) ?? .foreign(table, key: Array(key), value: Array(value))
    }

    /// Nil: the bytes mean nothing to this version.
    private static func known(_ table: Table, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) -> Record? {
        let size = table.rowSize
        // Rows may be longer than what Swift knows of them.
        guard let key = RowShape.fit(key, to: size.key), let value = RowShape.fit(value, to: size.value) else { return nil }
        return key.withUnsafeBytes { key in
            value.withUnsafeBytes { value in
                decode(table, key: key, value: value).flatMap { $0.isEncoded(as: key, value) ? $0 : nil }
            }
        }
    }

    /// Its key and value, or nil for a row that no map can hold, such as an IPv6 host.
    var bytes: RowBytes? {
        switch self {
        case .config(let row): row.value.map { RowBytes(key: copy(UInt32(0)), value: copy($0)) }
        case .host(let address, let row):
            address.v4.map { RowBytes(key: copy($0.bigEndian), value: copy(row.value)) }
        case .vpc(let vni, let row): row.value.map { RowBytes(key: copy(vni), value: copy($0)) }
        case .network(let key, let row): row.value.map { RowBytes(key: copy(key.value), value: copy($0)) }
        case .endpoint(let key, let row): row.value.map { RowBytes(key: copy(key.value), value: copy($0)) }
        case .direct: nil  // its value is a map: KernelStore+Direct.swift
        case .port(let ifindex, let row): RowBytes(key: copy(ifindex), value: copy(row.value))
        case .portMAC(let ifindex, let mac):
            RowBytes(key: copy(ifindex), value: mac.bytes + [0, 0])
        case .name(let id, let text):
            text.mizarName.map { RowBytes(key: copy(id), value: copy($0)) }
        case .wait(let digest, let since): RowBytes(key: copy(digest), value: copy(since))
        case .datapath(let row): RowBytes(key: copy(UInt32(0)), value: copy(row.value))
        case .applied(let row): row.value.map { RowBytes(key: copy(UInt32(0)), value: copy($0)) }
        case .foreign(_, let key, let value): RowBytes(key: key, value: value)
        }
    }

    /// The planner decides neither what hosts answered or proved, nor where a port is counted, nor the generation of `config`.
    private func isEncoded(as key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Bool {
        guard let bytes, bytes.key.elementsEqual(key) else { return false }
        if case .host(_, let row) = self { return load(mzr_host.self, value).flatMap(HostRow.init) == row }
        if case .endpoint(_, let row) = self, row.kind == .remote, var found = load(mzr_endpoint.self, value) {
            (found.asked, found.proven) = (0, 0)
            return bytes.value.elementsEqual(copy(found))
        }
        if case .port = self, var found = load(mzr_port.self, value) {
            found.slot = 0
            return bytes.value.elementsEqual(copy(found))
        }
        if case .config = self, var found = load(mzr_config.self, value) {
            found.generation = 0
            return bytes.value.elementsEqual(copy(found))
        }
        return bytes.value.elementsEqual(value)
    }

    private static func decode(_ table: Table, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) -> Record? {
        switch table {
        case .config: load(mzr_config.self, value).map { .config(ConfigRow($0)) }
        case .hosts:
            both(load(UInt32.self, key), load(mzr_host.self, value)).flatMap { key, value in
                HostRow(value).map { .host(IPAddress(v4: UInt32(bigEndian: key)), $0) }
            }
        case .vpcs:
            both(load(UInt32.self, key), load(mzr_vpc.self, value)).flatMap { key, value in
                VPCRow(value).map { .vpc(key, $0) }
            }
        case .networks:
            both(load(mzr_network_key.self, key), load(mzr_network.self, value)).flatMap { key, value in
                both(NetworkKey(key), NetworkRow(value)).map { .network($0, $1) }
            }
        case .endpoints:
            both(load(mzr_endpoint_key.self, key), load(mzr_endpoint.self, value)).flatMap { key, value in
                EndpointRow(value).map { .endpoint(EndpointKey(key), $0) }
            }
        case .direct, .traffic: nil
        case .ports: both(load(UInt32.self, key), load(mzr_port.self, value)).map { .port($0, PortRow($1)) }
        case .portMACs:
            both(load(UInt32.self, key), load(mzr_port_mac.self, value)).map { key, value in
                .portMAC(key, withUnsafeBytes(of: value.mac) { MACAddress(bytes: $0) })
            }
        case .names:
            both(load(UInt64.self, key), load(mzr_name.self, value)).map { key, value in
                .name(key, withUnsafeBytes(of: value.text) { cString($0) })
            }
        case .waits: both(load(UInt64.self, key), load(UInt64.self, value)).map { .wait(digest: $0, since: $1) }
        case .datapath: load(mzr_datapath.self, value).flatMap { DatapathRow($0).map { .datapath($0) } }
        case .applied: load(mzr_applied.self, value).flatMap { AppliedRow($0).map { .applied($0) } }
        }
    }
}

extension Table {
    /// Bytes of a key and a value, of one CPU; of `direct` the number of a map.
    fileprivate var rowSize: (key: Int, value: Int) {
        func size<K, V>(_ key: K.Type, _ value: V.Type) -> (key: Int, value: Int) {
            (MemoryLayout<K>.size, MemoryLayout<V>.size)
        }
        return switch self {
        case .config: size(UInt32.self, mzr_config.self)
        case .hosts: size(UInt32.self, mzr_host.self)
        case .vpcs: size(UInt32.self, mzr_vpc.self)
        case .networks: size(mzr_network_key.self, mzr_network.self)
        case .endpoints: size(mzr_endpoint_key.self, mzr_endpoint.self)
        case .direct: size(UInt32.self, UInt32.self)
        case .ports: size(UInt32.self, mzr_port.self)
        case .portMACs: size(UInt32.self, mzr_port_mac.self)
        case .traffic: size(UInt32.self, mzr_traffic.self)
        case .names: size(UInt64.self, mzr_name.self)
        case .waits: size(UInt64.self, UInt64.self)
        case .datapath: size(UInt32.self, mzr_datapath.self)
        case .applied: size(UInt32.self, mzr_applied.self)
        }
    }
}

/// The struct at the front of the bytes; nil: they are fewer.
private func load<T: BitwiseCopyable>(_ type: T.Type, _ bytes: UnsafeRawBufferPointer) -> T? {
    bytes.count >= MemoryLayout<T>.size ? bytes.loadUnaligned(as: type) : nil
}

private func both<A, B>(_ a: A?, _ b: B?) -> (A, B)? {
    guard let a, let b else { return nil }
    return (a, b)
}

private func copy<T: BitwiseCopyable>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }

/// The first `count` addresses of a C array of __be32.
private func members<T>(_ array: T, count: UInt8) -> [IPAddress]? {
    guard count <= MZR_MEMBERS_MAX else { return nil }
    return withUnsafeBytes(of: array) { bytes in
        (0..<Int(count)).map { IPAddress(v4: UInt32(bigEndian: bytes.load(fromByteOffset: 4 * $0, as: UInt32.self))) }
    }
}

/// Writes addresses into a C array of __be32; false if one is not IPv4 or there is no room.
private func store<T>(_ members: [IPAddress], into array: inout T) -> Bool {
    guard members.count <= Int(MZR_MEMBERS_MAX) else { return false }
    return withUnsafeMutableBytes(of: &array) { bytes in
        for (index, member) in members.enumerated() {
            guard let v4 = member.v4 else { return false }
            bytes.storeBytes(of: v4.bigEndian, toByteOffset: 4 * index, as: UInt32.self)
        }
        return true
    }
}

private func store<T>(_ bytes: [UInt8], into array: inout T) -> Bool {
    withUnsafeMutableBytes(of: &array) { target in
        guard bytes.count <= target.count else { return false }
        target.copyBytes(from: bytes)
        return true
    }
}

private func address(_ value: mzr_address) -> IPAddress { withUnsafeBytes(of: value.bytes) { IPAddress(bytes: $0) } }

private func address(_ value: IPAddress) -> mzr_address {
    var result = mzr_address()
    withUnsafeMutableBytes(of: &result) { $0.copyBytes(from: value.bytes) }
    return result
}

extension String {
    /// Nil if it is too long, or a zero byte would end it early.
    fileprivate var mizarName: mzr_name? {
        let bytes = Array(utf8)
        var value = mzr_name()
        guard bytes.count < MZR_NAME_SIZE, !bytes.contains(0), store(bytes, into: &value.text) else { return nil }
        return value
    }
}

extension EndpointKey {
    fileprivate init(_ key: mzr_endpoint_key) { self.init(vni: key.vni, address: Applier.address(key.address)) }

    fileprivate var value: mzr_endpoint_key { mzr_endpoint_key(vni: vni, address: Applier.address(address)) }
}

extension EndpointRow {
    fileprivate init?(_ value: mzr_endpoint) {
        let kind: Kind
        switch mzr_endpoint_kind(UInt32(value.kind)) {
        case MZR_ENDPOINT_LOCAL: kind = .local
        case MZR_ENDPOINT_REMOTE: kind = .remote
        case MZR_ENDPOINT_UNREACHABLE: kind = .unreachable
        case MZR_ENDPOINT_GATEWAY: kind = .gateway
        case MZR_ENDPOINT_BROADCAST: kind = .broadcast
        default: return nil
        }
        self.init(
            kind: kind, host: IPAddress(v4: UInt32(bigEndian: value.host)), ifindex: value.ifindex,
            network: value.network)
    }

    fileprivate var value: mzr_endpoint? {
        guard let host = host.v4 else { return nil }
        var value = mzr_endpoint()
        value.host = host.bigEndian
        value.ifindex = ifindex
        value.network = network
        let number =
            switch kind {
            case .local: MZR_ENDPOINT_LOCAL
            case .remote: MZR_ENDPOINT_REMOTE
            case .unreachable: MZR_ENDPOINT_UNREACHABLE
            case .gateway: MZR_ENDPOINT_GATEWAY
            case .broadcast: MZR_ENDPOINT_BROADCAST
            }
        value.kind = UInt8(number.rawValue)
        return value
    }
}

extension NetworkKey {
    fileprivate init?(_ key: mzr_network_key) {
        guard let cidr = CIDR(prefix: address(key.prefix), fullLength: Int(key.length)) else { return nil }
        self.init(vni: key.vni, cidr: cidr)
    }

    fileprivate var value: mzr_network_key {
        var key = mzr_network_key()
        key.vni = vni
        key.prefix = address(cidr.prefix)
        key.length = UInt8(cidr.fullLength)
        return key
    }
}

extension NetworkRow {
    fileprivate init?(_ value: mzr_network) {
        guard let bouncers = members(value.bouncers, count: value.count) else { return nil }
        let gateway = address(value.gateway)
        self.init(
            network: value.network, held: value.flags & UInt8(MZR_HELD) != 0, bouncers: bouncers,
            gateway: gateway == IPAddress(bits: 0) ? nil : gateway)
    }

    fileprivate var value: mzr_network? {
        var value = mzr_network()
        value.network = network
        value.flags = held ? UInt8(MZR_HELD) : 0
        value.count = UInt8(clamping: bouncers.count)
        if let gateway { value.gateway = address(gateway) }
        return store(bouncers, into: &value.bouncers) ? value : nil
    }
}

extension VPCRow {
    fileprivate init?(_ value: mzr_vpc) {
        guard let dividers = members(value.dividers, count: value.count), value.lengths4_count <= MZR_LENGTHS4_MAX,
            value.lengths6_count <= MZR_LENGTHS6_MAX
        else { return nil }
        self.init(
            vpc: value.vpc, held: value.flags & UInt8(MZR_HELD) != 0, dividers: dividers,
            lengths4: withUnsafeBytes(of: value.lengths4) { Array($0.prefix(Int(value.lengths4_count))) },
            lengths6: withUnsafeBytes(of: value.lengths6) { Array($0.prefix(Int(value.lengths6_count))) },
            handedOver: value.flags & UInt8(MZR_HANDED_OVER) != 0)
    }

    fileprivate var value: mzr_vpc? {
        var value = mzr_vpc()
        value.vpc = vpc
        value.flags = UInt8((held ? MZR_HELD : 0) | (handedOver ? MZR_HANDED_OVER : 0))
        value.count = UInt8(clamping: dividers.count)
        value.lengths4_count = UInt8(clamping: lengths4.count)
        value.lengths6_count = UInt8(clamping: lengths6.count)
        guard store(dividers, into: &value.dividers), store(lengths4, into: &value.lengths4),
            store(lengths6, into: &value.lengths6)
        else { return nil }
        return value
    }
}

extension PortRow {
    fileprivate init(_ value: mzr_port) {
        self.init(
            vni: value.vni, macFixed: value.flags & UInt32(MZR_PORT_MAC_FIXED) != 0,
            answersAll: value.flags & UInt32(MZR_PORT_ANSWERS_ALL) != 0,
            isStraight: value.flags & UInt32(MZR_PORT_STRAIGHT) != 0, network: value.network, endpoint: value.endpoint)
    }

    fileprivate var value: mzr_port {
        let flags =
            (macFixed ? MZR_PORT_MAC_FIXED : 0) | (answersAll ? MZR_PORT_ANSWERS_ALL : 0) | (isStraight ? MZR_PORT_STRAIGHT : 0)
        return mzr_port(vni: vni, flags: UInt32(flags), network: network, endpoint: endpoint, slot: 0, reserved: 0)
    }
}

extension HostRow {
    fileprivate init?(_ value: mzr_host) {
        guard value.flags & ~UInt8(MZR_HOST_DOWN) == 0 else { return nil }
        self.init(host: value.host, isDown: value.flags & UInt8(MZR_HOST_DOWN) != 0)
    }

    fileprivate var value: mzr_host {
        var value = mzr_host()
        value.host = host
        value.flags = isDown ? UInt8(MZR_HOST_DOWN) : 0
        return value
    }
}

extension ConfigRow {
    fileprivate init(_ value: mzr_config) {
        self.init(
            address: IPAddress(v4: UInt32(bigEndian: value.address)), uplink: value.uplink,
            port: UInt16(bigEndian: value.port), mtu: value.mtu,
            otherPorts: [value.other_ports.0, value.other_ports.1].filter { $0 != 0 }.map(UInt16.init(bigEndian:)))
        directAfter = value.direct_after
        directAge = value.direct_age
        healthInterval = value.health_interval
        healthCount = value.health_count
        dscp = value.dscp == MZR_DSCP_COPY ? nil : value.dscp
    }

    fileprivate var value: mzr_config? {
        guard let address = address.v4, otherPorts.count <= 2 else { return nil }
        let others = otherPorts.map(\.bigEndian) + [0, 0]
        return mzr_config(
            address: address.bigEndian, uplink: uplink, port: port.bigEndian, mtu: mtu, other_ports: (others[0], others[1]),
            direct_after: directAfter, direct_age: directAge, health_interval: healthInterval, health_count: healthCount,
            dscp: dscp ?? UInt8(MZR_DSCP_COPY), generation: 0)
    }
}

extension RowBytes {
    /// Of a row of `ports`: the slot of `traffic` that it names.
    var slot: UInt32 {
        get { value.withUnsafeBytes { load(mzr_port.self, $0)?.slot ?? 0 } }
        set {
            guard var port = value.withUnsafeBytes({ load(mzr_port.self, $0) }) else { return }
            port.slot = newValue
            value = copy(port) + value.dropFirst(MemoryLayout<mzr_port>.size)
        }
    }

    /// The same row of `endpoints`, as if its host had not yet proven that it has the endpoint.
    var unproven: RowBytes {
        guard var row = value.withUnsafeBytes({ load(mzr_endpoint.self, $0) }), row.kind == UInt8(MZR_ENDPOINT_REMOTE.rawValue) else {
            return self
        }
        (row.asked, row.proven) = (0, 0)
        return RowBytes(key: key, value: copy(row) + value.dropFirst(MemoryLayout<mzr_endpoint>.size))
    }

    /// The row of `config` one generation later than `live`: the programs keep what they read of the tables until it
    /// changes. Unchanged if it is no such row, or none was written yet.
    func nextGeneration(after live: [UInt8]) -> RowBytes {
        guard var value = value.withUnsafeBytes({ load(mzr_config.self, $0) }), value.address != 0,
            let now = live.withUnsafeBytes({ load(mzr_config.self, $0) })
        else { return self }
        value.generation = now.generation &+ 1
        return RowBytes(key: key, value: copy(value) + self.value.dropFirst(MemoryLayout<mzr_config>.size))
    }
}

extension DatapathRow {
    fileprivate init?(_ value: mzr_datapath) {
        let mode: Mode
        switch mzr_uplink_mode(UInt32(value.mode)) {
        case MZR_UPLINK_NONE: mode = .none
        case MZR_UPLINK_TC: mode = .tc
        case MZR_UPLINK_XDP: mode = .xdp
        default: return nil
        }
        let reason: Reason
        switch mzr_uplink_reason(UInt32(value.reason)) {
        case MZR_REASON_CHOSEN: reason = .chosen
        case MZR_REASON_NATIVE: reason = .native
        case MZR_REASON_VETH: reason = .veth
        case MZR_REASON_REFUSED: reason = .refused
        case MZR_REASON_OCCUPIED: reason = .occupied
        default: return nil
        }
        self.init(programs: value.programs, uplink: value.uplink, mode: mode, reason: reason)
    }

    fileprivate var value: mzr_datapath {
        var value = mzr_datapath()
        value.programs = programs
        value.uplink = uplink
        let mode =
            switch mode {
            case .none: MZR_UPLINK_NONE
            case .tc: MZR_UPLINK_TC
            case .xdp: MZR_UPLINK_XDP
            }
        let reason =
            switch reason {
            case .chosen: MZR_REASON_CHOSEN
            case .native: MZR_REASON_NATIVE
            case .veth: MZR_REASON_VETH
            case .refused: MZR_REASON_REFUSED
            case .occupied: MZR_REASON_OCCUPIED
            }
        value.mode = UInt8(mode.rawValue)
        value.reason = UInt8(reason.rawValue)
        return value
    }
}

extension AppliedRow {
    fileprivate init?(_ value: mzr_applied) {
        guard [0, 20, 32].contains(value.length) else { return nil }
        let id = withUnsafeBytes(of: value.commit) { Array($0.prefix(Int(value.length))) }
        let commit = id.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        self.init(commit: commit, digest: value.digest, host: value.host)
    }

    fileprivate var value: mzr_applied? {
        var value = mzr_applied()
        let digits = Array(commit.utf8)
        guard [0, 40, 64].contains(digits.count) else { return nil }
        var id: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            let pair = digits[index..<index + 2]
            guard pair.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }),
                let byte = UInt8(String(decoding: pair, as: UTF8.self), radix: 16)
            else { return nil }
            id.append(byte)
        }
        guard store(id, into: &value.commit) else { return nil }
        value.length = UInt8(id.count)
        value.digest = digest
        value.host = host
        return value
    }
}
