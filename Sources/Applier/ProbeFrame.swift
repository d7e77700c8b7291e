import CBPF
import Planner
import Topology

/// The bytes of a packet that a program is tried with: what a well-behaved endpoint or host would send.
enum ProbeFrame {
    /// Headers that are always there.
    private static let ethernet = 14
    private static let ipv4: UInt16 = 0x0800
    private static let ipv6: UInt16 = 0x86dd
    /// Programs look at a destination MAC only for groups.
    private static let anybody = MACAddress(bits: 0x0200_0000_0001)

    /// An endpoint's frame.
    static func inner(_ packet: InnerPacket, from mac: MACAddress) -> [UInt8] {
        let isIPv4 = packet.source.isIPv4
        let header = isIPv4 ? 20 : 40
        var upper = upper(packet)
        upper += [UInt8](repeating: 0, count: max(0, packet.size - header - upper.count))
        if packet.protocolNumber == InnerPacket.icmp { put(checksum(upper), at: 2, in: &upper) }
        if packet.protocolNumber == InnerPacket.icmp6 {
            let pseudo = packet.source.bytes + packet.destination.bytes + bytes(UInt32(upper.count)) + [0, 0, 0, packet.protocolNumber]
            put(checksum(pseudo + upper), at: 2, in: &upper)
        }
        let ip =
            isIPv4
            ? ipv4Header(
                packet.source, packet.destination, packet.protocolNumber, hops: packet.hops, payload: upper.count)
            : bytes(0x6000_0000 | packet.flowLabel & 0xf_ffff) + bytes(UInt16(clamping: upper.count))
                + [packet.protocolNumber, packet.hops] + packet.source.bytes + packet.destination.bytes
        return anybody.bytes + mac.bytes + bytes(isIPv4 ? ipv4 : ipv6) + ip + upper
    }

    /// The same on its way over the underlay.
    static func outer(
        _ inner: [UInt8], vni: UInt32, stage: Stage, tag: VPCTag, flow: UInt32, from: IPAddress, to: IPAddress, port: UInt16
    ) -> [UInt8] {
        let option =
            stage == .none
            ? []
            : bytes(UInt16(MZR_OPTION_CLASS)) + [UInt8(MZR_OPTION_STAGE), 2, stage.rawValue] + bytes(tag.value).dropFirst()
                + from.bytes.suffix(4)
        let geneve =
            [UInt8(option.count / 4), option.isEmpty ? 0 : 0x40] + bytes(UInt16(MZR_GENEVE_PROTOCOL)) + bytes(vni << 8) + option
        let size = 8 + geneve.count + inner.count
        // The dynamic ports, RFC 6335, by the flow; no checksum, RFC 8926 4.1.
        let udp = bytes(UInt16(truncatingIfNeeded: 49152 + flow & 0x3fff)) + bytes(port) + bytes(UInt16(clamping: size)) + [0, 0]
        let head = ipv4Header(from, to, 17, hops: 64, payload: size)
        return anybody.bytes + anybody.bytes + bytes(ipv4) + head + udp + geneve + inner
    }

    private static func ipv4Header(
        _ from: IPAddress, _ to: IPAddress, _ number: UInt8, hops: UInt8, payload: Int
    ) -> [UInt8] {
        var header: [UInt8] = [0x45, 0] + bytes(UInt16(clamping: 20 + payload)) + [0, 0, 0x40, 0, hops, number, 0, 0]
        header += Array(from.bytes.suffix(4)) + Array(to.bytes.suffix(4))
        put(checksum(header), at: 10, in: &header)
        return header
    }

    private static func upper(_ packet: InnerPacket) -> [UInt8] {
        switch packet.protocolNumber {
        case InnerPacket.icmp: return [8, 0, 0, 0, 0, 1, 0, 1]
        case InnerPacket.icmp6: return [128, 0, 0, 0, 0, 1, 0, 1]
        default:
            guard let ports = packet.ports else { return [] }
            let words = bytes(ports.source) + bytes(ports.destination)
            // TCP: a SYN.
            if packet.protocolNumber == 6 { return words + [0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0] }
            return words + bytes(UInt16(clamping: max(8, packet.size - (packet.source.isIPv4 ? 20 : 40)))) + [0, 0]
        }
    }

    private static func bytes(_ number: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { Array($0) } }

    private static func put(_ checksum: UInt16, at place: Int, in data: inout [UInt8]) {
        data.replaceSubrange(place..<place + 2, with: bytes(checksum))
    }

    /// RFC 1071.
    private static func checksum(_ data: [UInt8]) -> UInt16 {
        var sum: UInt32 = 0
        for (index, byte) in data.enumerated() { sum &+= UInt32(byte) << (index % 2 == 0 ? 8 : 0) }
        while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
        return ~UInt16(truncatingIfNeeded: sum)
    }
}
