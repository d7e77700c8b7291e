import Applier
import CBPF

/// One program on one kind of packet.
struct PacketCase {
    let name: String
    let program: Int32
    /// The empty program of its kind.
    let floor: Int32
    var isXDP = false
    let ifindex: UInt32
    let frame: [UInt8]
    let verdict: UInt32
    /// Where addresses stand in the frame that differ from packet to packet, and which.
    var places: [Int] = []
    var addresses = Addresses(base: 0, count: 1)

    /// base + (number << shift), numbers below `count`.
    struct Addresses {
        let base: UInt32
        let count: Int
        var shift: UInt32 = 0

        func random() -> UInt32 { base + UInt32(Int.random(in: 0..<count)) << shift }
    }

    static func all(_ size: Int, _ programs: LoosePrograms, _ compared: BenchPrograms) throws -> [PacketCase] {
        typealias Tables = PacketTables
        let port = try programs.descriptor(of: LoosePrograms.Program.port)
        let uplinkTC = try programs.descriptor(of: LoosePrograms.Program.uplink)
        let uplinkXDP = try programs.descriptor(of: LoosePrograms.Program.xdp)
        let (tc, xdp) = (compared.descriptor(.emptyTC), compared.descriptor(.emptyXDP))
        let (redirect, shot) = (UInt32(TC_ACT_REDIRECT), UInt32(TC_ACT_SHOT))
        let endpoints = Addresses(base: Tables.destination(0), count: max(1, size / 2))
        let learned = Addresses(base: endpoints.base, count: min(endpoints.count, Tables.directEntries))
        let blocks = Addresses(base: Tables.block(0) + 5, count: max(1, size / 100), shift: 8)
        func geneve(_ vni: UInt32, _ stage: mzr_stage = MZR_STAGE_NONE, to: UInt32 = endpoints.base) -> [UInt8] {
            Frame.geneve(
                from: Tables.other, to: Tables.own, vni: vni, stage: UInt8(stage.rawValue), Frame.plain(from: Tables.sender, to: to))
        }
        let plain = Frame.plain(from: Tables.sender, to: endpoints.base)
        let bounced = geneve(Tables.VNI.remote, MZR_STAGE_BOUNCER)
        let divided = geneve(Tables.VNI.divided, MZR_STAGE_DIVIDER, to: blocks.base)
        let unknown = geneve(999, MZR_STAGE_BOUNCER)
        let staged = Frame.inner(stage: 1) + Frame.destination
        let direct = Frame.inner(stage: 0) + Frame.destination
        return [
            PacketCase(
                name: "encapsulate, endpoint row", program: port, floor: tc, ifindex: 11, frame: plain, verdict: redirect,
                places: [Frame.destination], addresses: endpoints),
            PacketCase(
                name: "encapsulate, direct entry", program: port, floor: tc, ifindex: 12, frame: plain, verdict: redirect,
                places: [Frame.destination], addresses: learned),
            PacketCase(
                name: "bounce, XDP", program: uplinkXDP, floor: xdp, isXDP: true, ifindex: Tables.uplink, frame: bounced,
                verdict: XDP_REDIRECT.rawValue, places: [staged], addresses: endpoints),
            PacketCase(
                name: "bounce, tc", program: uplinkTC, floor: tc, ifindex: Tables.uplink, frame: bounced, verdict: redirect,
                places: [staged], addresses: endpoints),
            PacketCase(
                name: "divide, XDP", program: uplinkXDP, floor: xdp, isXDP: true, ifindex: Tables.uplink, frame: divided,
                verdict: XDP_REDIRECT.rawValue, places: [staged], addresses: blocks),
            PacketCase(
                name: "divide, tc", program: uplinkTC, floor: tc, ifindex: Tables.uplink, frame: divided, verdict: redirect,
                places: [staged], addresses: blocks),
            PacketCase(
                name: "deliver", program: uplinkTC, floor: tc, ifindex: Tables.uplink, frame: geneve(Tables.VNI.local),
                verdict: redirect, places: [direct], addresses: endpoints),
            PacketCase(
                name: "drop, unknown VNI, XDP", program: uplinkXDP, floor: xdp, isXDP: true, ifindex: Tables.uplink, frame: unknown,
                verdict: XDP_DROP.rawValue),
            PacketCase(
                name: "drop, unknown VNI, tc", program: uplinkTC, floor: tc, ifindex: Tables.uplink, frame: unknown, verdict: shot),
            PacketCase(
                name: "drop, spoofed address", program: port, floor: tc, ifindex: 11,
                frame: Frame.plain(from: Tables.sender + 1, to: endpoints.base), verdict: shot),
            PacketCase(
                name: "two bare lookups", program: compared.descriptor(.twoLookups), floor: tc, ifindex: 11,
                frame: Frame.plain(from: endpoints.base, to: endpoints.base), verdict: shot,
                places: [Frame.destination - 4, Frame.destination], addresses: endpoints),
        ]
    }
}
