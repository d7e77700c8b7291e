import CBPF
import Planner
import Topology

/// What a program answered to BPF_PROG_TEST_RUN.
struct ProbeOutcome: Hashable {
    var isXDP: Bool
    var verdict: UInt32
    var packet: [UInt8]
    /// Of the skb.
    var mark: UInt32
}

/// Counters of one moment.
struct ProbeCounters {
    private var drops: [DropReason: (packets: UInt64, bytes: UInt64)] = [:]
    private var received: [UInt32: UInt64] = [:]

    init(drops: [HostStatus.Drop], traffic: [HostStatus.Traffic]) {
        for drop in drops { if let reason = DropReason(rawValue: drop.word) { self.drops[reason] = (drop.packets, drop.bytes) } }
        for port in traffic { received[port.ifindex] = port.receivedPackets }
    }

    /// Reasons for which just one packet of that size was dropped meanwhile.
    func drops(since before: Self, bytes: Int) -> [DropReason] {
        DropReason.allCases.filter { reason in
            guard let now = drops[reason] else { return false }
            let then = before.drops[reason] ?? (0, 0)
            return now.packets - then.packets == 1 && now.bytes - then.bytes == UInt64(bytes)
        }
    }

    /// Ports that got a packet meanwhile.
    func received(since before: Self) -> [UInt32] {
        received.filter { $0.value > before.received[$0.key] ?? 0 }.keys.sorted()
    }
}

/// Reads what became of a packet out of what a program left of it.
struct ProbeReader {
    let outcome: ProbeOutcome
    /// As it was put in.
    let frame: [UInt8]
    let packet: InnerPacket
    let mark: UInt32
    let image: Image
    let drops: [DropReason]
    let received: [UInt32]

    private static let (xdpPass, xdpRedirect) = (UInt32(XDP_PASS.rawValue), UInt32(XDP_REDIRECT.rawValue))
    private static let shot = UInt32(TC_ACT_SHOT)
    private static let redirect: UInt32 = 7  // TC_ACT_REDIRECT
    private static let unspecified = UInt32(bitPattern: -1)  // TC_ACT_UNSPEC

    /// Nil: the counters leave it open.
    var verdict: Decision.Verdict? {
        if outcome.isXDP {
            switch outcome.verdict {
            case Self.xdpPass: return .pass
            case Self.xdpRedirect: return sent
            default: return dropped
            }
        }
        switch outcome.verdict {
        case Self.unspecified: return .pass
        case Self.redirect where outcome.mark != 0 && outcome.mark == mark: return sent
        case Self.redirect: return intoPort
        default: return dropped
        }
    }

    private var dropped: Decision.Verdict? { drops.count == 1 ? .drop(drops[0]) : nil }

    /// The outer headers that the program wrote.
    private var sent: Decision.Verdict? {
        let bytes = outcome.packet
        guard bytes.count >= 50 else { return nil }
        let to = IPAddress(v4: bytes[30..<34].reduce(0) { $0 << 8 | UInt32($1) })
        // Our option, right behind the Geneve header, where there is any.
        let stage = bytes[42] & 0x3f == 0 || bytes.count < 62 ? 0 : bytes[54]
        return .send(to: to, stage: Stage(rawValue: stage))
    }

    /// A reply, an ICMP error, or the packet itself.
    private var intoPort: Decision.Verdict? {
        let bytes = outcome.packet
        let isIPv4 = packet.source.isIPv4
        guard bytes.count >= 14 + (isIPv4 ? 20 : 40) else { return nil }
        let (source, destination): (IPAddress, IPAddress) =
            isIPv4
            ? (Self.v4(bytes[26..<30]), Self.v4(bytes[30..<34])) : (IPAddress(bytes: bytes[22..<38]), IPAddress(bytes: bytes[38..<54]))
        if destination == packet.destination, source == packet.source {
            let mac = MACAddress(bytes: bytes[0..<6])
            let ports = received.filter { image.portMACs[$0] == mac }
            return ports.count == 1 ? .deliver(ifindex: ports[0]) : nil
        }
        // The error about a packet that was dropped goes back, as the gateway's reply does.
        let type = bytes[14 + (isIPv4 ? 20 : 40)]
        return type == (isIPv4 ? 0 : 129) ? .answer : dropped
    }

    func spendsHop(_ verdict: Decision.Verdict) -> Bool {
        let network: Int
        switch verdict {
        case .deliver: network = 14
        // Outer headers, options, and the inner Ethernet header.
        case .send: network = 14 + Int(MZR_OVERHEAD_DIRECT) + Int(outcome.packet[42] & 0x3f) * 4
        case .answer, .drop, .pass: return false
        }
        let place = network + (packet.source.isIPv4 ? 8 : 7)
        return outcome.packet.count > place && outcome.packet[place] == packet.hops &- 1
    }

    private static func v4(_ bytes: ArraySlice<UInt8>) -> IPAddress { IPAddress(v4: bytes.reduce(0) { $0 << 8 | UInt32($1) }) }
}
