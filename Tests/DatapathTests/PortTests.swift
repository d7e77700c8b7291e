import CBPF
import TestSupport
import Testing
import Topology

private let a1 = address("10.0.1.10")
private let a1v6 = address("fd00:1::10")
private let payload: [UInt8] = Array(0..<24)
private let gateway4 = address("10.0.1.1")
private let gateway6 = address("fd00:1::1")

private func frame4(
    _ to: String, from: IPAddress = a1, protocol number: UInt8 = 17, _ body: [UInt8]? = nil, source: MACAddress = World.a1,
    destination: MACAddress = World.gateway, _ change: (inout Packet.IPv4Fields) -> Void = { _ in }
) -> [UInt8] {
    Packet.frame(
        to: destination, from: source, type: Packet.ipv4,
        Packet.ipv4(
            from: from, to: address(to), protocol: number, body ?? Packet.udp(from: 1000, to: 2000, payload), .init(change)))
}

private func frame6(
    _ to: String, from: IPAddress = a1v6, next: UInt8 = 17, _ body: [UInt8]? = nil, source: MACAddress = World.a1,
    hops: UInt8 = 64, tos: UInt8 = 0, label: UInt32 = 0, payloadLength: Int? = nil
) -> [UInt8] {
    Packet.frame(
        to: World.gateway, from: source, type: Packet.ipv6,
        Packet.ipv6(
            from: from, to: address(to), next: next, body ?? Packet.udp(from: 1000, to: 2000, payload), hops: hops, tos: tos,
            label: label, payloadLength: payloadLength))
}

/// The frame as it is delivered: new Ethernet addresses.
private func delivered(_ frame: [UInt8], to: MACAddress) -> [UInt8] { to.bytes + World.gateway.bytes + frame.dropFirst(12) }

private func arp(
    _ target: String, sender: IPAddress = a1, mac: MACAddress = World.a1, source: MACAddress = World.a1, operation: Int = 1,
    hardware: Int = 1
) -> [UInt8] {
    Packet.frame(
        to: MACAddress(bits: 0xffff_ffff_ffff), from: source, type: Packet.arp,
        Packet.arp(operation: operation, senderMAC: mac, sender: sender, target: address(target), hardware: hardware))
}

private func arpReply(_ target: String, to mac: MACAddress = World.a1, _ asker: IPAddress = a1) -> [UInt8] {
    Packet.frame(
        to: mac, from: World.gateway, type: Packet.arp,
        Packet.arp(
            operation: 2, senderMAC: World.gateway, sender: address(target), targetMAC: mac, target: asker))
}

private func solicit(
    _ target: String, from: IPAddress = a1v6, to: IPAddress? = nil, option: (UInt8, MACAddress)? = (1, World.a1),
    hops: UInt8 = 255, type: UInt8 = 135, change: (inout [UInt8]) -> Void = { _ in }
) -> [UInt8] {
    let solicited = IPAddress(bits: address("ff02::1:ff00:0").bits | address(target).bits & 0xffffff)
    var message = Packet.neighbor(type: type, from: from, to: to ?? solicited, target: address(target), option: option)
    change(&message)
    return Packet.frame(
        to: World.gateway, from: World.a1, type: Packet.ipv6,
        Packet.ipv6(from: from, to: to ?? solicited, next: 58, message, hops: hops))
}

private func advertise(_ target: String, to: IPAddress = a1v6, router: Bool) -> [UInt8] {
    Packet.frame(
        to: World.a1, from: World.gateway, type: Packet.ipv6,
        Packet.ipv6(
            from: address(target), to: to, next: 58,
            Packet.neighbor(
                type: 136, from: address(target), to: to, target: address(target), option: (2, World.gateway),
                flags: router ? 0xe0 : 0x60), hops: 255))
}

/// "The gateway has another MAC", to another endpoint, behind so many headers with destination options.
private func hidden(behind count: Int, fragmented: Bool = false) -> [UInt8] {
    let target = address("fd00:1::20")
    let options = (0..<count).flatMap { [$0 == count - 1 ? 58 : 60, 0, 1, 4, 0, 0, 0, 0] as [UInt8] }
    return frame6(
        "fd00:1::20", next: fragmented ? 44 : 60,
        (fragmented ? [60, 0, 0, 1, 0, 0, 0, 9] : []) + options
            + Packet.neighbor(type: 136, from: a1v6, to: target, target: gateway6, option: (2, World.a2), flags: 0x20), hops: 255)
}

private func echo6(type: UInt8 = 128, from: IPAddress, to: IPAddress) -> [UInt8] {
    Packet.icmp6(from: from, to: to, [type, 0, 0, 0, 0, 7, 0, 1, 9, 9])
}

private func drop(_ what: String, _ packet: [UInt8], _ reason: mzr_drop_reason, port: UInt32 = 11, gso: UInt32 = 0) -> Fixture {
    Fixture(what, .port, packet, port: port, gso: gso, .drop(reason))
}

private func send(
    _ what: String, _ packet: [UInt8], _ result: [UInt8], mark: UInt32 = 0, sent: UInt32? = 11, received: UInt32? = nil,
    port: UInt32 = 11
) -> Fixture {
    Fixture(what, .port, packet, port: port, .send(result, mark: mark, sent: sent, received: received))
}

private let udp4 = Reference.flow(17, from: a1, to: address("10.0.1.20"), ports: (1000, 2000))
private let mark = Datapath.mark

private let links: [Fixture] = [
    drop("an interface that no endpoint has", frame4("10.0.1.11"), MZR_DROP_UNKNOWN_PORT, port: 99),
    drop("802.1Q", Packet.frame(to: World.gateway, from: World.a1, type: 0x8100, [0, 5, 8, 0] + payload + payload), MZR_DROP_VLAN),
    drop("802.1AD", Packet.frame(to: World.gateway, from: World.a1, type: 0x88a8, [0, 5, 8, 0] + payload + payload), MZR_DROP_VLAN),
    drop("another ethertype", Packet.frame(to: World.gateway, from: World.a1, type: 0x88cc, payload + payload), MZR_DROP_ETHERTYPE),
    drop("a group address as source", frame4("10.0.1.11", source: mac("03:00:00:00:00:01")), MZR_DROP_SPOOFED_MAC),
    drop("no address as source", frame4("10.0.1.11", source: mac("00:00:00:00:00:00")), MZR_DROP_SPOOFED_MAC),
    drop(
        "another MAC than the fixed one", frame4("10.0.1.10", from: address("10.0.1.11"), source: World.a1), MZR_DROP_SPOOFED_MAC, port: 12),
    drop("a frame for everybody", frame4("10.0.1.11", destination: mac("ff:ff:ff:ff:ff:ff")), MZR_DROP_BROADCAST),
    drop("a frame for a group", frame4("10.0.1.11", destination: mac("01:00:5e:00:00:01")), MZR_DROP_MULTICAST),
]

private let neighbors: [Fixture] = [
    send("ARP for the gateway", arp("10.0.1.1"), arpReply("10.0.1.1"), sent: nil),
    send("ARP for another endpoint", arp("10.0.1.20"), arpReply("10.0.1.20"), sent: nil),
    send("ARP for an address that nobody has", arp("10.0.1.77"), arpReply("10.0.1.77"), sent: nil),
    drop("ARP for another network's address", arp("10.0.2.5"), MZR_DROP_NEIGHBOR),
    drop("ARP for another network's gateway", arp("10.0.2.1"), MZR_DROP_NEIGHBOR),
    send(
        "ARP for another network's address, from a block without a gateway",
        arp("10.0.2.5", sender: address("10.0.1.11"), mac: World.a2, source: World.a2),
        arpReply("10.0.2.5", to: World.a2, address("10.0.1.11")), sent: nil, port: 12),
    drop(
        "ARP for the own address, from a block without a gateway",
        arp("10.0.1.11", sender: address("10.0.1.11"), mac: World.a2, source: World.a2), MZR_DROP_NEIGHBOR, port: 12),
    drop("ARP for an address outside the VPC", arp("192.0.2.1"), MZR_DROP_NEIGHBOR),
    drop("ARP for the broadcast address", arp("10.0.1.255"), MZR_DROP_NEIGHBOR),
    drop("gratuitous ARP", arp("10.0.1.10"), MZR_DROP_NEIGHBOR),
    drop("ARP probe", arp("10.0.1.10", sender: address("0.0.0.0")), MZR_DROP_NEIGHBOR),
    drop("ARP reply", arp("10.0.1.1", operation: 2), MZR_DROP_NEIGHBOR),
    drop("ARP from another's address", arp("10.0.1.1", sender: address("10.0.1.11")), MZR_DROP_SPOOFED_IP),
    drop("ARP with another sender MAC", arp("10.0.1.1", mac: World.a2), MZR_DROP_SPOOFED_MAC),
    drop("ARP over something else", arp("10.0.1.1", hardware: 6), MZR_DROP_MALFORMED),
    drop("ARP in a VPC without a row", arp("10.0.1.1", mac: World.c1, source: World.c1), MZR_DROP_NEIGHBOR, port: 14),
    send("solicitation of the gateway", solicit("fd00:1::1"), advertise("fd00:1::1", router: true), sent: nil),
    send("solicitation of an endpoint", solicit("fd00:1::20"), advertise("fd00:1::20", router: false), sent: nil),
    send(
        "unicast solicitation without option", solicit("fd00:1::20", to: address("fd00:1::20"), option: nil),
        advertise("fd00:1::20", router: false), sent: nil),
    send(
        "solicitation from a link-local address", solicit("fd00:1::1", from: address("fe80::858:aff:fe00:10a")),
        advertise("fd00:1::1", to: address("fe80::858:aff:fe00:10a"), router: true), sent: nil),
    drop("duplicate address detection", solicit("fd00:1::10", from: address("::"), option: nil), MZR_DROP_NEIGHBOR),
    drop("solicitation of the own address", solicit("fd00:1::10"), MZR_DROP_NEIGHBOR),
    drop("solicitation of a foreign address", solicit("fd00:2::10"), MZR_DROP_NEIGHBOR),
    drop("solicitation from another's address", solicit("fd00:1::1", from: address("fd00:1::11")), MZR_DROP_SPOOFED_IP),
    drop("solicitation with another MAC", solicit("fd00:1::1", option: (1, World.a2)), MZR_DROP_SPOOFED_MAC),
    drop("solicitation from beyond the link", solicit("fd00:1::1", hops: 254), MZR_DROP_NEIGHBOR),
    drop("solicitation with a wrong checksum", solicit("fd00:1::1") { $0[2] ^= 1 }, MZR_DROP_MALFORMED),
    drop(
        "solicitation with an empty option",
        solicit("fd00:1::1") { message in
            message[25] = 0
            message = Packet.icmp6(from: a1v6, to: address("ff02::1:ff00:1"), message)
        }, MZR_DROP_MALFORMED),
    drop(
        "solicitation with a long option",
        solicit("fd00:1::1") { message in
            message[25] = 2
            message = Packet.icmp6(from: a1v6, to: address("ff02::1:ff00:1"), message)
        }, MZR_DROP_MALFORMED),
    drop("solicitation with too many options", solicit("fd00:1::1") { $0 += [UInt8](repeating: 1, count: 80) }, MZR_DROP_NEIGHBOR),
    drop("truncated solicitation", solicit("fd00:1::1") { $0 = Array($0.prefix(20)) }, MZR_DROP_MALFORMED),
    drop("unsolicited advertisement", solicit("fd00:1::10", type: 136), MZR_DROP_NEIGHBOR),
    drop(
        "router solicitation",
        frame6(
            "ff02::2", from: address("fe80::1"), next: 58,
            Packet.icmp6(from: address("fe80::1"), to: address("ff02::2"), [133, 0, 0, 0, 0, 0, 0, 0]), hops: 255), MZR_DROP_NEIGHBOR),
    drop(
        "multicast listener report",
        frame6(
            "ff02::16", from: address("fe80::1"), next: 0,
            [58, 0, 5, 2, 0, 0, 1, 0] + Packet.icmp6(from: address("fe80::1"), to: address("ff02::16"), [143, 0, 0, 0, 0, 0, 0, 0])),
        MZR_DROP_MULTICAST),
    drop(
        "fragmented solicitation",
        frame6(
            "fd00:1::1", next: 44, [58, 0, 0, 1, 0, 0, 0, 9] + Packet.neighbor(from: a1v6, to: gateway6, target: gateway6, option: nil),
            hops: 255), MZR_DROP_NEIGHBOR),
    drop("an advertisement to an endpoint, as far in as is followed", hidden(behind: 6), MZR_DROP_NEIGHBOR),
    drop("and further in, where its receiver still finds it", hidden(behind: 7), MZR_DROP_MALFORMED),
    drop("the same, in a first fragment", hidden(behind: 6, fragmented: true), MZR_DROP_MALFORMED),
]

private let gateways: [Fixture] = [
    send(
        "ping of the gateway", frame4("10.0.1.1", protocol: 1, Packet.echo()) { $0.ttl = 9 },
        Packet.frame(
            to: World.a1, from: World.gateway, type: Packet.ipv4, Packet.ipv4(from: gateway4, to: a1, protocol: 1, Packet.echo(type: 0))),
        received: 11),
    send(
        "ping of the gateway with IP options", frame4("10.0.1.1", protocol: 1, Packet.echo()) { $0.options = [1, 1, 1, 0] },
        Packet.frame(
            to: World.a1, from: World.gateway, type: Packet.ipv4,
            Packet.ipv4(from: gateway4, to: a1, protocol: 1, Packet.echo(type: 0), .init { $0.options = [1, 1, 1, 0] })),
        received: 11),
    send(
        "a later fragment of a ping", frame4("10.0.1.1", protocol: 1, payload) { $0.fragmentOffset = 10 },
        Packet.frame(
            to: World.a1, from: World.gateway, type: Packet.ipv4,
            Packet.ipv4(from: gateway4, to: a1, protocol: 1, payload, .init { $0.fragmentOffset = 10 })),
        received: 11),
    send(
        "IPv6 ping of the gateway", frame6("fd00:1::1", next: 58, echo6(from: a1v6, to: gateway6)),
        Packet.frame(
            to: World.a1, from: World.gateway, type: Packet.ipv6,
            Packet.ipv6(from: gateway6, to: a1v6, next: 58, echo6(type: 129, from: gateway6, to: a1v6))),
        received: 11),
    drop("an echo reply to the gateway", frame4("10.0.1.1", protocol: 1, Packet.echo(type: 0)), MZR_DROP_GATEWAY),
    drop("UDP to the gateway", frame4("10.0.1.1"), MZR_DROP_GATEWAY),
    drop("IPv6 UDP to the gateway", frame6("fd00:1::1"), MZR_DROP_GATEWAY),
    drop("a truncated ping", frame4("10.0.1.1", protocol: 1, [8, 0, 0, 0]), MZR_DROP_MALFORMED),
]

private let sources: [Fixture] = [
    drop("another endpoint's address", frame4("10.0.1.20", from: address("10.0.1.11")), MZR_DROP_SPOOFED_IP),
    drop("an address that nobody has", frame4("10.0.1.20", from: address("10.0.1.99")), MZR_DROP_SPOOFED_IP),
    drop("another endpoint's IPv6 address", frame6("fd00:1::20", from: address("fd00:1::11")), MZR_DROP_SPOOFED_IP),
    drop("a link-local source", frame6("fd00:1::20", from: address("fe80::1")), MZR_DROP_SPOOFED_IP),
    drop("DHCP", frame4("255.255.255.255", from: address("0.0.0.0")), MZR_DROP_BROADCAST),
    drop("the network's broadcast address", frame4("10.0.1.255"), MZR_DROP_BROADCAST),
    drop("IPv4 multicast", frame4("224.0.0.251"), MZR_DROP_MULTICAST),
    drop("IPv6 multicast", frame6("ff02::fb", from: address("fe80::1")), MZR_DROP_MULTICAST),
    drop("mapped IPv4 in IPv6", frame6("::1", from: IPAddress(v4: 0x0a00010a)), MZR_DROP_MALFORMED),
]

private let malformed: [Fixture] = [
    drop("another IP version", frame4("10.0.1.11") { $0.version = 6 }, MZR_DROP_MALFORMED),
    drop("a short header", frame4("10.0.1.11") { $0.headerWords = 4 }, MZR_DROP_MALFORMED),
    drop("a header longer than the packet", frame4("10.0.1.11", protocol: 6, []) { $0.headerWords = 15 }, MZR_DROP_MALFORMED),
    drop("a total length beyond the frame", frame4("10.0.1.11") { $0.totalLength = 200 }, MZR_DROP_MALFORMED),
    drop("a total length below the header", frame4("10.0.1.11") { $0.totalLength = 19 }, MZR_DROP_MALFORMED),
    drop("no room for ports", frame4("10.0.1.11", [1, 2]), MZR_DROP_MALFORMED),
    drop("an IPv6 payload beyond the frame", frame6("fd00:1::11", payloadLength: 100), MZR_DROP_MALFORMED),
    drop("an extension header beyond the packet", frame6("fd00:1::11", next: 0, [17, 9, 0, 0, 0, 0, 0, 0]), MZR_DROP_MALFORMED),
    drop("half an extension header", frame6("fd00:1::11", next: 60, [17, 0, 0]), MZR_DROP_MALFORMED),
    drop(
        "a frame that stands for 513 packets",
        frame4("10.0.1.11", protocol: 6, Packet.tcp(from: 1, to: 2, [UInt8](repeating: 1, count: 1025))), MZR_DROP_MALFORMED, gso: 2),
    drop(
        "a frame that stands for many, beyond its length",
        frame4("10.0.1.11", protocol: 6, Packet.tcp(from: 1, to: 2, [UInt8](repeating: 1, count: 2500))) { $0.totalLength = 41 },
        MZR_DROP_MALFORMED, gso: 1),
    drop(
        "the same, IPv6", frame6("fd00:1::11", next: 6, Packet.tcp(from: 1, to: 2, [UInt8](repeating: 1, count: 2500)), payloadLength: 30),
        MZR_DROP_MALFORMED, gso: 1),
    drop("IPv6 ICMP without a body", frame6("fd00:1::11", next: 58, []), MZR_DROP_MALFORMED),
]

private let ways: [Fixture] = [
    send("to an endpoint here", frame4("10.0.1.11"), delivered(frame4("10.0.1.11"), to: World.a2), received: 12),
    send("to itself", frame4("10.0.1.10"), delivered(frame4("10.0.1.10"), to: World.a1), received: 11),
    send("to an endpoint here, IPv6", frame6("fd00:1::11"), delivered(frame6("fd00:1::11"), to: World.a2), received: 12),
    send(
        "with padding", frame4("10.0.1.11", protocol: 1, Packet.echo()) + [UInt8](repeating: 0, count: 9),
        delivered(frame4("10.0.1.11", protocol: 1, Packet.echo()) + [UInt8](repeating: 0, count: 9), to: World.a2), received: 12),
    send(
        "to a known host", frame4("10.0.1.20"), Reference.outer(to: World.h2, stage: 3, flow: udp4, frame4("10.0.1.20")), mark: mark),
    send(
        "to a known host, TCP with DSCP and ECN", frame4("10.0.1.20", protocol: 6, Packet.tcp(from: 7, to: 80)) { $0.tos = 0x2b },
        Reference.outer(
            to: World.h2, stage: 3, tos: 3, flow: Reference.flow(6, from: a1, to: address("10.0.1.20"), ports: (7, 80)),
            frame4("10.0.1.20", protocol: 6, Packet.tcp(from: 7, to: 80)) { $0.tos = 0x2b }), mark: mark),
    send(
        "to a known host, IPv6", frame6("fd00:1::20", tos: 0x12),
        Reference.outer(
            to: World.h2, stage: 3, tos: 2, flow: Reference.flow(17, from: a1v6, to: address("fd00:1::20"), ports: (1000, 2000)),
            frame6("fd00:1::20", tos: 0x12)), mark: mark),
    send(
        "IPv6 with a flow label", frame6("fd00:1::20", label: 0xabcde),
        Reference.outer(
            to: World.h2, stage: 3, flow: Reference.flow(17, from: a1v6, to: address("fd00:1::20"), ports: (1000, 2000), label: 0xabcde),
            frame6("fd00:1::20", label: 0xabcde)), mark: mark),
    send(
        "IP options", frame4("10.0.1.20") { $0.options = [7, 7, 4, 0, 0, 0, 0, 0] },
        Reference.outer(to: World.h2, stage: 3, flow: udp4, frame4("10.0.1.20") { $0.options = [7, 7, 4, 0, 0, 0, 0, 0] }), mark: mark),
    send(
        "a first fragment, whose ports do not count", frame4("10.0.1.20") { $0.moreFragments = true },
        Reference.outer(
            to: World.h2, stage: 3, flow: Reference.flow(17, from: a1, to: address("10.0.1.20"), ports: nil),
            frame4("10.0.1.20") { $0.moreFragments = true }), mark: mark),
    send(
        "a later fragment, which has none", frame4("10.0.1.20", [1]) { $0.fragmentOffset = 185 },
        Reference.outer(
            to: World.h2, stage: 3, flow: Reference.flow(17, from: a1, to: address("10.0.1.20"), ports: nil),
            frame4("10.0.1.20", [1]) { $0.fragmentOffset = 185 }), mark: mark),
    send(
        "IPv6 behind extension headers",
        frame6(
            "fd00:1::20", next: 0,
            [60, 0, 1, 4, 0, 0, 0, 0, 51, 0, 1, 4, 0, 0, 0, 0, 17, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]
                + Packet.udp(from: 1000, to: 2000, payload)),
        Reference.outer(
            to: World.h2, stage: 3, flow: Reference.flow(17, from: a1v6, to: address("fd00:1::20"), ports: (1000, 2000)),
            frame6(
                "fd00:1::20", next: 0,
                [60, 0, 1, 4, 0, 0, 0, 0, 51, 0, 1, 4, 0, 0, 0, 0, 17, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]
                    + Packet.udp(from: 1000, to: 2000, payload))),
        mark: mark),
    send(
        "a later IPv6 fragment", frame6("fd00:1::20", next: 44, [17, 0, 0, 0x10, 0, 0, 0, 1, 5]),
        Reference.outer(
            to: World.h2, stage: 3, flow: Reference.flow(44, from: a1v6, to: address("fd00:1::20"), ports: nil),
            frame6("fd00:1::20", next: 44, [17, 0, 0, 0x10, 0, 0, 0, 1, 5])), mark: mark),
    send(
        "a first IPv6 fragment whose options follow the fragment header: its flow is that of the later ones",
        frame6("fd00:1::20", next: 44, [60, 0, 0, 1, 0, 0, 0, 1, 17, 0, 1, 4, 0, 0, 0, 0] + payload),
        Reference.outer(
            to: World.h2, stage: 3, flow: Reference.flow(44, from: a1v6, to: address("fd00:1::20"), ports: nil),
            frame6("fd00:1::20", next: 44, [60, 0, 0, 1, 0, 0, 0, 1, 17, 0, 1, 4, 0, 0, 0, 0] + payload)), mark: mark),
    drop("an interface that is awaited", frame4("10.0.1.30"), MZR_DROP_PENDING),
    drop("a port whose MAC is not known", frame4("10.0.1.60"), MZR_DROP_PENDING),
    drop("a row that points back here", frame4("10.0.1.50"), MZR_DROP_STAGE),
    drop("a table that only this host should have", frame4("10.0.4.5"), MZR_DROP_NOT_HERE),
    drop("no divider but this host", frame4("10.9.9.9", source: World.c1), MZR_DROP_NOT_HERE, port: 16),
    drop("a VPC without a row", frame4("10.9.9.9", source: World.c1), MZR_DROP_NO_VPC, port: 14),
    send(
        "just not too big", frame4("10.0.1.20", Packet.udp(from: 1, to: 2, [UInt8](repeating: 0, count: 1510))),
        Reference.outer(
            to: World.h2, stage: 3, flow: Reference.flow(17, from: a1, to: address("10.0.1.20"), ports: (1, 2)),
            frame4("10.0.1.20", Packet.udp(from: 1, to: 2, [UInt8](repeating: 0, count: 1510)))), mark: mark),
]

/// By flow to one of the bouncers, the only one, and a divider.
private let tables: [Fixture] =
    (0..<8).map { index in
        let body = Packet.udp(from: 5000 + index, to: 53, payload)
        let flow = Reference.flow(17, from: a1, to: address("10.0.1.99"), ports: (5000 + index, 53))
        return send(
            "to a bouncer, flow \(index)", frame4("10.0.1.99", body),
            Reference.outer(
                to: Reference.choose([World.h2, World.h3], flow: flow) ?? World.h1, stage: 2, flow: flow,
                frame4("10.0.1.99", body)),
            mark: mark)
    } + [
        send(
            "to the only bouncer", frame4("10.0.2.20"),
            Reference.outer(
                to: World.h3, stage: 2, flow: Reference.flow(17, from: a1, to: address("10.0.2.20"), ports: (1000, 2000)),
                frame4("10.0.2.20") { $0.ttl = 63 }), mark: mark),
        send(
            "to a divider", frame4("10.9.9.9"),
            Reference.outer(
                to: World.h2, stage: 1, flow: Reference.flow(17, from: a1, to: address("10.9.9.9"), ports: (1000, 2000)),
                frame4("10.9.9.9") { $0.ttl = 63 }
            ), mark: mark),
        send(
            "to a divider, IPv6", frame6("fd99::1"),
            Reference.outer(
                to: World.h2, stage: 1, flow: Reference.flow(17, from: a1v6, to: address("fd99::1"), ports: (1000, 2000)),
                frame6("fd99::1", hops: 63)
            ), mark: mark),
    ]

extension DatapathTests {
    @Test(arguments: links + neighbors + gateways + sources + malformed + ways + tables)
    func port(_ fixture: Fixture) throws { try fixture.check() }

    @Test func aPortLearnsItsMACOnceItsSourceIsProven() throws {
        let world = try World.shared.get()
        try world.reset()
        let new = mac("02:11:22:33:44:55")
        func learned() -> [UInt8]? { world.datapath.get("port_macs", World.raw(UInt32(11)), size: 8).map { Array($0.prefix(6)) } }
        for spoofed in [
            frame4("10.0.1.11", from: address("10.0.1.12"), source: new),
            arp("10.0.1.1", sender: address("10.0.1.12"), mac: new, source: new),
            solicit("fd00:1::1", from: address("fe80::1"), option: nil),
        ] {
            _ = try world.namespace.run { try world.datapath.run(.port, spoofed, .init(ifindex: 11, ingress: 11)) }
            #expect(learned() == World.a1.bytes)
        }
        for proven in [frame4("10.0.1.11", source: new), arp("10.0.1.1", mac: new, source: new), frame6("fd00:1::11", source: new)] {
            try world.reset()
            _ = try world.namespace.run { try world.datapath.run(.port, proven, .init(ifindex: 11, ingress: 11)) }
            #expect(learned() == new.bytes)
        }
        try world.reset()
        let fixed = frame4("10.0.1.10", from: address("10.0.1.11"), source: World.a2)
        let outcome = try world.namespace.run { try world.datapath.run(.port, fixed, .init(ifindex: 12, ingress: 12)) }
        #expect(outcome.verdict == Fixture.redirect)
    }

    @Test func aFrameThatStandsForManyPacketsCountsAsThose() throws {
        let world = try World.shared.get()
        for (frame, headers) in [
            (frame4("10.0.1.11", protocol: 6, Packet.tcp(from: 1, to: 2, [UInt8](repeating: 1, count: 2500))), 14 + 20 + 20),
            (frame6("fd00:1::11", Packet.udp(from: 1, to: 2, [UInt8](repeating: 1, count: 2500))), 14 + 40 + 8),
        ] {
            try world.reset()
            let outcome = try world.namespace.run { try world.datapath.run(.port, frame, .init(ifindex: 11, ingress: 11, gsoSize: 1000)) }
            #expect(outcome.verdict == Fixture.redirect)
            let counted = [3, UInt64(frame.count + 2 * headers)]
            #expect(Array(world.datapath.counters("traffic", 11, count: World.trafficFields)[0..<2]) == counted)
            #expect(Array(world.datapath.counters("traffic", 12, count: World.trafficFields)[2..<4]) == counted)
        }
    }

    @Test func aFrameMayStandFor512Packets() throws {
        let world = try World.shared.get()
        try world.reset()
        let frame = frame4("10.0.1.11", protocol: 6, Packet.tcp(from: 1, to: 2, [UInt8](repeating: 1, count: 1024)))
        let outcome = try world.namespace.run { try world.datapath.run(.port, frame, .init(ifindex: 11, ingress: 11, gsoSize: 2)) }
        #expect(outcome.verdict == Fixture.redirect)
        #expect(world.datapath.counters("traffic", 11, count: World.trafficFields)[0] == 512)
    }

    @Test func withoutAnUplinkOnlyNeighboursAreReached() throws {
        let world = try World.shared.get()
        try world.reset()
        try world.config { $0.uplink = 0 }
        let outcome = try world.namespace.run { try world.datapath.run(.port, frame4("10.0.1.20"), .init(ifindex: 11, ingress: 11)) }
        #expect(outcome.verdict == Fixture.shot)
        #expect(world.drops().keys.elementsEqual([MZR_DROP_PENDING.rawValue]))
        try world.reset()
    }

    @Test("the outer header has the cluster's DSCP, or the packet's, and its ECN always")
    func outerDSCP() throws {
        let world = try World.shared.get()
        try world.reset()
        defer { try? world.config() }
        let wire = try Wire(world)
        let learned = frame4("10.0.1.20") { $0.tos = 0x2b }
        for (dscp, tos, control) in [(0, 3, 0), (46, 46 << 2 | 3, 46 << 2), (Int(MZR_DSCP_COPY), 0x2b, 0)] as [(Int, UInt8, UInt8)] {
            try world.config { $0.dscp = UInt8(dscp) }
            let outcome = try world.namespace.run { try world.datapath.run(.port, learned, .init(ifindex: 11, ingress: 11)) }
            #expect(outcome.packet[15] == tos && Packet.checksum(Array(outcome.packet[14..<34])) == 0, "DSCP \(dscp)")
            // The inner one stays.
            #expect(outcome.packet[14 + Int(MZR_OVERHEAD_STAGED) + 1] == 0x2b)
            // A question to the bouncer of an address that nobody was asked about.
            let unknown = frame4("10.0.1.\(100 + dscp)") { $0.tos = 0x2b }
            _ = try world.namespace.run { try world.datapath.run(.port, unknown, .init(ifindex: 11, ingress: 11)) }
            let question = try #require(wire.next())
            while wire.next(milliseconds: 0) != nil {}
            #expect(question[15] == control && Packet.checksum(Array(question[14..<34])) == 0, "DSCP \(dscp)")
        }
    }
}
