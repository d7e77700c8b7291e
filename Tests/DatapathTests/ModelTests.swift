import CBPF
import Planner
import TestSupport
import Testing
import Topology

@testable import Applier

/// One host of a random topology, with the programs' own rows at random too: in the kernel, and as the planner's model.
private final class Twin: @unchecked Sendable {
    static let shared = Result { try Twin() }
    static let uplink: UInt32 = 2
    static let interfaces: ClosedRange<UInt32> = 1...40
    /// Of the object's maps, before a loader makes them larger.
    static let capacity = 64

    let datapath: Datapath
    let namespace: NetworkNamespace
    private(set) var model = Forwarder(Image())
    private var written: [(map: String, key: [UInt8])] = []

    init() throws {
        datapath = try Datapath()
        namespace = try NetworkNamespace()
        try namespace.shell(
            "ip link set lo up; ip link add name up0 index 2 type veth peer name under index 500; ip link set up0 up; ip link set under up; "
                + "ip addr add 172.16.255.254/16 dev up0; for i in $(seq 3 40); do echo link add name p$i index $i type veth peer name q$i index $((i + 100)); done | ip -batch -; "
                + "echo 1 > /proc/sys/net/ipv4/conf/lo/forwarding; "
                + "for i in $(seq 1 200); do echo neigh add 172.16.0.$i lladdr 02:ac:10:00:00:01 dev up0 nud permanent; done | ip -batch -")
        try namespace.run {
            for port in UInt32(3)...40 { try datapath.put("port_devices", World.raw(port), World.raw(port)) }
        }
        try datapath.fillSlots()
    }

    /// The tables of a host, and beside them what was learned and who is silent.
    func become(_ host: String, of topology: Topology, using random: inout SeededGenerator) throws -> Bool {
        for (map, key) in written { datapath.remove(map, key) }
        written = []
        var simulator = PlanSimulator(name: host)
        simulator.makeInterfaces(topology)
        let plan = Planner.plan(topology, host: host, commit: "", observation: simulator.observation, through: .remove)
        try simulator.apply(try #require(plan))
        var image = simulator.image
        guard simulator.interfaces.allSatisfy({ Self.interfaces.contains($0.ifindex) }), image.endpoints.count <= Self.capacity else {
            return false
        }
        // One MAC a port says which port a packet was delivered to.
        for ifindex in image.portMACs.keys { image.portMACs[ifindex] = Self.mac(ifindex) }
        if var config = image.config {
            config.directAfter = UInt32.random(in: 1...3, using: &random)
            // No echoes: whose answers are missed is this test's to say.
            config.healthInterval = .max
            image.config = config
        }
        // VNIs that are handed over, and who knows of it.
        for vni in image.vpcs.keys.sorted() where random.oneIn(3) {
            image.vpcs[vni]?.handedOver = true
        }
        model = Forwarder(image)
        let (now, age) = (Reference.tick(), image.config?.directAge ?? 0)
        for key in image.endpoints.keys.sorted(by: { ($0.vni, $0.address) < ($1.vni, $1.address) })
        where image.endpoints[key]?.kind == .remote && random.oneIn(2) {
            let proven: UInt32 = [0, now, now &- age / 2, now &- (age + 100)].randomElement(using: &random) ?? 0
            let asked: UInt16 =
                [0, UInt16(truncatingIfNeeded: now), UInt16(truncatingIfNeeded: now &- 1000)].randomElement(using: &random) ?? 0
            model.proofs[key] = .init(asked: asked, proven: proven)
        }
        try putTold(image, using: &random)
        try put(image.config.map { [.config($0)] } ?? [])
        try put(image.vpcs.map { .vpc($0, $1) } + image.networks.map { .network($0, $1) } + image.endpoints.map { .endpoint($0, $1) })
        try put(image.ports.map { .port($0, $1) } + image.portMACs.map { .portMAC($0, $1) })
        try putHosts(image, using: &random)
        try putLearned(image, topology, using: &random)
        return true
    }

    static func mac(_ ifindex: UInt32) -> MACAddress { MACAddress(bits: 0x0200_0000_0100 | UInt64(ifindex)) }

    private func put(_ records: [Record]) throws {
        for record in records {
            var bytes = try #require(record.bytes)
            // Slots are numbers of interfaces here.
            if case .port(let ifindex, _) = record { bytes.slot = ifindex }
            if case .endpoint(let key, _) = record, let proof = model.proofs[key] {
                bytes.value = bytes.value.withUnsafeBytes { value in
                    var row = value.loadUnaligned(as: mzr_endpoint.self)
                    (row.asked, row.proven) = (proof.asked, proof.proven)
                    return World.raw(row)
                }
            }
            try datapath.put(record.table.rawValue, bytes.key, bytes.value)
            if !record.table.hasOneRow { written.append((record.table.rawValue, bytes.key)) }
        }
    }

    private func putTold(_ image: Image, using random: inout SeededGenerator) throws {
        for host in image.hosts.keys.sorted() {
            for vni in image.vpcs.keys.sorted() where random.oneIn(2) {
                let vpc = random.oneIn(4) ? 1 : image.vpcs[vni]?.vpc ?? 0
                let key = World.raw(mzr_told_key(host: World.host(host), vni: vni))
                try datapath.put("told", key, World.raw(vpc))
                written.append(("told", key))
                model.told[.init(host: host, vni: vni)] = vpc
            }
        }
    }

    private func putHosts(_ image: Image, using random: inout SeededGenerator) throws {
        for address in image.hosts.keys.sorted() {
            guard let row = image.hosts[address], let bytes = Record.host(address, row).bytes else { continue }
            var peer = bytes.value.withUnsafeBytes { $0.loadUnaligned(as: mzr_host.self) }
            peer.asked = Reference.tick()
            if random.oneIn(4) {
                peer.missed = image.config?.healthCount ?? 0
                model.silent.insert(address)
            }
            try datapath.put("hosts", bytes.key, World.raw(peer))
            written.append(("hosts", bytes.key))
        }
    }

    private func putLearned(_ image: Image, _ topology: Topology, using random: inout SeededGenerator) throws {
        let addresses = Set(topology.endpoints.flatMap(\.addresses)).sorted() + nobodys
        let hosts = image.hosts.keys.sorted() + [IPAddress(v4: 0xac10_00fa)]
        let age = image.config?.directAge ?? 0
        let now = Reference.tick()
        for vni in image.direct.keys.sorted() {
            try datapath.makeDirectTable(vni)
            written.append(("direct", World.raw(vni)))
            for address in addresses where random.oneIn(2) {
                // Ages a good way from where they decide, so that a tick more changes nothing.
                var row = LearnedRow(packets: UInt32.random(in: 0...2, using: &random))
                row.proven = now &- ([0, age / 2, age + 100].randomElement(using: &random) ?? 0)
                row.asked = now &- ([0, 1000].randomElement(using: &random) ?? 0)
                row.network = topology.networks.randomElement(using: &random).map { StableHash.id($0.name) } ?? 0
                switch Int.random(in: 0..<4, using: &random) {
                case 0: break
                case 1: row.nobody = random.oneIn(2) ? .noEndpoint : .hostDown
                default: row.host = hosts.randomElement(using: &random)
                }
                if row.nobody != nil { row.proven = now &- ([0, 400].randomElement(using: &random) ?? 0) }
                model.learned[vni, default: [:]][address] = row
                try put(row, vni, address)
            }
        }
    }

    private func put(_ row: LearnedRow, _ vni: UInt32, _ address: IPAddress) throws {
        var entry = mzr_direct()
        entry.host = row.host.map { World.host($0) } ?? 0
        (entry.packets, entry.network, entry.proven, entry.asked) = (row.packets, row.network, row.proven, row.asked)
        entry.nobody = row.nobody == .noEndpoint ? MZR_DROP_NO_ENDPOINT.rawValue : row.nobody == .hostDown ? MZR_DROP_HOST_DOWN.rawValue : 0
        try datapath.withDirectTable(vni) { _ = bpf_map_update_elem($0, address.bytes, &entry, 0) }
    }

    func entry(_ vni: UInt32, _ address: IPAddress) throws -> mzr_direct? {
        try datapath.withDirectTable(vni) { table in
            var entry = mzr_direct()
            return bpf_map_lookup_elem(table, address.bytes, &entry) == 0 ? entry : nil
        }
    }

    /// What the model does with what an endpoint sends.
    func send(_ packet: InnerPacket, from ifindex: UInt32) -> Decision {
        model.tick = Reference.tick()
        return model.send(packet, from: ifindex).decision
    }

    /// What the program does with the frame, in the model's words.
    func run(_ program: Datapath.Program, _ frame: [UInt8], at ifindex: UInt32, _ packet: InnerPacket) throws -> Decision.Verdict? {
        let drops = (1..<MZR_DROP_COUNT.rawValue).map { datapath.counters("drops", $0, count: 2)[0] }
        datapath.countGeneration()
        let outcome = try namespace.run { try datapath.run(program, frame, .init(ifindex: ifindex, ingress: ifindex)) }
        let reasons = (1..<MZR_DROP_COUNT.rawValue).filter { datapath.counters("drops", $0, count: 2)[0] != drops[Int($0) - 1] }
        let isXDP = program == .xdp
        // Told by ICMP or not: dropped, and counted once.
        if let reason = reasons.first {
            #expect(reasons.count == 1)
            return .drop(try #require(DropReason(rawValue: String(cString: mzr_drop_word(reason)))))
        }
        switch outcome.verdict {
        case isXDP ? Fixture.xdpPass : Fixture.unspecified: return .pass
        case isXDP ? Fixture.xdpRedirect : Fixture.redirect: break
        default: return nil
        }
        let bytes = outcome.packet
        if isXDP || outcome.mark == Datapath.mark {
            let to = IPAddress(v4: bytes[30..<34].reduce(0) { $0 << 8 | UInt32($1) })
            return .send(to: to, stage: Stage(rawValue: bytes[42] == 0 ? 0 : bytes[54]))
        }
        let mac = MACAddress(bytes: bytes.prefix(6))
        let isReply =
            program == .port && Array(bytes[26..<30]) == Array(packet.destination.bytes.suffix(4)) && packet.source != packet.destination
        let isReply6 =
            program == .port && bytes.count >= 54 && Array(bytes[22..<38]) == packet.destination.bytes
            && packet.source != packet.destination
        if packet.source.isIPv4 ? isReply : isReply6 { return mac == Self.mac(ifindex) ? .answer : nil }
        return Self.interfaces.first { Self.mac($0) == mac }.map { .deliver(ifindex: $0) }
    }
}

private let nobodys = ["10.0.0.99", "10.9.9.9", "8.8.8.8", "255.255.255.255", "224.0.0.1", "fd00:0:1::99", "fd00:99::1", "ff02::2"].map(
    address)

private func randomPacket(from source: IPAddress, to destination: IPAddress, using random: inout SeededGenerator) -> InnerPacket {
    let icmp: UInt8 = source.isIPv4 ? 1 : 58
    var packet = InnerPacket(
        source: source, destination: destination, protocolNumber: [icmp, 6, 17, 132, 47, 136].randomElement(using: &random) ?? 6,
        hops: [1, 2, 64].randomElement(using: &random) ?? 64)
    if InnerPacket.hasPorts(packet.protocolNumber) {
        packet.ports = .init(source: .random(in: .min ... .max, using: &random), destination: .random(in: .min ... .max, using: &random))
    }
    if !source.isIPv4, random.oneIn(2) { packet.flowLabel = .random(in: 0...0xf_ffff, using: &random) }
    packet.size = [100, 1400, 1438, 1439, 1500].randomElement(using: &random) ?? 100
    return packet
}

private func frame(_ packet: InnerPacket, from mac: MACAddress) -> [UInt8] {
    let header = packet.source.isIPv4 ? 20 : 40
    var upper: [UInt8] =
        switch packet.protocolNumber {
        case 1: Packet.echo()
        case 58: Packet.icmp6(from: packet.source, to: packet.destination, Packet.echo(type: 128))
        default: packet.ports.map { Packet.be16(Int($0.source)) + Packet.be16(Int($0.destination)) } ?? []
        }
    upper += [UInt8](repeating: 0, count: packet.size - header - upper.count)
    let type = packet.source.isIPv4 ? Packet.ipv4 : Packet.ipv6
    let body =
        packet.source.isIPv4
        ? Packet.ipv4(
            from: packet.source, to: packet.destination, protocol: packet.protocolNumber, upper,
            .init {
                $0.ttl = packet.hops
                $0.dontFragment = true
            })
        : Packet.ipv6(
            from: packet.source, to: packet.destination, next: packet.protocolNumber, upper, hops: packet.hops, label: packet.flowLabel)
    return Packet.frame(to: World.gateway, from: mac, type: type, body)
}

extension DatapathTests {
    /// What `trace` and the simulations say is what the programs do: random hosts of random topologies, with entries of
    /// every age and hosts that do not answer, and packets from ports and from the underlay.
    @Test("the model does what the programs do")
    func model() throws {
        let twin = try Twin.shared.get()
        var seen: [String: Int] = [:]
        for seed in 0..<24 {
            var random = SeededGenerator(seed: UInt64(41_000 + seed))
            let topology = TopologyBuilder.random(using: &random, hosts: 2...6, endpoints: 1...4).build()
            for host in topology.hosts {
                guard try twin.become(host.name, of: topology, using: &random) else { continue }
                let addresses = Set(topology.endpoints.flatMap(\.addresses)).sorted()
                let gateways = topology.networks.flatMap { network in
                    network.gateways.compactMap(\.self) + network.cidrs.flatMap { [$0.first, $0.last] }
                }
                let targets = addresses + gateways.filter { !$0.isMulticast } + nobodys
                for _ in 0..<60 {
                    guard let destination = targets.randomElement(using: &random) else { continue }
                    let family = addresses.filter { $0.isIPv4 == destination.isIPv4 }
                    let word =
                        random.oneIn(2)
                        ? try port(twin, family, destination, "seed \(seed), \(host.name)", using: &random)
                        : try uplink(twin, host, topology, family, destination, "seed \(seed), \(host.name)", using: &random)
                    seen[word, default: 0] += 1
                }
            }
        }
        // The test would be empty if nothing got further than a drop.
        #expect(["deliver", "send", "other-vpc"].allSatisfy { seen[$0, default: 0] > 50 }, "\(seen)")
    }

    private static func word(_ verdict: Decision.Verdict) -> String {
        switch verdict {
        case .deliver: "deliver"
        case .send: "send"
        case .answer: "answer"
        case .drop(let reason): reason.rawValue
        case .pass: "pass"
        }
    }

    private func port(
        _ twin: Twin, _ family: [IPAddress], _ destination: IPAddress, _ note: String, using random: inout SeededGenerator
    ) throws -> String {
        guard let ifindex = twin.model.image.ports.keys.sorted().randomElement(using: &random) else { return "none" }
        let own = twin.model.image.endpoints.filter { $0.value.ifindex == ifindex && $0.key.address.isIPv4 == destination.isIPv4 }
        guard let source = random.oneIn(8) ? family.randomElement(using: &random) : own.keys.map(\.address).sorted().first else {
            return "none"
        }
        let packet = randomPacket(from: source, to: destination, using: &random)
        let expected = twin.send(packet, from: ifindex)
        let found = try twin.run(.port, frame(packet, from: Twin.mac(ifindex)), at: ifindex, packet)
        #expect(found == expected.verdict, "\(note): \(packet) from port \(ifindex): \(expected)")
        // What it wrote into `direct`.
        let vni = twin.model.image.ports[ifindex]?.vni ?? 0
        let learned = twin.model.learned[vni]?[destination]
        let entry = try twin.entry(vni, destination)
        #expect(
            entry?.packets == learned?.packets && entry.map { $0.host } == learned.map { $0.host.map { World.host($0) } ?? 0 }, "\(note)")
        return Self.word(expected.verdict)
    }

    private func uplink(
        _ twin: Twin, _ host: Host, _ topology: Topology, _ family: [IPAddress], _ destination: IPAddress, _ note: String,
        using random: inout SeededGenerator
    ) throws -> String {
        let vni = random.oneIn(8) ? 999 : topology.vpcs.randomElement(using: &random)?.vni ?? 0
        let from =
            random.oneIn(10) ? address("172.16.0.250") : twin.model.image.hosts.keys.sorted().randomElement(using: &random) ?? host.address
        guard let source = family.randomElement(using: &random) else { return "none" }
        let stage = Stage(rawValue: [0, 1, 1, 2, 2, 3, 4, 7].randomElement(using: &random) ?? 0)
        let packet = randomPacket(from: source, to: destination, using: &random)
        let right = twin.model.tag(of: vni)
        let tag = stage == .none ? nil : [right, right, right, nil, VPCTag(value: 7)].randomElement(using: &random) ?? nil
        let expected = twin.model.receive(packet, vni: vni, stage: stage, tag: tag, from: from, port: 6081).decision.verdict
        let outer = Reference.outer(
            from: from, to: host.address, vni: vni, stage: stage.rawValue, tag: tag?.value ?? 0, origin: from,
            frame(packet, from: World.c1))
        let found = try twin.run(.uplink, outer, at: Twin.uplink, packet)
        // A plain packet gets an option of 12 bytes on its way on, which may be too much.
        let grows = stage == .none && packet.size + Int(MZR_OVERHEAD_STAGED) > 1500
        if case .send = expected, grows {
            #expect(found == .drop(.tooBig), "\(note)")
        } else {
            #expect(found == expected, "\(note): \(packet) of VNI \(vni) from \(from), \(stage), tag \(tag?.value ?? 0)")
        }
        try xdp(twin, outer, packet, stage, expected, note)
        return Self.word(expected)
    }

    /// XDP sends on what has a stage, drops what the rule drops unless its sender must be told, and leaves the rest to tc.
    private func xdp(
        _ twin: Twin, _ outer: [UInt8], _ packet: InnerPacket, _ stage: Stage, _ expected: Decision.Verdict, _ note: String
    ) throws {
        let wanted: Decision.Verdict
        switch expected {
        case .send where stage != .none: wanted = expected
        case .drop(let reason) where stage == .none && [.notHere, .noVPC, .noEndpoint, .hostDown, .otherVPC].contains(reason):
            wanted = .pass
        case .drop: wanted = expected
        case .send, .deliver, .answer, .pass: wanted = .pass
        }
        // One in 1,024 passes all the same.
        var found: Decision.Verdict?
        for _ in 0..<3 where found == nil || found != wanted {
            found = try twin.run(.xdp, outer, at: Twin.uplink, packet)
        }
        #expect(found == wanted, "\(note): \(packet), \(stage)")
    }
}
