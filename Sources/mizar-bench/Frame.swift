/// Frames to run through programs, byte by byte.
enum Frame {
    /// Where the destination address of an IPv4 packet is in a plain frame; its source is 4 bytes before.
    static let destination = 30

    private static func be16(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 0xff), UInt8(value & 0xff)] }
    static func be32(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(value >> UInt32(24 - 8 * $0) & 0xff) } }

    private static func ipv4(from: UInt32, to: UInt32, _ datagram: [UInt8]) -> [UInt8] {
        var header: [UInt8] = [0x45, 0] + be16(20 + datagram.count) + [0, 0, 0x40, 0, 64, 17, 0, 0] + be32(from) + be32(to)
        var sum = stride(from: 0, to: 20, by: 2).reduce(0) { $0 + Int(header[$1]) << 8 + Int(header[$1 + 1]) }
        sum = sum & 0xffff + sum >> 16
        header.replaceSubrange(10..<12, with: be16(~(sum & 0xffff + sum >> 16) & 0xffff))
        return header + datagram
    }

    private static func udp(from: Int, to: Int, _ payload: [UInt8]) -> [UInt8] {
        be16(from) + be16(to) + be16(8 + payload.count) + [0, 0] + payload
    }

    /// A frame of 64 bytes with a UDP datagram in it; addresses in host byte order.
    static func plain(from: UInt32, to: UInt32) -> [UInt8] {
        [0x0a, 0x58, 0xa9, 0xfe, 0, 1, 2, 0, 0, 0, 0, 0x0b, 8, 0]
            + ipv4(from: from, to: to, udp(from: 1000, to: 2000, [UInt8](repeating: 0, count: 22)))
    }

    /// The same in Geneve; with a stage, in the option of struct mzr_stage_option.
    static func geneve(from: UInt32, to: UInt32, vni: UInt32, stage: UInt8 = 0, _ inner: [UInt8]) -> [UInt8] {
        let option: [UInt8] = stage == 0 ? [] : [0xff, 0x6d, 0x81, 2, stage, 0, 0, 0] + be32(from)
        let header = [UInt8(option.count / 4), stage == 0 ? 0 : 0x40, 0x65, 0x58] + be32(vni << 8)
        return [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0] + ipv4(from: from, to: to, udp(from: 50000, to: 6081, header + option + inner))
    }

    /// Where the inner frame begins.
    static func inner(stage: UInt8) -> Int { stage == 0 ? 50 : 62 }
}
