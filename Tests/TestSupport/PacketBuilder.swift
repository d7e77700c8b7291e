public import Topology

/// Builds frames for fixtures, byte by byte: what is not said is what a well-behaved sender would write.
public enum Packet {
    public static let ipv4: UInt16 = 0x0800
    public static let ipv6: UInt16 = 0x86dd
    public static let arp: UInt16 = 0x0806

    public static func be16(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 0xff), UInt8(value & 0xff)] }

    public static func be32(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(value >> UInt32(24 - 8 * $0) & 0xff) } }

    /// RFC 1071's checksum over bytes; an odd one is padded with zero.
    public static func checksum(_ bytes: [UInt8]) -> Int {
        var sum = 0
        for index in stride(from: 0, to: bytes.count, by: 2) {
            sum += Int(bytes[index]) << 8 | (index + 1 < bytes.count ? Int(bytes[index + 1]) : 0)
        }
        while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
        return ~sum & 0xffff
    }

    public static func frame(to: MACAddress, from: MACAddress, type: UInt16, _ payload: [UInt8]) -> [UInt8] {
        to.bytes + from.bytes + be16(Int(type)) + payload
    }

    private static func v4(_ address: IPAddress) -> [UInt8] { Array(address.bytes.suffix(4)) }

    public struct IPv4Fields: Sendable {
        public var tos: UInt8 = 0
        public var id = 0
        public var dontFragment = false
        public var moreFragments = false
        /// In 8-byte units.
        public var fragmentOffset = 0
        public var ttl: UInt8 = 64
        /// A multiple of 4 bytes.
        public var options: [UInt8] = []
        /// Instead of the true ones.
        public var totalLength: Int?
        public var version: UInt8 = 4
        public var headerWords: Int?

        public init(_ change: (inout Self) -> Void = { _ in }) { change(&self) }
    }

    public static func ipv4(
        from: IPAddress, to: IPAddress, protocol number: UInt8, _ payload: [UInt8], _ fields: IPv4Fields = .init()
    ) -> [UInt8] {
        let words = fields.headerWords ?? 5 + fields.options.count / 4
        let flags =
            (fields.dontFragment ? 0x4000 : 0) | (fields.moreFragments ? 0x2000 : 0) | fields.fragmentOffset
        var header: [UInt8] = [fields.version << 4 | UInt8(words), fields.tos]
        header += be16(fields.totalLength ?? 20 + fields.options.count + payload.count) + be16(fields.id) + be16(flags)
        header += [fields.ttl, number, 0, 0] + v4(from) + v4(to) + fields.options
        header.replaceSubrange(10..<12, with: be16(checksum(header)))
        return header + payload
    }

    public static func ipv6(
        from: IPAddress, to: IPAddress, next: UInt8, _ payload: [UInt8], hops: UInt8 = 64, tos: UInt8 = 0,
        label: UInt32 = 0, payloadLength: Int? = nil
    ) -> [UInt8] {
        be32(6 << 28 | UInt32(tos) << 20 | label) + be16(payloadLength ?? payload.count) + [next, hops] + from.bytes + to.bytes
            + payload
    }

    public static func udp(from: Int, to: Int, _ payload: [UInt8], length: Int? = nil, checksum: Int = 0) -> [UInt8] {
        be16(from) + be16(to) + be16(length ?? 8 + payload.count) + be16(checksum) + payload
    }

    public static func tcp(from: Int, to: Int, _ payload: [UInt8] = []) -> [UInt8] {
        be16(from) + be16(to) + be32(1) + be32(0) + [0x50, 0x02] + be16(65535) + be16(0) + be16(0) + payload
    }

    public static func echo(type: UInt8 = 8, id: Int = 7, sequence: Int = 1, _ payload: [UInt8] = [1, 2, 3, 4]) -> [UInt8] {
        var message = [type, 0, 0, 0] + be16(id) + be16(sequence) + payload
        message.replaceSubrange(2..<4, with: be16(checksum(message)))
        return message
    }

    /// An ICMPv6 message with its checksum (RFC 4443 2.3).
    public static func icmp6(from: IPAddress, to: IPAddress, _ message: [UInt8]) -> [UInt8] {
        var message = message
        message.replaceSubrange(2..<4, with: [0, 0])
        let pseudo = from.bytes + to.bytes + be32(UInt32(message.count)) + be32(58)
        message.replaceSubrange(2..<4, with: be16(checksum(pseudo + message)))
        return message
    }

    public static func arp(
        operation: Int = 1, senderMAC: MACAddress, sender: IPAddress, targetMAC: MACAddress = MACAddress(bits: 0),
        target: IPAddress, hardware: Int = 1
    ) -> [UInt8] {
        be16(hardware) + be16(0x0800) + [6, 4] + be16(operation) + senderMAC.bytes + v4(sender) + targetMAC.bytes
            + v4(target)
    }

    /// A neighbour solicitation or, of type 136, an advertisement, RFC 4861 4.3 and 4.4.
    public static func neighbor(
        type: UInt8 = 135, from: IPAddress, to: IPAddress, target: IPAddress, option: (UInt8, MACAddress)?,
        flags: UInt8 = 0
    ) -> [UInt8] {
        var message: [UInt8] = [type, 0, 0, 0, flags, 0, 0, 0] + target.bytes
        if let option { message += [option.0, 1] + option.1.bytes }
        return icmp6(from: from, to: to, message)
    }

    /// A Geneve header with its options, RFC 8926 3.4.
    public static func geneve(
        vni: UInt32, options: [UInt8] = [], version: UInt8 = 0, flags: UInt8? = nil, protocol number: Int = 0x6558,
        optionWords: Int? = nil, _ inner: [UInt8]
    ) -> [UInt8] {
        [version << 6 | UInt8(optionWords ?? options.count / 4), flags ?? (options.isEmpty ? 0 : 0x40)] + be16(number)
            + be32(vni << 8) + options + inner
    }

    /// The option of mizar_abi.h's `mzr_stage_option`.
    ///
    /// - Parameter tag: of the VPC; 0: it does not say.
    public static func stage(_ stage: UInt8, tag: UInt32 = 0, origin: IPAddress) -> [UInt8] {
        [0xff, 0x6d, 0x81, 2, stage] + be32(tag).dropFirst() + v4(origin)
    }

    /// The option of mizar_abi.h's `mzr_control_option`.
    public static func control(
        _ message: UInt8, stage: UInt8 = 0, reason: UInt8 = 0, origin: IPAddress = IPAddress(v4: 0), about: IPAddress,
        network: UInt64 = 0, nonce: UInt64 = 0
    ) -> [UInt8] {
        [0xff, 0x6d, 0x82, 10, message, stage, reason, 0] + v4(origin) + about.bytes + be32(UInt32(network >> 32))
            + be32(UInt32(truncatingIfNeeded: network)) + words(nonce)
    }

    /// A nonce as programs write it: two words in their host's own order, the high one first.
    private static func words(_ nonce: UInt64) -> [UInt8] {
        [UInt32(nonce >> 32), UInt32(truncatingIfNeeded: nonce)].flatMap { word in withUnsafeBytes(of: word) { Array($0) } }
    }
}
