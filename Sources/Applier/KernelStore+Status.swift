import CBPF
import Glibc
import Planner
import Topology

extension KernelStore {
    /// Reads everything that `status` prints.
    public func status() throws(BPFError) -> HostStatus {
        let observation = try observe()
        let names = Dictionary(
            observation.interfaces.map { ($0.ifindex, $0.name) }, uniquingKeysWith: { first, _ in first })
        let config = observation.image.config
        let receivePort = try ReceiveOffload().port()
        return HostStatus(
            round: try lastRound(), observation: observation, hooks: try hooks(observation.attachments),
            hasReceiveOffload: receivePort != nil && receivePort == config?.port,
            peers: try peers(config),
            traffic: try traffic(names), drops: try drops(),
            tables: try fill(observation.image))
    }

    /// By which hook tc comes to run each program: a port's by tcx where somebody else's program would be before a filter.
    private func hooks(_ attachments: Set<Attachment>) throws(BPFError) -> [Attachment: String] {
        var hooks: [Attachment: String] = [:]
        for attachment in attachments {
            let usual = attachment.point.hook(hook)
            guard attachment.point != .xdp else { continue }
            let ours = usual == .clsact && hook == .tcx ? try TCX.ours(attachment.ifindex, .ingress) : []
            hooks[attachment] = (ours.isEmpty ? usual : .tcx).rawValue
        }
        return hooks
    }

    private func peers(_ config: ConfigRow?) throws(BPFError) -> [HostStatus.Peer] {
        guard let map = try open(.hosts) else { return [] }
        let patience = config?.healthCount ?? 0
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        let tick = UInt32(truncatingIfNeeded: (time.tv_sec * 1_000_000_000 + time.tv_nsec) >> Int(MZR_TICK_SHIFT))
        var found: [HostStatus.Peer] = []
        try map.forEach { key, value in
            let row = value.loadUnaligned(as: mzr_host.self)
            let state: HostStatus.Peer.State =
                row.flags & UInt8(MZR_HOST_DOWN) != 0
                ? .down : row.asked == 0 ? .unknown : patience > 0 && row.missed >= patience ? .silent : .answers
            let commit = withUnsafeBytes(of: row.commit) { Array($0) }
            found.append(
                HostStatus.Peer(
                    address: IPAddress(v4: UInt32(bigEndian: key.loadUnaligned(as: UInt32.self))), state: state,
                    commit: commit.allSatisfy { $0 == 0 }
                        ? "" : commit.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(),
                    // Its answer came within the time that the next echo takes to be due.
                    answeredSecondsAgo: row.asked == 0 || row.is_silent != 0
                        ? nil : Int(UInt64(tick &- row.asked) << UInt64(MZR_TICK_SHIFT) / 1_000_000_000)))
        }
        return found.sorted { $0.address < $1.address }
    }

    /// By port.
    func traffic(_ names: [UInt32: String]) throws(BPFError) -> [HostStatus.Traffic] {
        guard let ports = try open(.ports), let map = try open(.traffic) else { return [] }
        var slots: [(ifindex: UInt32, slot: UInt32)] = []
        try ports.forEach {
            let row = RowBytes(key: Array($0), value: Array($1))
            if row.slot != 0 { slots.append(($0.loadUnaligned(as: UInt32.self), row.slot)) }
        }
        let before = try openMap(Self.before("traffic"))
        var found: [HostStatus.Traffic] = []
        for (ifindex, slot) in slots {
            // The fields of mzr_traffic, in their order.
            guard let sum = try counter("traffic", slot, map, before), sum.count >= 7 else { continue }
            found.append(
                HostStatus.Traffic(
                    ifindex: ifindex, interface: names[ifindex] ?? "", sentPackets: sum[0], sentBytes: sum[1],
                    receivedPackets: sum[2], receivedBytes: sum[3], directPackets: sum[4], bouncerPackets: sum[5],
                    dividerPackets: sum[6]))
        }
        return found.sorted { ($0.interface, $0.ifindex) < ($1.interface, $1.ifindex) }
    }

    func drops() throws(BPFError) -> [HostStatus.Drop] {
        guard let map = try open("drops") else { return [] }
        let before = try openMap(Self.before("drops"))
        var found: [HostStatus.Drop] = []
        for reason in 0..<UInt32(map.capacity) {
            guard let sum = try counter("drops", reason, map, before), sum.count >= 2, sum[0] > 0 else { continue }
            found.append(HostStatus.Drop(reason, packets: sum[0], bytes: sum[1]))
        }
        return found
    }

    private func fill(_ image: Image) throws(BPFError) -> [HostStatus.Fill] {
        var found: [HostStatus.Fill] = []
        for name in try BPFObject.embedded.get().keys.sorted() {
            guard let map = try open(name) else { continue }
            let table = Table(rawValue: name)
            let foreign = image.foreign.count { $0.table == table }
            let rows = if let table { image.count(table) + foreign } else { try Self.rows(map) }
            found.append(
                HostStatus.Fill(
                    name: name, rows: rows, capacity: map.capacity, memory: try Self.memory(map.descriptor)))
            if table == .direct { found += try directFill(map, image) }
        }
        return found
    }

    /// Of a map that is the programs' own: an array always has all its rows.
    private static func rows(_ map: borrowing PinnedMap) throws(BPFError) -> Int {
        guard map.spec.type == BPF_MAP_TYPE_LRU_HASH.rawValue else { return map.capacity }
        var rows = 0
        try map.forEach { _, _ in rows += 1 }
        return rows
    }

    /// One line a VPC, with what was learned.
    private func directFill(_ map: borrowing PinnedMap, _ image: Image) throws(BPFError) -> [HostStatus.Fill] {
        var found: [HostStatus.Fill] = []
        for (vni, table) in try directTables(map) {
            var rows = 0
            try table.map.forEach { _, _ in rows += 1 }
            let vpc = image.vpcs[vni].flatMap { image.names[$0.vpc] } ?? "VNI \(vni)"
            found.append(
                HostStatus.Fill(
                    name: "direct \(vpc)", rows: rows, capacity: table.map.capacity,
                    memory: try Self.memory(table.map.descriptor)))
        }
        return found.sorted { $0.name < $1.name }
    }

    /// `memlock` of the map's fdinfo: what it uses since Linux 6.4, an estimate of its capacity before.
    private static func memory(_ descriptor: Int32) throws(BPFError) -> Int {
        let word = "memlock:"
        let lines = try HostCheck.text(of: "/proc/self/fdinfo/\(descriptor)").split(separator: "\n")
        let value = lines.first { $0.hasPrefix(word) }?.dropFirst(word.count).drop { $0 == "\t" || $0 == " " }
        return value.flatMap { Int($0) } ?? 0
    }
}

extension HostStatus.Drop {
    /// - Parameter reason: a number of enum mzr_drop_reason, or a later version's.
    fileprivate init(_ reason: UInt32, packets: UInt64, bytes: UInt64) {
        guard let word = mzr_drop_word(reason), let text = mzr_drop_text(reason) else {
            self.init(
                word: "reason-\(reason)", text: "a reason of another version, which this one does not know", packets: packets, bytes: bytes)
            return
        }
        self.init(word: String(cString: word), text: String(cString: text), packets: packets, bytes: bytes)
    }
}
