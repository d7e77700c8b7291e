import Topology

// What is around the rows: capacities, programs, attachments.
extension Differ {
    /// Maps, and the programs on them.
    mutating func diffStructure(uplink: DatapathRow) {
        var resized = false
        for table in Table.allCases {
            let capacity = observation.capacities[table] ?? 0
            let needed = table.hasOneRow ? 1 : meanwhileCount(table)
            let wanted = Capacity.wanted(rows: needed, now: capacity, table)
            let isRelaid = observation.relaid.contains(table)
            guard wanted != capacity || isRelaid else { continue }
            // All maps of one layout come into force together, with the programs.
            if table.isReadByPrograms || isRelaid { resized = true }
            schedule(
                .capacity, .add, .capacity(table, from: capacity, to: wanted), "table \(table.rawValue)", at: nil)
        }
        let running = live.datapath?.programs ?? 0
        if resized || running != observation.programs || !observation.programsUsePinnedMaps {
            schedule(
                .programs, .add, .programs(from: running, to: observation.programs), "data plane programs", at: nil)
        }
        var datapath = live.datapath
        if running != 0, running != observation.programs {
            // Killed in between, programs of both versions run, and neither version may take them for its own.
            datapath?.programs = 0
            schedule(.disown, .add, before: live.datapath.map(Record.datapath), after: datapath.map(Record.datapath))
        }
        if datapath != uplink {
            schedule(.datapath, .add, before: datapath.map(Record.datapath), after: .datapath(uplink))
        }
    }

    /// The most rows that the table has at any step of this plan, waiting ones included.
    private func meanwhileCount(_ table: Table) -> Int {
        let foreign = live.foreign.count { $0.table == table }
        let rows =
            switch table {
            case .hosts: most(live.hosts, next.hosts, final.hosts)
            case .vpcs: most(live.vpcs, next.vpcs, final.vpcs)
            case .networks: most(live.networks, next.networks, final.networks)
            case .endpoints: most(live.endpoints, next.endpoints, final.endpoints)
            case .direct: most(live.direct, next.direct, final.direct)
            case .ports: most(live.ports, next.ports, final.ports)
            case .portMACs: most(live.portMACs, next.portMACs, final.portMACs)
            // Of each port one, and slot 0.
            case .traffic: most(live.ports, next.ports, final.ports) + 1
            case .names: most(live.names, namesNext, final.names)
            case .waits: most(live.waits, meanwhile.waits, [:])
            case .config, .datapath, .applied: 1
            }
        return foreign + rows
    }

    private func most<K, V>(_ live: [K: V], _ next: [K: V], _ final: [K: V]) -> Int {
        max(final.count, live.count + next.keys.count { live[$0] == nil })
    }

    /// Attaches what is missing and detaches what nobody wants.
    ///
    /// - Returns: the row that says how the uplink is attached.
    mutating func diffAttachments() -> DatapathRow {
        var wanted: Set<Attachment> = []
        for ifindex in next.ports.keys {
            wanted.insert(Attachment(ifindex: ifindex, interface: names.interface(ifindex), point: .port))
        }
        var row = DatapathRow(programs: observation.programs, uplink: 0, mode: .none, reason: .chosen)
        var orElse: DatapathRow?
        if let uplink = meanwhile.devices.uplink.interface {
            (row, orElse) = uplinkMode(uplink)
            if let loopback = observation.loopback { wanted.insert(loopback) }
            for point in [Attachment.Point.guardEgress, .uplink] {
                wanted.insert(Attachment(ifindex: uplink.ifindex, interface: uplink.name, point: point))
            }
            for one in observation.besideUplink(final) {
                for point in [Attachment.Point.beside, .besideGuard] {
                    wanted.insert(Attachment(ifindex: one.ifindex, interface: one.interface, point: point))
                }
            }
            if row.mode == .xdp {
                wanted.insert(Attachment(ifindex: uplink.ifindex, interface: uplink.name, point: .xdp))
            }
        }
        // A device that is renamed keeps what is attached to its port.
        let renamed = Set(meanwhile.devices.wanted.map(\.device.portIndex))
        let found = Set(
            observation.attachments.map { one in
                let interface = renamed.contains(one.ifindex) ? names.interface(one.ifindex) : one.interface
                return Attachment(ifindex: one.ifindex, interface: interface, point: one.point)
            })
        for attachment in wanted.subtracting(found) {
            let subject = "program \(attachment.point.rawValue) on \(attachment.interface)"
            let at =
                attachment.point == .port
                ? next.ports[attachment.ifindex].flatMap { index.endpointByID[$0.endpoint] }
                    .map { index.topology.endpoints[$0].at } : host.at
            schedule(
                .attach, .add, .attach(attachment, orElse: attachment.point == .xdp ? orElse : nil), subject, at: at)
        }
        let gone = portsLeavingFirst
        for attachment in found.subtracting(wanted) where !gone.contains(attachment.ifindex) {
            var phase = Phase.add
            if attachment.point == .port, let port = live.ports[attachment.ifindex] {
                phase = removalPhase(port)
            }
            schedule(
                .detach, phase, .detach(attachment), "program \(attachment.point.rawValue) on \(attachment.interface)",
                at: nil)
        }
        return row
    }

    /// An error where Geneve is about to begin to pass policies by, a warning where it does so already.
    func ipsecFinding() -> Diagnostic? {
        let demands = observation.ipsecDemands(final)
        guard host.ipsec == .refuse, let first = demands.first else { return nil }
        let isRunning = observation.attachments.contains { $0.point == .uplink || $0.point == .guardEgress }
        let more = demands.count > 1 ? ", and \(demands.count - 1) more of its kind" : ""
        return Diagnostic(
            isRunning ? .warning : .error, "MZ512", at: host.at,
            "an IPsec policy of \(host.name) \(first.words)\(more), and Geneve passes it by, in the clear",
            hint: "except UDP port \(index.topology.cluster.port) from the policy, or write `ipsec: ignore` if that is meant")
    }

    /// Where XDP is asked for and cannot be, tc does its work.
    func datapathFinding(_ row: DatapathRow) -> Diagnostic? {
        guard host.datapath == .xdp, row.mode == .tc else { return nil }
        let why =
            row.reason == .occupied
            ? "another XDP program is attached there" : "its driver refuses native XDP, or hides VLAN tags from it"
        return Diagnostic(
            .warning, "MZ514", at: host.at, "the uplink of \(host.name) runs tc in place of XDP: \(why)",
            hint: "write `datapath: auto`, or make XDP possible there: another MTU, other queues, offloads off")
    }

    /// How the uplink is attached: as the topology says, or for `auto` natively by XDP where that costs nothing.
    private func uplinkMode(_ uplink: Interface) -> (DatapathRow, orElse: DatapathRow?) {
        func row(_ mode: DatapathRow.Mode, _ reason: DatapathRow.Reason) -> DatapathRow {
            DatapathRow(programs: observation.programs, uplink: uplink.ifindex, mode: mode, reason: reason)
        }
        switch host.datapath {
        case .tc: return (row(.tc, .chosen), nil)
        case .xdp:
            if uplink.foreignXDP { return (row(.tc, .occupied), nil) }
            let refused = row(.tc, .refused)
            return live.datapath == refused ? (refused, nil) : (row(.xdp, .chosen), refused)
        case .auto:
            if uplink.driver == "veth" { return (row(.tc, .veth), nil) }
            if uplink.foreignXDP { return (row(.tc, .occupied), nil) }
            let refused = row(.tc, .refused)
            if live.datapath == refused { return (refused, nil) }
            return (row(.xdp, .native), refused)
        }
    }
}

/// How large a map is made.
///
/// Policy: half as much again as is stored, in powers of two, so that growth is rare and a hash, which costs 16 bytes a
/// bucket even when empty, stays in proportion. A map shrinks when it is eight times too large; `traffic` does not, where
/// ports keep the places that they got.
public enum Capacity {
    static let smallest = 64

    /// Rows that a map of so many rows has room for.
    public static func ideal(rows: Int) -> Int {
        var capacity = smallest
        while capacity < rows + rows / 2 { capacity *= 2 }
        return capacity
    }

    static func wanted(rows: Int, now: Int, _ table: Table) -> Int {
        if table.hasOneRow { return 1 }
        let ideal = ideal(rows: rows)
        return now == 0 || rows > now || (now >= 8 * ideal && table != .traffic) ? ideal : now
    }
}
