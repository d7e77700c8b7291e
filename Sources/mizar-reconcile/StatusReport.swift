import Applier
import FoundationEssentials
import Planner
import Topology

/// What `status` prints: the JSON form by its properties, the text form by `text`.
struct StatusReport: Encodable {
    struct Endpoint: Encodable {
        let name: String
        let network: String
        let vpc: String
        let addresses: [IPAddress]
        /// Missing: the endpoint waits for its interface.
        let interface: String?
        /// Of one whose interface has gone: what that was called.
        let interfaceWas: String?
        /// Of a host endpoint: the host's interface in the network.
        let device: String?
        let mac: MACAddress?
        let macEnforced: Bool
        let traffic: Traffic
    }

    struct Peer: Encodable {
        let address: IPAddress
        let state: HostStatus.Peer.State
        let commit: String
        /// Missing: it has not answered its last echo, or was sent none.
        let answeredSecondsAgo: Int?
    }

    struct Condition: Encodable {
        let name: Applier.Condition.Name
        let status: Applier.Condition.Status
        /// Missing: nothing on this host says it.
        let since: String?
        let reason: String
        let text: String
        let hint: String?
    }

    struct Drop: Encodable {
        let reason: String
        let text: String
        let packets: UInt64
        let bytes: UInt64
    }

    struct Program: Encodable {
        let point: Attachment.Point
        let interface: String
        let ifindex: UInt32
        /// How the kernel comes to run it: `tcx`, `clsact` or `xdp`.
        let hook: String
    }

    struct Elsewhere: Encodable {
        let interfaces: [String]
        /// Where they are pinned; missing: this process cannot see where.
        let place: String?
    }

    struct Table: Encodable {
        let name: String
        let rows: Int
        let capacity: Int
        let memoryBytes: Int
    }

    struct Uplink: Encodable {
        /// Missing: the uplink's interface does not exist.
        let interface: String?
        let address: IPAddress
        let port: UInt16
        /// Taken, too, while the cluster's port changes.
        let otherPorts: [UInt16]
        /// Whether the kernel joins what comes in there (GRO).
        let receiveOffload: Bool
        let mtu: UInt16
        /// Of endpoints: what always fits.
        let usableMtu: UInt16
        let mode: DatapathRow.Mode
        let reason: DatapathRow.Reason
    }

    struct LastRound: Encodable {
        /// By this host's clock.
        let at: String
        /// When it first went so.
        let since: String
        let outcome: Round.Outcome
        /// The newest commit that was seen.
        let commit: String
        /// What is wrong.
        let text: String
    }

    let formatVersion = Plan.formatVersion
    let host: String
    let well: Bool
    /// Ready first.
    let conditions: [Condition]
    /// Missing: no round was noted.
    let lastRound: LastRound?
    /// Missing: nothing was applied; empty: a plain folder.
    let commit: String?
    let uplink: Uplink?
    let endpoints: [Endpoint]
    /// Of the endpoints of this host.
    let networks: [Sum]
    let vpcs: [Sum]
    let pending: [AwaitedEndpoint]
    let attachments: [Program]
    let drops: [Drop]
    /// Changes that wait for `settle`, as `plan` counts them.
    let waiting: Int
    /// Changes that waited, and that the next apply or round does.
    let due: Int
    let tables: [Table]
    let memoryBytes: Int
    /// Seconds until the next and the last of those that wait; missing: none does.
    let nextDueSeconds: UInt64?
    let lastDueSeconds: UInt64?
    let peers: Int
    /// The other hosts, as far as this one sends to them.
    let hosts: [Peer]
    /// What the host's IPsec asks of Geneve, and does not get.
    let ipsec: [IPsecDemand]
    /// Interfaces in the network of other hosts, by which Geneve is not taken.
    let besideUplink: [String]
    /// Programs run here on maps that are pinned elsewhere.
    let mapsElsewhere: Elsewhere?
    /// Set if the maps are of another host than the one asked for.
    let otherHost: String?

    init(host: String, status: HostStatus) {
        self.host = host
        let image = status.observation.image
        commit = status.applied?.commit
        lastRound = status.round.map {
            LastRound(at: Self.time($0.at), since: Self.time($0.since), outcome: $0.outcome, commit: $0.commit, text: $0.text)
        }
        conditions = status.conditions(owner: image.owner(otherThan: host)).map {
            Condition(
                name: $0.name, status: $0.status, since: $0.since.map(Self.time), reason: $0.reason, text: $0.text, hint: $0.hint)
        }
        well = !conditions.contains { $0.status == .fails }
        ipsec = status.observation.ipsecDemands(image)
        besideUplink = status.observation.besideUplink(image).map(\.interface)
        mapsElsewhere = status.observation.elsewhere.map { Elsewhere(interfaces: $0.interfaces, place: $0.place) }
        otherHost = image.owner(otherThan: host).map(\.description)
        let interfaces = Dictionary(status.observation.interfaces.map { ($0.ifindex, $0) }) { first, _ in first }
        uplink = image.config.map { config in
            Uplink(
                interface: interfaces[config.uplink]?.name, address: config.address, port: config.port,
                otherPorts: config.otherPorts, receiveOffload: status.hasReceiveOffload, mtu: config.mtu, usableMtu: config.usableMTU,
                mode: status.datapath?.mode ?? .none, reason: status.datapath?.reason ?? .chosen)
        }
        var addresses: [UInt32: [IPAddress]] = [:]
        for (key, row) in image.endpoints where row.ifindex != 0 { addresses[row.ifindex, default: []].append(key.address) }
        pending = image.awaited
        let devices = Dictionary(status.observation.devices.map { ($0.portIndex, $0.name) }) { first, _ in first }
        let traffic = Dictionary(status.traffic.map { ($0.ifindex, Traffic($0)) }) { first, _ in first }
        endpoints = image.ports.map { ifindex, row in
            Endpoint(
                name: image.names[row.endpoint] ?? "endpoint \(String(row.endpoint, radix: 16))",
                network: Self.name(image, network: row.network),
                vpc: image.vpcs[row.vni].flatMap { image.names[$0.vpc] } ?? "VNI \(row.vni)",
                addresses: (addresses[ifindex] ?? []).sorted(), interface: interfaces[ifindex]?.name,
                interfaceWas: interfaces[ifindex] == nil ? image.interfaceName(ifindex) : nil, device: devices[ifindex],
                mac: image.portMACs[ifindex], macEnforced: row.macFixed, traffic: traffic[ifindex] ?? Traffic())
        }.sorted { $0.name < $1.name }
        networks = Sum.each(endpoints, by: \.network)
        vpcs = Sum.each(endpoints, by: \.vpc)
        attachments = status.attachments.map {
            Program(point: $0.point, interface: $0.interface, ifindex: $0.ifindex, hook: status.hooks[$0] ?? "xdp")
        }
        drops = status.drops.map { Drop(reason: $0.word, text: $0.text, packets: $0.packets, bytes: $0.bytes) }
        let changes = WaitingChanges(noted: image.names, now: status.observation.now)
        (waiting, due) = (changes.count, changes.due)
        (nextDueSeconds, lastDueSeconds) = (changes.seconds?.next, changes.seconds?.last)
        tables = status.tables.map { Table(name: $0.name, rows: $0.rows, capacity: $0.capacity, memoryBytes: $0.memory) }
        memoryBytes = status.memory
        peers = image.hosts.count
        hosts = status.peers.map {
            Peer(address: $0.address, state: $0.state, commit: $0.commit, answeredSecondsAgo: $0.answeredSecondsAgo)
        }
    }

    private static func time(_ nanoseconds: UInt64) -> String {
        Log.time(Date(timeIntervalSince1970: Double(nanoseconds) / 1_000_000_000))
    }

    private static func name(_ image: Image, network: UInt64) -> String {
        image.names[network] ?? "network \(String(network, radix: 16))"
    }

    /// The first line of the text.
    var verdict: String { well ? "Well" : "Not well: \(conditions.first?.text ?? "")" }

    /// The second.
    var head: String {
        guard uplink != nil else { return "Host \(host): nothing is applied here." }
        return "Host \(host), \(commit.map { $0.isEmpty ? "a folder" : "commit \($0)" } ?? "no commit") applied"
            + (otherHost.map { " (for another host: \($0))" } ?? "")
    }

    /// For people; `directory` is where the maps were looked for.
    func text(below directory: String) -> String { verdict.printable + "\n" + details(below: directory) }

    private func details(below directory: String) -> String {
        guard let uplink else {
            guard !attachments.isEmpty else {
                return head + " Are its maps pinned elsewhere than below \(directory)? Then say where by --bpffs."
            }
            let places = Set(attachments.map(\.interface)).sorted().joined(separator: ", ")
            if let elsewhere = mapsElsewhere { return head + "\nMaps elsewhere: \(elsewhere.words)" }
            return head
                + "\nPrograms are attached all the same, to \(places): their maps are not below \(directory), nor pinned elsewhere: "
                + "their pins were removed (`apply` makes them anew, `detach` takes the programs off)."
        }
        var lines = [head]
        if let elsewhere = mapsElsewhere { lines.append("Maps elsewhere: \(elsewhere.words)") }
        let place = uplink.interface.map { " on \($0), \(Self.words(uplink))" } ?? ", whose interface is awaited"
        let mtu = uplink.interface == nil ? "" : "MTU \(uplink.mtu), endpoints' at most \(uplink.usableMtu), "
        let ports = (["\(uplink.port)"] + uplink.otherPorts.map { "and from \($0)" }).joined(separator: " ")
        lines.append(
            "Underlay: \(uplink.address)\(place); Geneve on UDP port \(ports), \(uplink.receiveOffload ? "" : "no ")GRO, \(mtu)\(peers) peers"
        )
        for condition in conditions.dropFirst() where condition.status != .holds {
            let since = condition.since.map { " since \($0)" } ?? ""
            lines.append(
                "\(condition.name.rawValue): \(condition.status.rawValue)\(since) (\(condition.reason)): \(condition.text)"
                    + (condition.hint.map { "; \($0)" } ?? ""))
        }
        if let lastRound { lines.append(lastRound.words(applied: commit ?? "")) }
        for peer in hosts where peer.state == .silent {
            lines.append("Silent: host \(peer.address) does not answer and is avoided")
        }
        if let nextDueSeconds, let lastDueSeconds {
            lines.append("Waiting: \(WaitingChanges.text(count: waiting, next: nextDueSeconds, last: lastDueSeconds))")
        }
        if due > 0 { lines.append("Due: \(due) \(due == 1 ? "change" : "changes"), which the next apply or round makes") }
        for demand in ipsec {
            lines.append("IPsec: a policy of this host \(demand.words); Geneve passes it by, in the clear")
        }
        for interface in besideUplink {
            lines.append("Beside the uplink: \(interface) is in the network of other hosts; Geneve that comes in by it is taken, too")
        }
        for endpoint in pending {
            let addresses = endpoint.addresses.map(\.description).joined(separator: " ")
            let words = endpoint.name.map { "\($0) \(addresses)" } ?? "\(addresses) of \(endpoint.network)"
            lines.append("Pending: \(words) waits for its interface")
        }
        lines += Self.table(
            ["ENDPOINT", "INTERFACE", "ADDRESSES", "MAC", "SENT", "RECEIVED", "TO OTHER HOSTS"],
            endpoints.map { endpoint in
                [
                    endpoint.name, endpoint.device ?? endpoint.interface ?? endpoint.interfaceWas.map { "\($0) (gone)" } ?? "gone",
                    endpoint.addresses.map(\.description).joined(separator: " "),
                    (endpoint.mac.map(\.description) ?? "-") + (endpoint.macEnforced ? "!" : ""),
                ] + endpoint.traffic.columns
            })
        for (title, sums) in [("NETWORK", networks), ("VPC", vpcs)] {
            lines += Self.table(
                [title, "ENDPOINTS", "SENT", "RECEIVED", "TO OTHER HOSTS"],
                sums.map { [$0.name, "\($0.endpoints)"] + $0.traffic.columns })
        }
        lines += Self.table(
            ["DROPPED", "PACKETS", "BYTES", "WHY"],
            drops.map { [$0.reason, "\($0.packets)", "\($0.bytes)", $0.text] })
        lines += Self.table(
            ["PROGRAM", "INTERFACE", "HOOK"], attachments.map { [$0.point.rawValue, $0.interface, $0.hook] })
        lines += Self.table(
            ["TABLE", "ROWS", "CAPACITY", "MEMORY"],
            tables.map { [$0.name, "\($0.rows)", "\($0.capacity)", "\(($0.memoryBytes + 1023) / 1024) KiB"] })
        lines.append("Map memory: \((memoryBytes + 1023) / 1024) KiB")
        return lines.map(\.printable).joined(separator: "\n")
    }

    private static func words(_ uplink: Uplink) -> String {
        let why =
            switch uplink.reason {
            case .chosen: "as the topology says"
            case .native: "auto: the driver runs XDP natively"
            case .veth: "auto: on a veth, XDP would cost the peer its offloads"
            case .refused: "auto: the driver refused native XDP"
            case .occupied: "auto: another XDP program is attached"
            }
        return "\(uplink.mode.rawValue) (\(why))"
    }

    /// Columns as wide as they need to be, after an empty line; nothing for no rows.
    private static func table(_ head: [String], _ rows: [[String]]) -> [String] {
        guard !rows.isEmpty else { return [] }
        let all = [head] + rows
        let widths = head.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return [""]
            + all.map { row in
                var line = row.enumerated().map { $1 + String(repeating: " ", count: widths[$0] - $1.count) }.joined(separator: "  ")
                while line.last == " " { line.removeLast() }
                return line
            }
    }
}

extension StatusReport.Elsewhere {
    var words: String {
        "programs on \(interfaces.joined(separator: ", ")) run on maps that are pinned "
            + (place.map { "at \($0) (say so by --bpffs, where that is seen)" } ?? "where this process cannot see them")
    }
}

extension StatusReport.LastRound {
    func words(applied: String) -> String {
        let newest = commit.isEmpty || commit == applied ? "" : "; the newest commit seen is \(commit.prefix(12))"
        guard outcome != .done else { return "Last round: \(at), all done\(newest)" }
        return "Trouble since \(since), last round \(at): \(text)\(newest)"
    }
}
