import Topology

/// What rows are called, and which line is behind them: for people, who do not know VNIs and ids by heart.
///
/// Looks in the topology first and in the one before it second, because a plan also names what is gone.
struct Names {
    let head: TopologyIndex
    let base: TopologyIndex?
    /// Interface names of this host by index.
    let interfaces: [UInt32: String]
    /// What the host's rows say of interfaces that have gone.
    var live = Image()
    /// Paths by stable id, of what neither topology knows.
    var paths: [UInt64: String] = [:]

    private func first<T>(_ find: (TopologyIndex) -> T?) -> T? { find(head) ?? base.flatMap(find) }

    func host(_ address: IPAddress) -> String { first { $0.host(at: address)?.name } ?? "\(address)" }
    func vpc(_ vni: UInt32) -> String { first { $0.vpc(vni: vni)?.name } ?? "vni \(vni)" }
    func interface(_ ifindex: UInt32) -> String { interfaces[ifindex] ?? live.interfaceName(ifindex) ?? "interface \(ifindex)" }

    func network(_ id: UInt64, vni: UInt32) -> String {
        first { $0.network(id: id)?.name } ?? paths[id] ?? vpc(vni)
    }

    /// Name and place of what the row is about.
    func describe(_ record: Record) -> (subject: String, at: SourceLocation?) {
        switch record {
        case .config(let row):
            let host = head.host(at: row.address)
            return ("host \(host?.name ?? "\(row.address)")", host?.at)
        case .host(let address, _):
            let host = first { $0.host(at: address) }
            return ("peer \(host.map { "\($0.name) " } ?? "")\(address)", head.host(at: address)?.at)
        case .vpc(let vni, let row):
            let vpc = first { index in index.vpc(vni: vni).flatMap { StableHash.id($0.name) == row.vpc ? $0 : nil } }
            return ("vpc \(vpc?.name ?? self.vpc(vni))", head.vpc(vni: vni).flatMap { $0.name == vpc?.name ? $0.at : nil })
        case .network(let key, let row):
            // By id, not by place: the place may be another network's by now.
            let network = first { $0.network(id: row.network) }
            return ("network \(network?.name ?? vpc(key.vni)) \(key.cidr)", head.network(id: row.network)?.at)
        case .endpoint(let key, let row):
            switch row.kind {
            case .gateway, .broadcast:
                let name = network(row.network, vni: key.vni)
                return ("\(row.kind.rawValue) \(name) \(key.address)", head.network(name)?.at)
            case .local, .remote, .unreachable:
                func endpoint(_ index: TopologyIndex) -> Endpoint? {
                    index.endpoint(key).flatMap { StableHash.id($0.network) == row.network ? $0 : nil }
                }
                let name = first { endpoint($0)?.name } ?? network(row.network, vni: key.vni)
                return ("endpoint \(name) \(key.address)", endpoint(head)?.at)
            }
        case .port(let ifindex, let row):
            func endpoint(_ index: TopologyIndex) -> Endpoint? {
                index.endpointByID[row.endpoint].map { index.topology.endpoints[$0] }
            }
            let name = first { endpoint($0)?.name } ?? paths[row.endpoint]
            return ("port \(interface(ifindex))\(name.map { " of \($0)" } ?? "")", endpoint(head)?.at)
        case .portMAC(let ifindex, _): return ("mac \(interface(ifindex))", nil)
        case .direct(let vni, _): return ("direct path of \(vpc(vni))", nil)
        case .name(_, let text): return ("name \(text)", nil)
        case .wait: return ("wait", nil)
        case .datapath: return ("datapath", nil)
        case .applied: return ("applied commit", nil)
        case .foreign(let table, let key, _):
            return ("unknown row \(table.rawValue)[\(key.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())]", nil)
        }
    }

    /// The values of a change in words.
    func detail(_ change: Change) -> String {
        switch change {
        case .row(let before?, let after?):
            let (old, new) = (value(before), value(after))
            let hidden = hiddenChanges(from: before, to: after)
            if old != new { return (["\(old) -> \(new)"] + hidden).joined(separator: ", ") }
            // Renamed: the same values under other ids.
            let was = zip(describe(before).subject.split(separator: " "), describe(after).subject.split(separator: " "))
                .filter { $0 != $1 }.map { "was \($0.0)" }
            return ((hidden.isEmpty ? [new].filter { !$0.isEmpty } : hidden) + was).joined(separator: ", ")
        case .row(let before, let after): return (after ?? before).map(value) ?? ""
        case .capacity(_, from: 0, let to): return "room for \(to) rows"
        case .capacity(_, let from, let to) where from == to: return "as this version lays it out"
        case .capacity(_, let from, let to): return "room for \(from) -> \(to) rows"
        case .programs(let from, let to):
            let new = String(to, radix: 16)
            return from == 0 ? new : from == to ? "\(new), on other maps" : "\(String(from, radix: 16)) -> \(new)"
        case .attach(let attachment, let orElse):
            return attachment.point == .xdp ? "native XDP\(orElse == nil ? "" : ", or tc if the driver refuses")" : "tc"
        case .detach: return ""
        case .device(let before, let after): return detail(from: before, to: after)
        }
    }

    /// What differs of values that are not drawn as long as they stay, and addresses behind names that stay.
    private func hiddenChanges(from before: Record, to after: Record) -> [String] {
        switch before {
        case .config(let old):
            guard case .config(let new) = after else { return [] }
            let settings = [
                ("direct.after", "\(old.directAfter)", "\(new.directAfter)"),
                ("direct.age", Self.ticks(old.directAge), Self.ticks(new.directAge)),
                ("health.interval", Self.ticks(UInt32(old.healthInterval)), Self.ticks(UInt32(new.healthInterval))),
                ("health.count", "\(old.healthCount)", "\(new.healthCount)"),
                ("dscp", old.dscp.map(String.init) ?? "copy", new.dscp.map(String.init) ?? "copy"),
            ]
            return settings.filter { $0.1 != $0.2 }.map { "\($0.0) \($0.1) -> \($0.2)" }
        case .endpoint, .network, .vpc: return readdressed(members(before), members(after))
        case .host, .port, .portMAC, .direct, .name, .wait, .datapath, .applied, .foreign: return []
        }
    }

    /// The roundest duration that is so many ticks of 2^24 ns.
    private static func ticks(_ count: UInt32) -> String {
        let range = (UInt64(count) << 24 + 999_999) / 1_000_000...(UInt64(count) + 1) << 24 / 1_000_000
        let unit = [1000, 100, 10].first { range.upperBound / $0 * $0 >= range.lowerBound } ?? 1
        return Setting.duration(range.upperBound / unit * unit)
    }

    private func members(_ record: Record) -> [IPAddress] {
        switch record {
        case .endpoint(_, let row): [row.host]
        case .network(_, let row): row.bouncers
        case .vpc(_, let row): row.dividers
        case .config, .host, .port, .portMAC, .direct, .name, .wait, .datapath, .applied, .foreign: []
        }
    }

    /// Hosts that are called the same, and are elsewhere.
    private func readdressed(_ old: [IPAddress], _ new: [IPAddress]) -> [String] {
        let come = new.filter { !old.contains($0) }
        return old.filter { !new.contains($0) }.compactMap { address in
            come.first { host($0) == host(address) }.map { "\(host(address)) \(address) -> \($0)" }
        }
    }

    private func value(_ record: Record) -> String {
        switch record {
        case .config(let row):
            let uplink = row.uplink == 0 ? "uplink awaited" : "uplink \(interface(row.uplink))"
            let ports = (["\(row.port)"] + row.otherPorts.map { "and from \($0)" }).joined(separator: " ")
            // Of an interface that is not there nothing is known.
            let mtu = row.uplink == 0 ? "" : ", MTU \(row.mtu)"
            return "\(row.address), \(uplink), UDP port \(ports)\(mtu)"
        case .direct(_, let capacity): return "room for \(capacity) endpoints"
        case .host(_, let row): return row.isDown ? "down" : ""
        case .name, .wait, .datapath, .foreign: return ""
        case .vpc(let vni, let row):
            let lengths = (row.lengths4.map { "/\($0 - 96)" } + row.lengths6.map { "/\($0)" }).joined(separator: " ")
            return "VNI \(vni), dividers \(hosts(row.dividers))\(row.held ? ", held here" : "")"
                + (lengths.isEmpty ? "" : ", prefixes \(lengths)")
        case .network(_, let row):
            return "bouncers \(hosts(row.bouncers))\(row.held ? ", held here" : "")"
                + (row.gateway.map { ", gateway \($0)" } ?? "")
        case .endpoint(_, let row):
            switch row.kind {
            case .local: return row.ifindex == 0 ? "here, interface awaited" : "here, \(interface(row.ifindex))"
            case .remote: return "on \(host(row.host))\(row.ifindex == 0 ? "" : ", was \(interface(row.ifindex))")"
            case .unreachable: return "on \(host(row.host)), which is down"
            case .gateway: return "answered here"
            case .broadcast: return "dropped"
            }
        case .port(_, let row):
            return "\(first { $0.network(id: row.network)?.vpc } ?? vpc(row.vni)) (VNI \(row.vni))"
                + "\(row.macFixed ? ", MAC enforced" : "")\(row.answersAll ? ", no gateway" : "")"
                + (row.isStraight ? ", straight into its namespace" : "") + (row.hasDevice ? "" : ", its interface has gone")
        case .portMAC(_, let mac): return "\(mac)"
        case .applied(let row): return row.commit.isEmpty ? "a folder" : row.commit
        }
    }

    private func hosts(_ addresses: [IPAddress]) -> String { addresses.map(host).joined(separator: ", ") }
}
