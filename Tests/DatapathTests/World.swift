import CBPF
import TestSupport
import Topology

func address(_ text: String) -> IPAddress {
    guard let address = IPAddress(text) else { preconditionFailure("\(text) is no address") }
    return address
}

func mac(_ text: String) -> MACAddress {
    guard let mac = MACAddress(text) else { preconditionFailure("\(text) is no MAC address") }
    return mac
}

/// Host h1 of a small topology, as rows: what the fixtures send packets through.
///
/// VNI 100 has network 1 (10.0.1.0/24, fd00:1::/64; bouncers h2, h3), 2 (10.0.2.0/24; bouncer h3), 3 (10.0.3.0/24, held
/// here) and 4 (10.0.4.0/24; this host its only bouncer, without the table). VNI 200 has the same addresses behind port
/// 13. VNI 300 has port 14 and no `vpcs` row. VNI 400's networks are all held here. VNI 500's only divider is h1.
final class World: @unchecked Sendable {
    static let shared = Result { try World() }
    /// The same with BPF_F_ADJ_ROOM_DECAP_L3_IPV6, as on Linux 6.3 and later.
    static let newer = Result { try World(decapFlags: 1 << 8) }

    let datapath: Datapath
    let namespace: NetworkNamespace

    static let h1 = address("172.16.0.1")
    static let h2 = address("172.16.0.2")
    static let h3 = address("172.16.0.3")
    static let uplink: UInt32 = 2
    static let gateway = mac("0a:58:a9:fe:00:01")
    static let a1 = mac("0a:58:0a:00:01:0a")
    static let a2 = mac("02:00:00:00:00:12")
    static let b1 = mac("02:00:00:00:00:13")
    static let c1 = mac("02:00:00:00:00:14")
    static let mtu = 1600
    static let trafficFields = MemoryLayout<mzr_traffic>.size / 8
    /// Port by port: its MAC and the VNI behind it.
    static let ports: [UInt32: (mac: MACAddress, vni: UInt32)] = [
        11: (a1, 100), 12: (a2, 100), 13: (b1, 200), 14: (c1, 300), 15: (c1, 400), 16: (c1, 500),
    ]

    static func raw<Value>(_ value: Value) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }

    static func peer(_ id: UInt64, missed: UInt8 = 0, answered: UInt8 = 0, isSilent: Bool = false, asked: UInt32 = 0) -> mzr_host {
        var peer = mzr_host()
        peer.host = id
        (peer.missed, peer.answered, peer.is_silent, peer.asked) = (missed, answered, isSilent ? 1 : 0, asked)
        return peer
    }

    static func host(_ address: IPAddress) -> UInt32 { (address.v4 ?? 0).bigEndian }

    static func fill(_ place: inout mzr_address, _ address: IPAddress) {
        withUnsafeMutableBytes(of: &place) { $0.copyBytes(from: address.bytes) }
    }

    static func endpointKey(_ vni: UInt32, _ address: IPAddress) -> [UInt8] {
        var key = mzr_endpoint_key()
        key.vni = vni
        fill(&key.address, address)
        return raw(key)
    }

    init(decapFlags: UInt64 = 0) throws {
        datapath = try Datapath(decapFlags: decapFlags)
        namespace = try NetworkNamespace()
        try namespace.shell(
            "ip link set lo up; ip link add name up0 index 2 type veth peer name under index 3; "
                + "ip link set up0 address 02:ac:10:00:00:01; ip addr add 172.16.0.1/24 dev up0; ip link set up0 up; ip link set under up; "
                + "for i in 11 12 13 14 15 16 99; do ip link add name p$i index $i type veth peer name q$i index 1$i; ip link set p$i up; done; "
                + "echo 1 > /proc/sys/net/ipv4/conf/lo/forwarding; "
                + "ip neigh add 172.16.0.2 lladdr 02:ac:10:00:00:02 dev up0 nud permanent; "
                + "ip neigh add 172.16.0.3 lladdr 02:ac:10:00:00:03 dev up0 nud permanent")
        try rows()
        // Slots are numbers of interfaces here.
        try namespace.run { for port in Self.ports.keys { try datapath.put("port_devices", Self.raw(port), Self.raw(port)) } }
        try datapath.fillSlots()
    }

    func config(_ change: (inout mzr_config) -> Void = { _ in }) throws {
        var config = mzr_config()
        config.address = Self.host(Self.h1)
        config.uplink = Self.uplink
        config.port = UInt16(6081).bigEndian
        config.mtu = UInt16(Self.mtu)
        config.direct_after = 1
        config.direct_age = 1000
        change(&config)
        try datapath.put("config", Self.raw(UInt32(0)), Self.raw(config))
    }

    private func endpoint(
        _ vni: UInt32, _ text: String, _ kind: mzr_endpoint_kind, _ host: IPAddress = address("0.0.0.0"), port: UInt32 = 0,
        network: UInt64 = 1
    ) throws {
        var row = mzr_endpoint()
        row.host = Self.host(host)
        row.ifindex = port
        row.network = network
        row.kind = UInt8(kind.rawValue)
        try datapath.put("endpoints", Self.endpointKey(vni, address(text)), Self.raw(row))
    }

    func network(
        _ vni: UInt32, _ text: String, _ length: UInt8, id: UInt64, held: Bool = false, _ bouncers: [IPAddress],
        gateway: String? = nil
    ) throws {
        var key = mzr_network_key()
        key.vni = vni
        key.length = length
        Self.fill(&key.prefix, address(text))
        var row = mzr_network()
        row.network = id
        row.flags = held ? UInt8(MZR_HELD) : 0
        row.count = UInt8(bouncers.count)
        withUnsafeMutableBytes(of: &row.bouncers) { $0.copyBytes(from: bouncers.flatMap { $0.bytes.suffix(4) }) }
        if let gateway { Self.fill(&row.gateway, address(gateway)) }
        try datapath.put("networks", Self.raw(key), Self.raw(row))
    }

    /// Writes the rows of endpoints of other hosts anew, so that nobody has proven them.
    func resetRows() throws { for key in ["10.0.1.20", "fd00:1::20"] { try endpoint(100, key, MZR_ENDPOINT_REMOTE, Self.h2) } }

    /// The id of the VPC that has the VNI.
    static func vpcID(_ vni: UInt32) -> UInt64 { 0x8877_6655_4400_0000 | UInt64(vni) << 8 | 0x11 }

    /// What its packets bear on tables.
    static func tag(_ vni: UInt32) -> UInt32 { UInt32(vpcID(vni) & 0xff_ffff) }

    private func vpc(_ vni: UInt32, held: Bool = false, _ dividers: [IPAddress], _ lengths4: [UInt8], _ lengths6: [UInt8])
        throws
    {
        var row = mzr_vpc()
        row.vpc = Self.vpcID(vni)
        row.flags = held ? UInt8(MZR_HELD) : 0
        row.count = UInt8(dividers.count)
        row.lengths4_count = UInt8(lengths4.count)
        row.lengths6_count = UInt8(lengths6.count)
        withUnsafeMutableBytes(of: &row.dividers) { $0.copyBytes(from: dividers.flatMap { $0.bytes.suffix(4) }) }
        withUnsafeMutableBytes(of: &row.lengths4) { $0.copyBytes(from: lengths4) }
        withUnsafeMutableBytes(of: &row.lengths6) { $0.copyBytes(from: lengths6) }
        try datapath.put("vpcs", Self.raw(vni), Self.raw(row))
    }

    private func rows() throws {
        for (index, host) in [Self.h1, Self.h2, Self.h3].enumerated() {
            try datapath.put("hosts", Self.raw(Self.host(host)), Self.raw(Self.peer(UInt64(index))))
        }
        try vpc(100, [Self.h2], [124, 120], [64])
        try vpc(200, held: true, [Self.h1], [120], [])
        try vpc(400, held: true, [Self.h1], [120], [])
        try vpc(500, [Self.h1], [], [])
        var handedOver = mzr_vpc(id: Self.vpcID(600))
        handedOver.flags = UInt8(MZR_HANDED_OVER)
        try datapath.put("vpcs", Self.raw(UInt32(600)), Self.raw(handedOver))
        try network(100, "10.0.1.0", 120, id: 1, [Self.h2, Self.h3], gateway: "10.0.1.1")
        try network(100, "fd00:1::", 64, id: 1, [Self.h2, Self.h3], gateway: "fd00:1::1")
        try network(100, "10.0.2.0", 120, id: 2, [Self.h3])
        try network(100, "10.0.3.0", 120, id: 3, held: true, [Self.h1])
        try network(100, "10.0.4.0", 120, id: 4, [Self.h1])
        try network(400, "10.0.1.0", 120, id: 40, [Self.h3])
        try endpoint(100, "10.0.1.10", MZR_ENDPOINT_LOCAL, Self.h1, port: 11)
        try endpoint(100, "fd00:1::10", MZR_ENDPOINT_LOCAL, Self.h1, port: 11)
        try endpoint(100, "10.0.1.11", MZR_ENDPOINT_LOCAL, Self.h1, port: 12)
        try endpoint(100, "fd00:1::11", MZR_ENDPOINT_LOCAL, Self.h1, port: 12)
        try endpoint(100, "10.0.1.20", MZR_ENDPOINT_REMOTE, Self.h2)
        try endpoint(100, "fd00:1::20", MZR_ENDPOINT_REMOTE, Self.h2)
        try endpoint(100, "10.0.1.30", MZR_ENDPOINT_LOCAL, Self.h1)
        try endpoint(100, "10.0.1.40", MZR_ENDPOINT_UNREACHABLE, Self.h3)
        try endpoint(100, "10.0.1.50", MZR_ENDPOINT_REMOTE, Self.h1)
        try endpoint(100, "10.0.1.60", MZR_ENDPOINT_LOCAL, Self.h1, port: 99)
        try endpoint(100, "10.0.1.70", mzr_endpoint_kind(9), Self.h2)
        try endpoint(100, "fd00:1::40", MZR_ENDPOINT_UNREACHABLE, Self.h3)
        try endpoint(100, "10.0.3.10", MZR_ENDPOINT_LOCAL, Self.h1, port: 12, network: 3)
        try endpoint(100, "fd00:3::10", MZR_ENDPOINT_LOCAL, Self.h1, port: 12, network: 3)
        try endpoint(100, "10.0.3.20", MZR_ENDPOINT_REMOTE, Self.h2, network: 3)
        try endpoint(100, "fd00:3::20", MZR_ENDPOINT_REMOTE, Self.h2, network: 3)
        try endpoint(100, "10.0.1.1", MZR_ENDPOINT_GATEWAY)
        try endpoint(100, "fd00:1::1", MZR_ENDPOINT_GATEWAY)
        try endpoint(100, "10.0.2.1", MZR_ENDPOINT_GATEWAY, network: 2)
        try endpoint(100, "10.0.1.255", MZR_ENDPOINT_BROADCAST)
        try endpoint(200, "10.0.1.10", MZR_ENDPOINT_LOCAL, Self.h1, port: 13, network: 20)
        try endpoint(300, "10.0.1.10", MZR_ENDPOINT_LOCAL, Self.h1, port: 14, network: 30)
        try endpoint(400, "10.0.1.10", MZR_ENDPOINT_LOCAL, Self.h1, port: 15, network: 40)
        try endpoint(600, "10.0.1.11", MZR_ENDPOINT_LOCAL, Self.h1, port: 12, network: 60)
        try endpoint(500, "10.0.1.10", MZR_ENDPOINT_LOCAL, Self.h1, port: 16, network: 50)
        for (index, port) in Self.ports {
            var row = mzr_port()
            row.vni = port.vni
            row.flags = index == 12 ? UInt32(MZR_PORT_MAC_FIXED | MZR_PORT_ANSWERS_ALL) : 0
            row.network = port.vni == 100 ? 1 : UInt64(port.vni / 10)
            row.endpoint = UInt64(index)
            row.slot = index
            try datapath.put("ports", Self.raw(index), Self.raw(row))
        }
    }

    /// Everything that packets change, as it was.
    func reset() throws {
        try config()
        try datapath.makeDirectTable(100)
        unsay()
        for (index, port) in Self.ports {
            var row = mzr_port_mac()
            withUnsafeMutableBytes(of: &row.mac) { $0.copyBytes(from: port.mac.bytes) }
            try datapath.put("port_macs", Self.raw(index), Self.raw(row))
            datapath.clearCounters("traffic", index, count: Self.trafficFields)
            datapath.remove("errors", Self.raw(index))
        }
        for reason in 0..<UInt32(MZR_DROP_COUNT.rawValue) { datapath.clearCounters("drops", reason, count: 2) }
    }

    /// What was said a moment ago may be said again.
    func unsay() {
        for slot in 0..<UInt32(256) { datapath.clearCounters("said", slot, count: 1) }
    }

    @discardableResult
    func send(_ packet: [UInt8], port: UInt32 = 11) throws -> Datapath.Outcome {
        try namespace.run { try datapath.run(.port, packet, .init(ifindex: port, ingress: port)) }
    }

    @discardableResult
    func receive(_ packet: [UInt8], _ program: Datapath.Program = .uplink) throws -> Datapath.Outcome {
        try namespace.run { try datapath.run(program, packet, .init(ifindex: Self.uplink, ingress: Self.uplink)) }
    }

    /// Packets and bytes of every reason that has any.
    func drops() -> [UInt32: [UInt64]] {
        var drops: [UInt32: [UInt64]] = [:]
        for reason in 0..<UInt32(MZR_DROP_COUNT.rawValue) {
            let counters = datapath.counters("drops", reason, count: 2)
            if counters != [0, 0] { drops[reason] = counters }
        }
        return drops
    }
}

extension mzr_vpc {
    /// Of nothing but its VNI.
    init(id: UInt64) {
        self.init()
        vpc = id
    }
}
