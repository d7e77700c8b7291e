import Topology

// Digests of states and steps. Sets of rows are summed row by row, so that no order is needed.

extension Record {
    /// Stable over machines and runs; of key and value.
    var digest: UInt64 {
        var hash = StableHash()
        hash.combine(table.rawValue)
        combineKey(into: &hash)
        switch self {
        case .config(let row):
            hash.combine(row.address.bits)
            hash.combine(row.uplink)
            hash.combine(row.port)
            hash.combine(row.mtu)
            for port in row.otherPorts { hash.combine(port) }
            hash.combine(row.directAfter)
            hash.combine(row.directAge)
            hash.combine(row.healthInterval)
            hash.combine(row.healthCount)
            hash.combine(row.dscp ?? .max)
        case .host(_, let row):
            hash.combine(row.host)
            hash.combine(UInt8(row.isDown ? 1 : 0))
        case .vpc(_, let row):
            hash.combine(row.vpc)
            hash.combine(UInt8(row.held ? 1 : 0))
            for address in row.dividers { hash.combine(address.bits) }
            for length in row.lengths4 + row.lengths6 { hash.combine(length) }
        case .network(_, let row):
            hash.combine(row.network)
            hash.combine(UInt8(row.held ? 1 : 0))
            for address in row.bouncers { hash.combine(address.bits) }
            hash.combine(row.gateway?.bits ?? 0)
        case .endpoint(_, let row):
            hash.combine(row.kind.rawValue)
            hash.combine(row.host.bits)
            hash.combine(row.ifindex)
            hash.combine(row.network)
        case .port(_, let row):
            hash.combine(row.vni)
            hash.combine(UInt8(row.macFixed ? 1 : 0))
            hash.combine(UInt8(row.answersAll ? 1 : 0))
            hash.combine(UInt8((row.isStraight ? 1 : 0) | (row.hasDevice ? 0 : 2)))
            hash.combine(row.network)
            hash.combine(row.endpoint)
        case .portMAC(_, let mac): hash.combine(mac.bits)
        case .direct(_, let capacity): hash.combine(capacity)
        case .name(_, let text): hash.combine(text)
        case .wait(_, let since): hash.combine(since)
        case .datapath(let row):
            hash.combine(row.programs)
            hash.combine(row.uplink)
            hash.combine(row.mode.rawValue)
            hash.combine(row.reason.rawValue)
        case .applied(let row):
            hash.combine(row.commit)
            hash.combine(row.digest)
            hash.combine(row.host)
        case .foreign(_, _, let value): for byte in value { hash.combine(byte) }
        }
        return hash.value
    }

    func combineKey(into hash: inout StableHash) {
        switch self {
        case .config, .datapath, .applied: break
        case .host(let address, _): hash.combine(address.bits)
        case .vpc(let vni, _): hash.combine(vni)
        case .network(let key, _):
            hash.combine(key.vni)
            hash.combine(key.cidr.prefix.bits)
            hash.combine(UInt8(key.cidr.fullLength))
        case .endpoint(let key, _):
            hash.combine(key.vni)
            hash.combine(key.address.bits)
        case .port(let ifindex, _), .portMAC(let ifindex, _): hash.combine(ifindex)
        case .direct(let vni, _): hash.combine(vni)
        case .name(let id, _): hash.combine(id)
        case .wait(let digest, _): hash.combine(digest)
        case .foreign(_, let key, _): for byte in key { hash.combine(byte) }
        }
    }
}

extension Image {
    /// Of every row but what the data plane itself learns and counts, and when waiting steps were first wanted.
    public var digest: UInt64 {
        var sum: UInt64 = 0
        if let config { sum &+= Record.config(config).digest }
        for (key, row) in hosts { sum &+= Record.host(key, row).digest }
        for (key, row) in vpcs { sum &+= Record.vpc(key, row).digest }
        for (key, row) in networks { sum &+= Record.network(key, row).digest }
        for (key, row) in endpoints { sum &+= Record.endpoint(key, row).digest }
        for (key, row) in ports { sum &+= Record.port(key, row).digest }
        for (key, mac) in portMACs {
            let isFixed = ports[key]?.macFixed == true
            sum &+= Record.portMAC(key, isFixed ? mac : MACAddress(bits: 0)).digest
        }
        for (vni, capacity) in direct { sum &+= Record.direct(vni, capacity: capacity).digest }
        for (id, text) in names { sum &+= Record.name(id, text).digest }
        if let datapath { sum &+= Record.datapath(datapath).digest }
        if let applied { sum &+= Record.applied(applied).digest }
        for record in foreign { sum &+= record.digest }
        return sum
    }
}

extension Observation {
    /// Of the state that a plan was made on: the rows, the maps' capacities, the attachments, the devices.
    public var digest: UInt64 {
        var sum = image.digest
        for (table, capacity) in capacities {
            var hash = StableHash()
            hash.combine(table.rawValue)
            hash.combine(capacity)
            sum &+= hash.value
        }
        for (what, tables) in [("relaid", relaid), ("unreadable", unreadable)] {
            for table in tables {
                var hash = StableHash()
                hash.combine(what)
                hash.combine(table.rawValue)
                sum &+= hash.value
            }
        }
        for attachment in attachments {
            var hash = StableHash()
            hash.combine(attachment.interface)
            hash.combine(attachment.ifindex)
            hash.combine(attachment.point.rawValue)
            sum &+= hash.value
        }
        for device in devices { sum &+= device.digest }
        return programsUsePinnedMaps ? sum : ~sum
    }
}

extension Device {
    var digest: UInt64 {
        var hash = StableHash()
        for text in [endpoint, name, port] { hash.combine(text) }
        for number in [ifindex, portIndex] { hash.combine(number) }
        hash.combine(mac.bits)
        hash.combine(mtu)
        for address in addresses { hash.combine(address.bits) }
        for route in routes {
            hash.combine(route.destination.prefix.bits)
            hash.combine(UInt8(route.destination.fullLength))
            hash.combine(route.gateway?.bits ?? 0)
            hash.combine(route.source?.bits ?? 0)
        }
        hash.combine(UInt8((isUp ? 1 : 0) | (isConfined ? 2 : 0)))
        return hash.value
    }
}

extension Differ {
    /// Orders the steps of one rank: by table, then key, numerically.
    static func sortKey(_ step: Step) -> (String, SortableKey, String) {
        switch step.change {
        case .row(let before, let after):
            guard let record = after ?? before else { return ("", SortableKey(), step.subject) }
            return (record.table.rawValue, record.sortableKey, step.subject)
        case .capacity(let table, _, _): return (table.rawValue, SortableKey(), step.subject)
        case .programs: return ("", SortableKey(), step.subject)
        case .attach(let attachment, _), .detach(let attachment):
            return (attachment.point.rawValue, SortableKey(UInt128(attachment.ifindex)), attachment.interface)
        case .device(let before, let after):
            return ("device", SortableKey(UInt128((after ?? before)?.portIndex ?? 0)), step.subject)
        }
    }
}

/// Up to three numbers, compared in turn.
struct SortableKey: Comparable {
    var first: UInt128 = 0
    var second: UInt128 = 0
    var third: UInt128 = 0

    init(_ first: UInt128 = 0, _ second: UInt128 = 0, _ third: UInt128 = 0) {
        self.first = first
        self.second = second
        self.third = third
    }

    static func < (left: Self, right: Self) -> Bool {
        (left.first, left.second, left.third) < (right.first, right.second, right.third)
    }
}

extension Record {
    var sortableKey: SortableKey {
        switch self {
        case .config, .datapath, .applied: SortableKey()
        case .host(let address, _): SortableKey(address.bits)
        case .vpc(let vni, _): SortableKey(UInt128(vni))
        case .network(let key, _): SortableKey(UInt128(key.vni), key.cidr.prefix.bits, UInt128(key.cidr.fullLength))
        case .endpoint(let key, _): SortableKey(UInt128(key.vni), key.address.bits)
        case .port(let ifindex, _), .portMAC(let ifindex, _): SortableKey(UInt128(ifindex))
        case .direct(let vni, _): SortableKey(UInt128(vni))
        case .name(let id, _): SortableKey(UInt128(id))
        case .wait(let digest, _): SortableKey(UInt128(digest))
        case .foreign(_, let key, _): SortableKey(IPAddress(bytes: key).bits)
        }
    }
}
