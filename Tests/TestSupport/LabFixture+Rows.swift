import FoundationEssentials

extension LabFixture {
    /// A row of a pinned map, as bpftool reads it.
    public struct Row: Sendable, Hashable {
        public var key: [UInt8]
        public var value: [UInt8]

        /// The first four bytes of the key: the VNI in `endpoints`, `networks` and `vpcs`.
        public var number: Int { key.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) } }
    }

    private struct Dumped: Decodable {
        var key: [String]
        var value: [String]?
    }

    /// The rows of a table on a host; none if it is not pinned.
    public func rows(_ host: String, _ table: String) async throws -> [Row] {
        let outcome = try await Tool.execute(["bpftool", "-j", "map", "dump", "pinned", "\(bpffs(host))/\(table)"])
        guard outcome.succeeded else { throw FixtureError(text: "bpftool: \(outcome.output)\(outcome.error)") }
        return try JSONDecoder().decode([Dumped].self, from: Data(outcome.output.utf8)).map { row in
            Row(key: Self.bytes(row.key), value: Self.bytes(row.value ?? []))
        }
    }

    private static func bytes(_ words: [String]) -> [UInt8] { words.map { UInt8($0.dropFirst(2), radix: 16) ?? 0 } }

    /// Whether the host has a row for an endpoint's address.
    public func knows(_ host: String, _ endpoint: Fleet.Endpoint, vni: Int) async throws -> Bool {
        let keys = Set(endpoint.addresses.map(Self.addressBytes))
        return try await rows(host, "endpoints").contains { $0.number == vni && keys.contains(Array($0.key[4...])) }
    }

    /// What bpftool still finds of endpoints that were removed, on any host: addresses, ports and names.
    public func remains(of endpoints: [Fleet.Endpoint], vni: Int, on fleet: Fleet) async throws -> [String] {
        var found: [String] = []
        for host in fleet.hosts {
            for endpoint in endpoints where try await knows(host.name, endpoint, vni: vni) {
                found.append("\(host.name) has an endpoint row of \(endpoint.path)")
            }
            let names = try await rows(host.name, "names").map { String(decoding: $0.value.prefix { $0 != 0 }, as: UTF8.self) }
            for endpoint in endpoints where names.contains(endpoint.path) {
                found.append("\(host.name) has the name \(endpoint.path)")
            }
            let ports = try await rows(host.name, "ports").count
            let own = fleet.endpoints.count { $0.host == host.name }
            if ports != own { found.append("\(host.name) has \(ports) ports for \(own) endpoints") }
            let macs = try await rows(host.name, "port_macs").count
            if macs > own { found.append("\(host.name) has \(macs) rows in port_macs for \(own) endpoints") }
            let waits = try await rows(host.name, "waits").count
            if waits != 0 { found.append("\(host.name) has \(waits) waiting steps") }
        }
        return found
    }

    /// Tables in which any host has a row of the VNI.
    public func remains(ofVNI vni: Int, on fleet: Fleet) async throws -> [String] {
        var found: [String] = []
        for host in fleet.hosts {
            for table in ["endpoints", "networks", "vpcs"] {
                let count = try await rows(host.name, table).count { $0.number == vni }
                if count > 0 { found.append("\(host.name): \(count) rows in \(table)") }
            }
            let ports = try await rows(host.name, "ports")
            let count = ports.count { $0.value.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) } == vni }
            if count > 0 { found.append("\(host.name): \(count) rows in ports") }
        }
        return found
    }

    /// 16 bytes in network order, IPv4 as ::ffff:a.b.c.d. Written here once more: the product's own is under test.
    static func addressBytes(_ text: String) -> [UInt8] {
        guard text.contains(":") else {
            return Array(repeating: 0, count: 10) + [0xff, 0xff] + text.split(separator: ".").compactMap { UInt8($0) }
        }
        let halves = text.split(separator: "::", omittingEmptySubsequences: false).map { half in
            half.split(separator: ":").compactMap { UInt16($0, radix: 16) }.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
        }
        let tail = halves.count > 1 ? halves[1] : []
        return halves[0] + Array(repeating: 0, count: 16 - halves[0].count - tail.count) + tail
    }
}
