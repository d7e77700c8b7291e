import CBPF
import Glibc
import TestSupport
import Topology

/// docs/datapath.md's definitions, written a second time: what the programs must agree with.
enum Reference {
    static func mix(_ value: UInt32) -> UInt32 {
        var x = value
        x ^= x >> 16
        x = x &* 0x7feb_352d
        x ^= x >> 15
        x = x &* 0x846c_a68b
        return x ^ x >> 16
    }

    /// The hash of a flow; `ports` are the upper layer's first four bytes, nil for fragments and what has none; `label`
    /// is IPv6's.
    static func flow(_ number: UInt8, from: IPAddress, to: IPAddress, ports: (Int, Int)?, label: UInt32 = 0) -> UInt32 {
        func words(_ address: IPAddress) -> [UInt32] {
            if let v4 = address.v4 { return [v4] }
            return (0..<4).map { UInt32(truncatingIfNeeded: address.bits >> UInt128(96 - 32 * $0)) }
        }
        var state = UInt32(number)
        for word in (from.isIPv4 ? [] : [label]) + words(from) + words(to) + (ports.map { [UInt32($0.0 << 16 | $0.1)] } ?? []) {
            state = ((state << 5 | state >> 27) ^ word) &* 0x9e37_79b1
        }
        return mix(state)
    }

    static func choose(_ members: [IPAddress], flow: UInt32) -> IPAddress? {
        members.max {
            (mix(flow ^ mix($0.v4 ?? 0)), $0) < (mix(flow ^ mix($1.v4 ?? 0)), $1)
        }
    }

    /// A frame on its way through the underlay, with an Ethernet header that fixtures do not look at.
    static func outer(
        from: IPAddress = World.h1, to: IPAddress, vni: UInt32 = 100, stage: UInt8 = 0, tag: UInt32? = nil, origin: IPAddress = World.h1,
        tos: UInt8 = 0, flow: UInt32 = 0, ttl: UInt8 = 64, sourcePort: Int? = nil, _ inner: [UInt8]
    ) -> [UInt8] {
        let options = stage == 0 ? [] : Packet.stage(stage, tag: tag ?? World.tag(vni), origin: origin)
        let datagram = Packet.udp(
            from: sourcePort ?? 49152 + Int(flow & 0x3fff), to: 6081, Packet.geneve(vni: vni, options: options, inner))
        let packet = Packet.ipv4(
            from: from, to: to, protocol: 17, datagram,
            .init {
                $0.dontFragment = true
                $0.tos = tos
                $0.ttl = ttl
            })
        return Packet.frame(to: mac("02:ac:10:00:00:01"), from: mac("02:ac:10:00:00:02"), type: Packet.ipv4, packet)
    }

    /// A control packet on its way through the underlay.
    static func control(
        _ message: mzr_message, from: IPAddress = World.h1, to: IPAddress, vni: UInt32 = 100, stage: UInt8 = 0,
        reason: mzr_drop_reason = MZR_DROP_NONE, origin: IPAddress = IPAddress(v4: 0), about: IPAddress, network: UInt64 = 0,
        nonce: UInt64 = 0
    ) -> [UInt8] {
        let option = Packet.control(
            UInt8(message.rawValue), stage: stage, reason: UInt8(reason.rawValue), origin: origin, about: about, network: network,
            nonce: nonce)
        let datagram = Packet.udp(from: 6081, to: 6081, Packet.geneve(vni: vni, options: option, flags: 0xc0, []))
        let packet = Packet.ipv4(from: from, to: to, protocol: 17, datagram, .init { $0.dontFragment = true })
        return Packet.frame(to: mac("02:ac:10:00:00:01"), from: mac("02:ac:10:00:00:02"), type: Packet.ipv4, packet)
    }

    /// The ICMP error that a port's frame is answered with. `rest`: the last four bytes of its header.
    static func error(_ type: UInt8, _ code: UInt8, rest: Int = 0, from speaker: IPAddress, about frame: [UInt8]) -> [UInt8] {
        let packet = Array(frame.dropFirst(14))
        let mac = MACAddress(bytes: frame[6..<12])
        let header = [type, code, 0, 0] + Packet.be32(UInt32(rest))
        if packet[0] >> 4 == 4 {
            var message = header + packet.prefix(Int(packet[2]) << 8 | Int(packet[3])).prefix(576 - 28)
            message.replaceSubrange(2..<4, with: Packet.be16(Packet.checksum(message)))
            let answer = Packet.ipv4(
                from: speaker, to: IPAddress(v4: packet[12..<16].reduce(0) { $0 << 8 | UInt32($1) }), protocol: 1, message,
                .init {
                    $0.tos = 0xc0
                    $0.dontFragment = true
                })
            return Packet.frame(to: mac, from: World.gateway, type: Packet.ipv4, answer)
        }
        let source = packet[8..<24].withUnsafeBytes { IPAddress(bytes: $0) }
        let message = header + packet.prefix(40 + (Int(packet[4]) << 8 | Int(packet[5]))).prefix(1280 - 48)
        let answer = Packet.ipv6(from: speaker, to: source, next: 58, Packet.icmp6(from: speaker, to: source, message))
        return Packet.frame(to: mac, from: World.gateway, type: Packet.ipv6, answer)
    }

    /// SipHash-1-3 (Aumasson and Bernstein) of VNI, address, VPC and period, each word as a number.
    static func nonce(
        _ vni: UInt32, _ address: IPAddress, of vpc: UInt64? = nil, period: UInt64, key: (UInt64, UInt64) = Datapath.key
    ) -> UInt64 {
        var v: [UInt64] = [
            key.0 ^ 0x736f_6d65_7073_6575, key.1 ^ 0x646f_7261_6e64_6f6d, key.0 ^ 0x6c79_6765_6e65_7261,
            key.1 ^ 0x7465_6462_7974_6573,
        ]
        func rotate(_ x: UInt64, _ bits: UInt64) -> UInt64 { x << bits | x >> (64 - bits) }
        func round() {
            v[0] &+= v[1]
            v[2] &+= v[3]
            v[1] = rotate(v[1], 13) ^ v[0]
            v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = rotate(v[0], 32)
            v[2] &+= v[1]
            v[0] &+= v[3]
            v[1] = rotate(v[1], 17) ^ v[2]
            v[3] = rotate(v[3], 21) ^ v[0]
            v[2] = rotate(v[2], 32)
        }
        let words = [
            UInt64(vni), UInt64(truncatingIfNeeded: address.bits >> 64), UInt64(truncatingIfNeeded: address.bits), vpc ?? World.vpcID(vni),
            period, 40 << 56,
        ]
        for word in words {
            v[3] ^= word
            round()
            v[0] ^= word
        }
        v[2] ^= 0xff
        for _ in 0..<3 { round() }
        return v[0] ^ v[1] ^ v[2] ^ v[3]
    }

    /// The clock of the programs, in nanoseconds.
    static func time() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// The period that nonces are of now; the clock may step on between two looks.
    static func period() -> UInt64 { time() >> UInt64(MZR_PERIOD_SHIFT) }

    /// Nothing that a program remembers is older after it.
    static func awaitNextTick() {
        let now = tick()
        while tick() == now { usleep(500) }
    }

    static func tick() -> UInt32 { UInt32(truncatingIfNeeded: time() >> UInt64(MZR_TICK_SHIFT)) }
}
