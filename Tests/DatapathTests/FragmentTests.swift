import CBPF
import TestSupport
import Testing
import Topology

private let source = address("10.0.1.10")
private let destination = address("10.0.1.20")
private let ownPort: UInt32 = 11

/// An IPv4 packet, read back.
private struct Piece: CustomStringConvertible {
    var header: [UInt8]
    var payload: [UInt8]

    /// The packet in `frame`, without what lies behind its end.
    init(_ frame: [UInt8]) {
        let packet = Array(frame.dropFirst(14))
        let (size, total) = (Int(packet[0] & 15) * 4, Int(packet[2]) << 8 | Int(packet[3]))
        header = Array(packet[..<size])
        payload = Array(packet[size..<total])
    }

    var field: Int { Int(header[6]) << 8 | Int(header[7]) }
    var place: Int { (field & 0x1fff) * 8 }
    var hasMore: Bool { field & 0x2000 != 0 }
    var options: [UInt8] { Array(header.dropFirst(20)) }
    /// Without length, flags, offset and checksum, which differ between fragments.
    var rest: [UInt8] { Array(header[..<2] + header[4..<6] + header[8..<10] + header[12..<20]) }
    var description: String { "\(place)+\(payload.count)\(hasMore ? "+" : "") \(options)" }
}

/// Options that end where the header ends.
private func options(using random: inout SeededGenerator) -> [UInt8] {
    var options: [UInt8] = []
    while options.count < 36, !random.oneIn(4) {
        switch UInt8.random(in: 0..<3, using: &random) {
        case 0: options.append(1)
        case 1: options += [0x94, 4, 0, 0]
        default:
            let length = UInt8.random(in: 2...7, using: &random)
            guard options.count + Int(length) <= 40 else { continue }
            options += [random.oneIn(2) ? 7 : 0x83, length] + (2..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
        }
    }
    return options + [UInt8](repeating: 0, count: (4 - options.count % 4) % 4)
}

/// RFC 791 3.1: those that are not copied make way for nothing.
private func ofLaterFragments(_ options: [UInt8]) -> [UInt8] {
    var (options, index) = (options, 0)
    while index < options.count {
        guard options[index] != 0 else { break }
        let length = options[index] == 1 ? 1 : Int(options[index + 1])
        if options[index] & 0x80 == 0 { for place in index..<index + length { options[place] = 1 } }
        index += length
    }
    return options
}

extension DatapathTests {
    @Test("IPv4 without DF that is too big is fragmented", arguments: [1, 2, 3])
    func fragments(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let world = try World.shared.get()
        try world.reset()
        defer { try? world.config() }
        let tap = try Wire(world, at: ownPort)
        for _ in 0..<80 {
            let mtu = Int.random(in: 700...1600, using: &random)
            let usable = mtu - Int(MZR_OVERHEAD_STAGED)
            try world.config { $0.mtu = UInt16(mtu) }
            try world.datapath.put("fragmented", World.raw(ownPort), World.raw(UInt64(0)))
            let isFragment = random.oneIn(3)
            let size = Int.random(in: 1300...3200, using: &random)
            let payload = (0..<size).map { _ in UInt8.random(in: 0...255, using: &random) }
            let fields = Packet.IPv4Fields {
                $0.id = Int.random(in: 0...65535, using: &random)
                $0.tos = UInt8.random(in: 0...255, using: &random)
                $0.options = options(using: &random)
                $0.fragmentOffset = isFragment ? Int.random(in: 0...7000, using: &random) : 0
                $0.moreFragments = isFragment
            }
            let bytes = Packet.ipv4(from: source, to: destination, protocol: 99, payload, fields)
            let padding = [UInt8](repeating: 7, count: Int.random(in: 0...9, using: &random))
            let frame = Packet.frame(to: World.gateway, from: World.a1, type: Packet.ipv4, bytes) + padding
            guard bytes.count > usable else { continue }
            let outcome = try world.namespace.run { try world.datapath.run(.port, frame, .init(ifindex: ownPort, ingress: ownPort)) }
            #expect(outcome.verdict == Fixture.redirect && outcome.mark == 0, "\(world.drops())")
            let note = "seed \(seed), MTU \(mtu), \(size) bytes, \(fields)"
            let first = bytes.count - payload.count
            let count = (payload.count - (usable - first) + ((usable - first) & ~7) - 1) / ((usable - first) & ~7) + 1
            var frames: [[UInt8]] = []
            while frames.count < count - 1, let next = tap.nextFrame() { frames.append(next) }
            frames.append(outcome.packet)
            let pieces = frames.map(Piece.init)
            let whole = Piece(frame)
            #expect(pieces.flatMap(\.payload) == payload, "\(note): \(pieces)")
            for (index, piece) in pieces.enumerated() {
                #expect(piece.header.count + piece.payload.count <= usable, "\(note): \(piece)")
                #expect(piece.rest == whole.rest && Packet.checksum(piece.header) == 0, "\(note): \(piece)")
                #expect(piece.place == whole.place + pieces[..<index].reduce(0) { $0 + $1.payload.count }, "\(note): \(piece)")
                #expect(piece.hasMore == (index < count - 1 || isFragment), "\(note): \(piece)")
                #expect(piece.options == (index == 0 ? whole.options : ofLaterFragments(whole.options)), "\(note): \(piece)")
                // Each goes on as if the endpoint had sent it, without what lies behind it.
                let sent = try world.namespace.run {
                    try world.datapath.run(.port, frames[index], .init(ifindex: ownPort, ingress: ownPort))
                }
                #expect(sent.verdict == Fixture.redirect && sent.mark == Datapath.mark, "\(note): \(piece): \(world.drops())")
                let inner = sent.packet.dropFirst(Int(MZR_OVERHEAD_STAGED) + 14)
                #expect(inner.prefix(piece.header.count + piece.payload.count) == (piece.header + piece.payload)[...], "\(note): \(piece)")
                #expect(inner.count <= usable, "\(note): \(piece)")
            }
            #expect(world.drops().isEmpty, "\(note): \(world.drops())")
        }
        #expect(tap.nextFrame(milliseconds: 0) == nil)
    }

    @Test("a packet that takes more than eight fragments, or ends beyond any packet's end, is dropped")
    func fragmentsHaveALimit() throws {
        let world = try World.shared.get()
        defer { try? world.config() }
        func verdict(_ size: Int, offset: Int = 0) throws -> UInt32 {
            try world.reset()
            try world.config { $0.mtu = UInt16(400 + MZR_OVERHEAD_STAGED) }
            try world.datapath.put("fragmented", World.raw(ownPort), World.raw(UInt64(0)))
            let bytes = Packet.ipv4(
                from: source, to: destination, protocol: 99, [UInt8](repeating: 1, count: size),
                .init {
                    $0.fragmentOffset = offset
                    $0.moreFragments = offset > 0
                })
            let frame = Packet.frame(to: World.gateway, from: World.a1, type: Packet.ipv4, bytes)
            return try world.namespace.run { try world.datapath.run(.port, frame, .init(ifindex: ownPort, ingress: ownPort)).verdict }
        }
        let room = 376
        #expect(try verdict(8 * room) == Fixture.redirect)
        #expect(world.drops().isEmpty)
        // Its sender is told, as of any packet that is too big.
        #expect(try verdict(8 * room + 5) == Fixture.redirect)
        #expect(world.drops().keys.elementsEqual([MZR_DROP_TOO_BIG.rawValue]))
        #expect(try verdict(1000, offset: (65528 - 1000) / 8) == Fixture.redirect)
        #expect(world.drops().isEmpty)
        #expect(try verdict(1008, offset: 65528 / 8 - 125) == Fixture.shot)
        #expect(world.drops().keys.elementsEqual([MZR_DROP_TOO_BIG.rawValue]))
    }

    @Test("a port's packets are fragmented at a rate")
    func fragmentingHasARate() throws {
        let world = try World.shared.get()
        try world.reset()
        let interval: UInt64 = 125_000
        let bytes = Packet.ipv4(from: source, to: destination, protocol: 99, [UInt8](repeating: 1, count: 1600))
        let frame = Packet.frame(to: World.gateway, from: World.a1, type: Packet.ipv4, bytes)
        func isFragmented() throws -> Bool {
            try world.reset()
            _ = try world.namespace.run { try world.datapath.run(.port, frame, .init(ifindex: ownPort, ingress: ownPort)) }
            return world.drops().isEmpty
        }
        try world.datapath.put("fragmented", World.raw(ownPort), World.raw(Reference.time() + 255 * interval))
        #expect(try isFragmented())
        try world.datapath.put("fragmented", World.raw(ownPort), World.raw(Reference.time() + 100_000 * interval))
        #expect(try !isFragmented())
        world.datapath.remove("fragmented", World.raw(ownPort))
        #expect(try isFragmented())
    }

    @Test("what lies behind a packet that fits is no part of it")
    func paddingThatDoesNotFit() throws {
        let world = try World.shared.get()
        try world.reset()
        let packet = Packet.frame(
            to: World.gateway, from: World.a1, type: Packet.ipv6,
            Packet.ipv6(from: address("fd00:1::10"), to: address("fd00:1::20"), next: 99, [UInt8](repeating: 1, count: 1490)))
        let outcome = try world.namespace.run {
            try world.datapath.run(.port, packet + [UInt8](repeating: 0, count: 20), .init(ifindex: ownPort, ingress: ownPort))
        }
        #expect(outcome.verdict == Fixture.redirect && outcome.mark == Datapath.mark, "\(world.drops())")
        #expect(outcome.packet.count == packet.count + Int(MZR_OVERHEAD_STAGED))
        #expect(outcome.packet.suffix(packet.count) == packet[...])
    }
}
