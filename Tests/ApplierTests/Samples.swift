import Applier
import Planner
import Topology

/// Rows and plans that the tests share.
enum Samples {
    static let h1 = IPAddress(v4: 0xac10_0001)
    static let h2 = IPAddress(v4: 0xac10_0002)
    static let cidr4 = CIDR(containing: IPAddress(v4: 0x0a00_0100), length: 24)
    static let cidr6 = CIDR(containing: IPAddress(bits: 0xfd00_0001_0001 << 80), length: 64)

    /// At least one of every table.
    static let records: [Record] = [
        .config(ConfigRow(address: h1, uplink: 2, port: 6081, mtu: 9000, otherPorts: [7000, 4789])),
        .host(h1, HostRow(host: 1)), .host(h2, HostRow(host: .max)),
        .vpc(
            4097,
            VPCRow(vpc: 7, held: true, dividers: [h1, h2], lengths4: [120, 112], lengths6: Array((0...128).reversed()))),
        .vpc(1, VPCRow(vpc: 8, held: false, dividers: [], lengths4: [], lengths6: [])),
        .network(NetworkKey(vni: 4097, cidr: cidr4), NetworkRow(network: 9, held: true, bouncers: [h1])),
        .network(
            NetworkKey(vni: 4097, cidr: cidr6),
            NetworkRow(network: 9, held: false, bouncers: (1...64).map { IPAddress(v4: $0) }, gateway: cidr4.first)),
        .endpoint(
            EndpointKey(vni: 4097, address: IPAddress(v4: 0x0a00_010a)),
            EndpointRow(kind: .local, host: h1, ifindex: 12, network: 9)),
        .endpoint(
            EndpointKey(vni: 4097, address: IPAddress(v4: 0x0a00_010b)),
            EndpointRow(kind: .remote, host: h2, network: 9)),
        .endpoint(
            EndpointKey(vni: 4097, address: IPAddress(v4: 0x0a00_010c)),
            EndpointRow(kind: .unreachable, host: h2, network: 9)),
        .endpoint(
            EndpointKey(vni: 4097, address: cidr6.prefix), EndpointRow(kind: .gateway, host: IPAddress(v4: 0), network: 9)),
        .endpoint(
            EndpointKey(vni: 4097, address: IPAddress(v4: 0x0a00_01ff)),
            EndpointRow(kind: .broadcast, host: IPAddress(v4: 0), network: 9)),
        .port(12, PortRow(vni: 4097, macFixed: true, network: 9, endpoint: 10)),
        .port(13, PortRow(vni: 4097, macFixed: false, answersAll: true, isStraight: true, network: 9, endpoint: 11)),
        .portMAC(12, MACAddress(bits: 0x0a58_0a00_010a)),
        .name(10, "acme/prod/web/web-1"), .name(11, ""),
        .wait(digest: 5, since: 6),
        .datapath(DatapathRow(programs: 3, uplink: 2, mode: .xdp, reason: .native)),
        .datapath(DatapathRow(programs: 3, uplink: 0, mode: .none, reason: .chosen)),
        .applied(AppliedRow(commit: String(repeating: "0a", count: 20), digest: 1, host: 2)),
        .applied(AppliedRow(commit: String(repeating: "f0", count: 32), digest: 1, host: 2)),
        .applied(AppliedRow(commit: "", digest: 1, host: 2)),
    ]

    static func row(_ before: Record?, _ after: Record?) -> Step {
        Step(phase: .add, change: .row(before: before, after: after), subject: "row")
    }

    static func capacity(_ table: Table, from: Int = 0, to: Int) -> Step {
        Step(phase: .add, change: .capacity(table, from: from, to: to), subject: "map \(table.rawValue)")
    }

    static let programs = Step(phase: .add, change: .programs(from: 0, to: 1), subject: "programs")

    static func attach(_ attachment: Attachment, orElse: DatapathRow? = nil) -> Step {
        Step(
            phase: .add, change: .attach(attachment, orElse: orElse),
            subject: "\(attachment.interface) \(attachment.point.rawValue)")
    }

    static func detach(_ attachment: Attachment) -> Step {
        Step(phase: .add, change: .detach(attachment), subject: attachment.interface)
    }

    /// Every table and the programs: what an empty host gets first.
    static func base(capacity: Int = 64) -> [Step] {
        Table.allCases.map { Samples.capacity($0, to: $0.hasOneRow ? 1 : capacity) } + [programs]
    }

    static func port(_ ifindex: UInt32, macFixed: Bool = false) -> Record {
        .port(ifindex, PortRow(vni: 4097, macFixed: macFixed, network: 9, endpoint: UInt64(ifindex)))
    }

    static func plan(_ steps: [Step]) -> Plan { Plan(host: "h1", commit: "", stateDigest: 0, steps: steps) }

    static func endpoints(_ range: Range<UInt32>) -> [Record] {
        range.map {
            .endpoint(
                EndpointKey(vni: 1, address: IPAddress(v4: 0x0a00_0000 + $0)),
                EndpointRow(kind: .remote, host: h2, network: 9))
        }
    }
}
