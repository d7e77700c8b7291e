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

    /// The hash of a flow; `ports` are the upper layer's first four bytes, nil for fragments and what has none.
    static func flow(_ number: UInt8, from: IPAddress, to: IPAddress, ports: (Int, Int)?) -> UInt32 {
        func words(_ address: IPAddress) -> [UInt32] {
            if let v4 = address.v4 { return [v4] }
            return (0..<4).map { UInt32(truncatingIfNeeded: address.bits >> UInt128(96 - 32 * $0)) }
        }
        var state = UInt32(number)
        for word in words(from) + words(to) + (ports.map { [UInt32($0.0 << 16 | $0.1)] } ?? []) {
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
        from: IPAddress = World.h1, to: IPAddress, vni: UInt32 = 100, stage: UInt8 = 0, origin: IPAddress = World.h1,
        tos: UInt8 = 0, flow: UInt32 = 0, ttl: UInt8 = 64, sourcePort: Int? = nil, _ inner: [UInt8]
    ) -> [UInt8] {
        let options = stage == 0 ? [] : Packet.stage(stage, origin: origin)
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
}
