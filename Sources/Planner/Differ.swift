import Topology

/// Compares the live rows with the wanted ones and gives every difference a phase and a place in the order.
///
/// Three images lead from what is live to what the topology wants: what this host shall hold when the plan is done
/// (`next`), once every pointer has moved (`switched`), and in the end (`final`). A plan's steps lead from live to `next`;
/// what lies between `next` and `final` waits. Meanwhile says what each image holds and why.
struct Differ {
    let index: TopologyIndex
    let base: TopologyIndex?
    let host: Host
    let observation: Observation
    let names: Names
    let meanwhile: Meanwhile

    var due: [(rank: Rank, step: Step)] = []
    var waiting: [Plan.Waiting] = []
    var warnings: [Diagnostic] = []
    /// Whether this plan lets Geneve go to another port.
    private var changesPort = false
    /// The rows of `names` when the plan is done, notes included.
    private(set) var namesNext: [UInt64: String] = [:]

    /// What the plan builds on: the live rows, and those that `refill` writes.
    private(set) var live: Image
    var next: Image { meanwhile.next }
    var final: Image { meanwhile.final }

    /// The order of a plan's steps: make before break.
    enum Rank: Int, Comparable {
        case capacity, refill, disown, programs, foreign, waits, release, devices, base, ports, attach, datapath
        case leaving, sending, endpoints, lengths, networks, vpcs, arrivals, configure
        case detach, removeVPCs, removeNetworks, removeEndpoints, shrink, removePorts, removeDevices, removeHosts
        case waited, applied

        static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    }

    init(
        index: TopologyIndex, base: TopologyIndex?, skipped: Set<VNIOwner> = [], host: Host, observation: Observation, through: Phase?
    ) {
        self.index = index
        self.base = base
        self.host = host
        self.observation = observation
        live = observation.image
        var byIndex: [UInt32: String] = [:]
        for interface in observation.interfaces { byIndex[interface.ifindex] = interface.name }
        meanwhile = Meanwhile(
            index: index, base: base, skipped: skipped, host: host, observation: observation, through: through)
        for wanted in meanwhile.devices.wanted { byIndex[wanted.device.portIndex] = wanted.device.port }
        names = Names(head: index, base: base, interfaces: byIndex, live: observation.image, paths: observation.image.names)
    }

    var orderedSteps: [Step] { due.map(\.step) }

    mutating func run(commit: String) {
        refill()
        let start = release()
        diffBase()
        diffDevices()
        diffPorts(from: start)
        diffDirect(from: start)
        diffEndpoints(from: start)
        diffNetworks(from: start)
        diffVPCs(from: start)
        for record in live.foreign { schedule(.foreign, .add, before: record, after: nil) }
        let uplink = diffAttachments()
        diffWaits()
        diffApplied(commit: commit)
        listWaiting()
        diffNames()
        diffStructure(uplink: uplink)
        warnings += [meanwhile.devices.uplink.finding(host), ipsecFinding(), datapathFinding(uplink)].compactMap(\.self)
        warnTakeovers()
        warnLargeInterfaces()
        // Rows come out of dictionaries: the order is made here, and nowhere else.
        due = due.map { (rank: $0.rank, key: Self.sortKey($0.step), step: $0.step) }
            .sorted { ($0.rank, $0.key.0, $0.key.1, $0.key.2) < ($1.rank, $1.key.0, $1.key.1, $1.key.2) }
            .map { ($0.rank, $0.step) }
        waiting = waiting.map { (key: Self.sortKey($0.step), item: $0) }
            .sorted {
                ($0.item.due, $0.item.step.phase, $0.key.0, $0.key.1, $0.key.2)
                    < ($1.item.due, $1.item.step.phase, $1.key.0, $1.key.1, $1.key.2)
            }
            .map(\.item)
    }

    // MARK: Steps

    mutating func schedule(_ rank: Rank, _ phase: Phase, _ change: Change, _ subject: String, at: SourceLocation?) {
        due.append((rank, Step(phase: phase, change: change, subject: subject, detail: names.detail(change), at: at)))
    }

    mutating func schedule(_ rank: Rank, _ phase: Phase, before: Record?, after: Record?) {
        guard let record = after ?? before else { return }
        let (subject, at) = names.describe(record)
        schedule(rank, phase, .row(before: before, after: after), subject, at: at)
    }

    // MARK: Rows

    /// Writes rows that another version's tables have, but this one cannot read, as the commit wants them, before its programs
    /// need them.
    private mutating func refill() {
        for table in observation.unreadable.sorted() where table.isReadByPrograms {
            for record in next.records(of: table) where live.value(of: record) == nil {
                schedule(.refill, .add, before: nil, after: record)
                live.put(record)
            }
        }
    }

    /// Takes away first what would lead into another VPC, or to another endpoint, once its place is taken: rows of a
    /// VNI that passes to another VPC, and rows of an interface that passes to another endpoint.
    ///
    /// - Returns: the rows that these steps leave, on which the rest of the plan builds.
    private mutating func release() -> Image {
        var start = live
        for vni in meanwhile.released.sorted() {
            for (key, row) in live.endpoints where key.vni == vni { drop(.endpoint(key, row), from: &start) }
            for (key, row) in live.networks where key.vni == vni { drop(.network(key, row), from: &start) }
            for (key, row) in live.ports where row.vni == vni { drop(.port(key, row), from: &start) }
            if let row = live.vpcs[vni] { drop(.vpc(vni, row), from: &start) }
            if let capacity = live.direct[vni] { drop(.direct(vni, capacity: capacity), from: &start) }
        }
        func isReassigned(_ ifindex: UInt32) -> Bool {
            guard let wanted = next.ports[ifindex] else { return false }
            return live.ports[ifindex]?.endpoint != wanted.endpoint
        }
        for (key, row) in start.endpoints where row.ifindex != 0 && isReassigned(row.ifindex) {
            guard var wanted = next.endpoints[key] else {
                drop(.endpoint(key, row), from: &start)
                continue
            }
            guard wanted.ifindex != row.ifindex else { continue }
            if isReassigned(wanted.ifindex) { wanted.ifindex = 0 }
            schedule(.release, .add, before: .endpoint(key, row), after: .endpoint(key, wanted))
            start.endpoints[key] = wanted
        }
        return start
    }

    private mutating func diffNames() {
        namesNext = next.names
        var noted = Array(next.ports.keys) + next.endpoints.values.map(\.ifindex)
        if let uplink = next.config?.uplink { noted.append(uplink) }
        for ifindex in noted where ifindex != 0 {
            let id = InterfaceNote.id(ifindex)
            namesNext[id] = names.interfaces[ifindex] ?? live.names[id]
        }
        namesNext.merge(WaitingChanges(waiting, now: observation.now).notes) { $1 }
        for (id, text) in namesNext where live.names[id] != text {
            schedule(.ports, .add, before: live.names[id].map { .name(id, $0) }, after: .name(id, text))
        }
        for (id, text) in live.names where namesNext[id] == nil {
            schedule(.removePorts, .add, before: .name(id, text), after: nil)
        }
    }

    private mutating func drop(_ record: Record, from image: inout Image) {
        schedule(.release, .add, before: record, after: nil)
        image.remove(record)
    }

    private mutating func diffBase() {
        if let config = next.config { diffConfig(config) }
        for (address, row) in next.hosts where live.hosts[address] != row {
            let phase: Phase = index.host(at: address) == nil ? .switch : .add
            schedule(.base, phase, before: live.hosts[address].map { .host(address, $0) }, after: .host(address, row))
        }
        // A host that left knows nothing of a VNI that passed on: it goes before the heir's rows come.
        let rank: Rank = meanwhile.released.isEmpty && !meanwhile.endsHandover ? .removeHosts : .release
        for (address, row) in live.hosts where next.hosts[address] == nil {
            schedule(rank, address == host.address ? .add : .remove, before: .host(address, row), after: nil)
        }
    }

    /// Geneve goes to another port after the pointers to hosts that left the topology, which will never take it, and before
    /// those to hosts that came, which never took the one of before.
    private mutating func diffConfig(_ config: ConfigRow) {
        var first = config
        if let found = live.config, config.otherPorts.contains(found.port) {
            (first.port, first.otherPorts) = (found.port, found.otherPorts)
        }
        if live.config != first {
            schedule(.base, Self.phase(live.config, first), before: live.config.map(Record.config), after: .config(first))
        }
        changesPort = first != config
        if changesPort { schedule(.sending, Self.phase(first, config), before: .config(first), after: .config(config)) }
    }

    private mutating func diffPorts(from start: Image) {
        for (ifindex, row) in next.ports {
            if let found = start.ports[ifindex] {
                if found != row { schedule(.ports, .add, before: .port(ifindex, found), after: .port(ifindex, row)) }
            } else {
                schedule(.ports, .add, before: nil, after: .port(ifindex, row))
            }
            if let mac = next.portMACs[ifindex], live.portMACs[ifindex] != mac {
                schedule(
                    // Beside the device's own, which it has to be the same as.
                    changesMAC(ifindex) ? .configure : .ports, .add, before: live.portMACs[ifindex].map { .portMAC(ifindex, $0) },
                    after: .portMAC(ifindex, mac))
            }
        }
        for (ifindex, row) in start.ports where next.ports[ifindex] == nil {
            schedule(.removePorts, removalPhase(row), before: .port(ifindex, row), after: nil)
        }
        for (ifindex, mac) in live.portMACs where next.ports[ifindex] == nil {
            let phase = live.ports[ifindex].map { removalPhase($0) } ?? .add
            schedule(.removePorts, phase, before: .portMAC(ifindex, mac), after: nil)
        }
    }

    /// A port whose endpoint lives on elsewhere goes in `remove`; any other at once.
    func removalPhase(_ row: PortRow) -> Phase {
        guard let endpoint = index.endpointByID[row.endpoint].map({ index.topology.endpoints[$0] }) else { return .add }
        return endpoint.host == host.name ? .add : .remove
    }

    /// Of a pointer, where nothing else changes in its row.
    private func rank(_ usual: Rank, from members: [IPAddress], to wanted: [IPAddress]) -> Rank {
        changesPort && members != wanted && members.contains { index.host(at: $0) == nil } ? .leaving : usual
    }

    /// What was learned is as good as before in the new table: another capacity only costs its learning again.
    private mutating func diffDirect(from start: Image) {
        for (vni, capacity) in next.direct where start.direct[vni] != capacity {
            schedule(
                .ports, .add, before: start.direct[vni].map { .direct(vni, capacity: $0) }, after: .direct(vni, capacity: capacity))
        }
        for (vni, capacity) in start.direct where next.direct[vni] == nil {
            schedule(.removePorts, .add, before: .direct(vni, capacity: capacity), after: nil)
        }
    }

    private mutating func diffEndpoints(from start: Image) {
        // Of these, rows of networks and the VPC promise that those of endpoints are there.
        let held = Set(next.vpcs.filter(\.value.held).keys).union(next.networks.filter(\.value.held).keys.map(\.vni))
        for (key, row) in next.endpoints where start.endpoints[key] != row {
            let found = start.endpoints[key]
            // What is delivered here is answered from the first packet on: ARP asks for the rows of networks and the VPC.
            if found == nil, row.kind == .local, !held.contains(key.vni) {
                schedule(.arrivals, .add, before: nil, after: .endpoint(key, row))
                continue
            }
            let moves = found.map { $0.kind == .remote && row.kind == .remote && $0.host != row.host } ?? false
            schedule(
                moves ? rank(.endpoints, from: [found?.host ?? row.host], to: [row.host]) : .endpoints,
                moves || (found?.kind == .local && row.kind == .remote) ? .switch : .add,
                before: found.map { .endpoint(key, $0) }, after: .endpoint(key, row))
        }
        for (key, row) in start.endpoints where next.endpoints[key] == nil {
            // Whoever still has the address lives on without this row.
            let livesOn = index.endpointByKey[key] != nil && row.kind != .gateway && row.kind != .broadcast
            schedule(.removeEndpoints, livesOn ? .remove : .add, before: .endpoint(key, row), after: nil)
        }
    }

    private mutating func diffNetworks(from start: Image) {
        for (key, row) in next.networks where start.networks[key] != row {
            let found = start.networks[key]
            schedule(
                found?.held == row.held ? rank(.networks, from: found?.bouncers ?? [], to: row.bouncers) : .networks,
                Self.phase(found.map { ($0.bouncers, $0.held) }, row.bouncers, row.held),
                before: found.map { .network(key, $0) }, after: .network(key, row))
        }
        for (key, row) in start.networks where next.networks[key] == nil {
            let phase: Phase = index.networkByKey[key] == nil ? .add : .remove
            schedule(.removeNetworks, phase, before: .network(key, row), after: nil)
        }
    }

    private mutating func diffVPCs(from start: Image) {
        for (vni, row) in next.vpcs where start.vpcs[vni] != row {
            guard var last = start.vpcs[vni] else {
                schedule(.vpcs, .add, before: nil, after: .vpc(vni, row))
                continue
            }
            // Lengths before the rows that need them, `held` after the rows that it promises, and last the lengths of
            // rows that have gone.
            var step = last
            step.lengths4 = Set(last.lengths4).union(row.lengths4).sorted(by: >)
            step.lengths6 = Set(last.lengths6).union(row.lengths6).sorted(by: >)
            if step != last {
                schedule(.lengths, .add, before: .vpc(vni, last), after: .vpc(vni, step))
                last = step
            }
            step.vpc = row.vpc
            step.dividers = row.dividers
            step.held = row.held
            if step != last {
                schedule(
                    start.vpcs[vni] == last && step.held == last.held
                        ? rank(.vpcs, from: last.dividers, to: step.dividers) : .vpcs,
                    Self.phase((last.dividers, last.held), row.dividers, row.held), before: .vpc(vni, last),
                    after: .vpc(vni, step))
                last = step
            }
            if row != last { schedule(.shrink, .add, before: .vpc(vni, last), after: .vpc(vni, row)) }
        }
        for (vni, row) in start.vpcs where next.vpcs[vni] == nil {
            let phase: Phase = index.vpcByVNI[vni] == nil ? .add : .remove
            schedule(.removeVPCs, phase, before: .vpc(vni, row), after: nil)
        }
    }

    /// Of a change to the config row: what the port asks for.
    private static func phase(_ found: ConfigRow?, _ row: ConfigRow) -> Phase {
        guard let found else { return .add }
        if found.port != row.port { return .switch }
        return Set(found.otherPorts).isSubset(of: row.otherPorts) ? .add : .remove
    }

    /// Of a change to a row of pointers.
    private static func phase(_ found: ([IPAddress], held: Bool)?, _ members: [IPAddress], _ held: Bool) -> Phase {
        guard let found else { return .add }
        if found.0 != members { return .switch }
        return found.held && !held ? .remove : .add
    }

    /// First what begins to wait, so that a run that is cut short does not forget it; last what has waited.
    private mutating func diffWaits() {
        for (digest, since) in meanwhile.waits where live.waits[digest] != since {
            schedule(
                .waits, .add, before: live.waits[digest].map { .wait(digest: digest, since: $0) },
                after: .wait(digest: digest, since: since))
        }
        for (digest, since) in live.waits where meanwhile.waits[digest] == nil {
            schedule(.waited, .add, before: .wait(digest: digest, since: since), after: nil)
        }
    }

    private mutating func diffApplied(commit: String) {
        let row = AppliedRow(commit: commit, digest: final.digest, host: StableHash.id(host.name))
        if live.applied != row {
            schedule(.applied, .add, before: live.applied.map(Record.applied), after: .applied(row))
        }
    }

    // MARK: What waits

    /// From `next` by `switched` to `final`, row by row.
    mutating func listWaiting() {
        guard meanwhile.isUnsettled else { return }
        let (next, switched, final) = (meanwhile.next, meanwhile.switched, meanwhile.final)
        if next.config != switched.config {
            wait(.switch, meanwhile.portSwitchDue, next.config.map(Record.config), switched.config.map(Record.config))
        }
        if switched.config != final.config {
            wait(.remove, meanwhile.portRemoveDue, switched.config.map(Record.config), final.config.map(Record.config))
        }
        for (key, row) in switched.endpoints where next.endpoints[key] != row {
            wait(.switch, meanwhile.endpointDue[key], next.endpoints[key].map { .endpoint(key, $0) }, .endpoint(key, row))
        }
        for (key, row) in switched.networks where next.networks[key] != row {
            wait(.switch, meanwhile.networkDue[key], next.networks[key].map { .network(key, $0) }, .network(key, row))
        }
        for (vni, row) in switched.vpcs where next.vpcs[vni] != row {
            wait(.switch, meanwhile.vpcDue[vni], next.vpcs[vni].map { .vpc(vni, $0) }, .vpc(vni, row))
        }
        for key in Set(switched.hosts.keys).union(final.hosts.keys) where switched.hosts[key] != final.hosts[key] {
            wait(
                .remove, meanwhile.hostDue[key], switched.hosts[key].map { .host(key, $0) },
                final.hosts[key].map { .host(key, $0) })
        }
        for key in Set(switched.ports.keys).union(final.ports.keys) where switched.ports[key] != final.ports[key] {
            let vni = final.ports[key]?.vni ?? switched.ports[key]?.vni ?? 0
            wait(
                .remove, meanwhile.portDue[key] ?? meanwhile.handoverDue[vni], switched.ports[key].map { .port(key, $0) },
                final.ports[key].map { .port(key, $0) })
        }
        for key in Set(switched.endpoints.keys).union(final.endpoints.keys)
        where switched.endpoints[key] != final.endpoints[key] {
            wait(
                .remove, meanwhile.forwardDue[key] ?? meanwhile.handoverDue[key.vni] ?? networkDue(of: key),
                switched.endpoints[key].map { .endpoint(key, $0) }, final.endpoints[key].map { .endpoint(key, $0) })
        }
        for key in Set(switched.networks.keys).union(final.networks.keys)
        where switched.networks[key] != final.networks[key] {
            let name = index.network(key)?.name ?? ""
            wait(
                .remove, meanwhile.handoverDue[key.vni] ?? meanwhile.roleDue[name] ?? vpcRoleDue(key.vni),
                switched.networks[key].map { .network(key, $0) }, final.networks[key].map { .network(key, $0) })
        }
        for vni in Set(switched.vpcs.keys).union(final.vpcs.keys) where switched.vpcs[vni] != final.vpcs[vni] {
            wait(
                .remove, meanwhile.handoverDue[vni] ?? vpcRoleDue(vni), switched.vpcs[vni].map { .vpc(vni, $0) },
                final.vpcs[vni].map { .vpc(vni, $0) })
        }
    }

    private func networkDue(of key: EndpointKey) -> UInt64? {
        guard let endpoint = index.endpoint(key) else { return vpcRoleDue(key.vni) }
        return meanwhile.roleDue[endpoint.network]
    }

    private func vpcRoleDue(_ vni: UInt32) -> UInt64? {
        guard let vpc = index.vpc(vni: vni) else { return nil }
        let networks = (index.networksOfVPC[vpc.name] ?? []).compactMap { meanwhile.roleDue[index.topology.networks[$0].name] }
        return ([meanwhile.roleDue[vpc.name] ?? 0, meanwhile.forwardVPCDue[vni] ?? 0] + networks).max()
    }

    private mutating func wait(_ phase: Phase, _ due: UInt64?, _ before: Record?, _ after: Record?) {
        guard let record = after ?? before else { return }
        let (subject, at) = names.describe(record)
        let change = Change.row(before: before, after: after)
        let step = Step(phase: phase, change: change, subject: subject, detail: names.detail(change), at: at)
        waiting.append(Plan.Waiting(step: step, due: due ?? meanwhile.longest))
    }

    /// How long an heir waits, in words.
    private var heirWait: String {
        let cluster = index.topology.cluster
        if cluster.direct.age > 2 * cluster.settle {
            return "learned hosts are no longer believed (\(Setting.duration(cluster.direct.age)))"
        }
        return "two settle times (\(Setting.duration(2 * cluster.settle)))"
    }

    private mutating func warnTakeovers() {
        for vni in meanwhile.released.sorted() {
            guard let vpc = index.vpc(vni: vni) else { continue }
            let before = base?.vpc(vni: vni).flatMap { $0.name == vpc.name ? nil : " from \($0.name)" } ?? " from another VPC"
            warnings.append(
                Diagnostic(
                    .warning, "MZ501", at: vpc.at, "VNI \(vni) passes\(before) to \(vpc.name)",
                    hint:
                        "\(vpc.name) has no traffic until \(heirWait) after the last "
                        + "host has taken the commit, even if it worked before under another name or VNI; give it a VNI that no VPC had to avoid that"
                ))
        }
    }

    /// Of endpoints that send larger packets than the underlay takes. They hear of it, by ICMP, for each destination anew;
    /// one warning, as usually it is all of them.
    private mutating func warnLargeInterfaces() {
        guard let config = next.config, config.uplink != 0 else { return }
        let usable = Int(config.usableMTU)
        let large = observation.interfaces.compactMap { interface -> (endpoint: Endpoint, interface: Interface)? in
            guard interface.mtu > usable, let port = next.ports[interface.ifindex],
                let endpoint = index.endpointByID[port.endpoint].map({ index.topology.endpoints[$0] }), !endpoint.isHost
            else { return nil }
            return (endpoint, interface)
        }.sorted { $0.endpoint.name < $1.endpoint.name }
        guard let first = large.first else { return }
        let others = large.count > 1 ? ", like \(large.count - 1) more here," : ""
        warnings.append(
            Diagnostic(
                .warning, "MZ502", at: first.endpoint.at,
                "\(first.interface.name) of \(first.endpoint.name)\(others) has MTU \(first.interface.mtu); "
                    + "an underlay of \(config.mtu) leaves \(usable)",
                hint: "set MTU \(usable) at both ends of the interface; larger packets are dropped and answered with ICMP"))
    }
}
