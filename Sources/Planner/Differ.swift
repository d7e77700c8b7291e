import Topology

/// Compares the live image with the wanted one and gives every difference a phase and a place in the order.
///
/// Policy, in one sentence: what is new is added at once; a pointer leaves a live target only after `settle`; a row that
/// others may still rely on stays, and follows the topology, for two.
struct Differ {
    let index: TopologyIndex
    let base: TopologyIndex?
    let host: Host
    let observation: Observation
    let through: Phase
    let names: Names
    let compiler: Compiler
    /// What this host shall hold when everything has settled.
    let final: Image
    /// What it shall hold meanwhile: `final` and the roles that others may still ask of it.
    let now: Image
    /// VNIs that were another VPC's a moment ago, and since when this host knows: their new rows wait until the old
    /// ones are gone everywhere.
    let handovers: [UInt32: UInt64]

    var due: [(rank: Rank, step: Step)] = []
    var waiting: [Plan.Waiting] = []
    var waits: [UInt64: UInt64] = [:]
    var warnings: [Diagnostic] = []

    var live: Image { observation.image }

    /// The order of a plan's steps: make before break.
    enum Rank: Int, Comparable {
        case capacity, programs, base, ports, endpoints, lengths, networks, vpcs, attach, datapath
        case pointers, detach, unhold, removeVPCs, removeNetworks, removeEndpoints, removePorts, removeHosts
        case waits, applied

        static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    }

    init(index: TopologyIndex, base: TopologyIndex?, host: Host, observation: Observation, through: Phase) {
        self.index = index
        self.base = base
        self.host = host
        self.observation = observation
        self.through = through
        var byName: [String: UInt32] = [:]
        var byIndex: [UInt32: String] = [:]
        for interface in observation.interfaces {
            byName[interface.name] = interface.ifindex
            byIndex[interface.ifindex] = interface.name
        }
        names = Names(head: index, base: base, interfaces: byIndex)
        compiler = Compiler(index: index, host: host, interfaces: byName)
        let uplinkMTU = observation.interface(host.interface)?.mtu
        final = compiler.image(uplinkMTU: uplinkMTU)

        let live = observation.image
        // Without a settle time, or with everybody known to be ready, there is no meanwhile.
        let hasMeanwhile = index.topology.cluster.settle > 0 && through < .remove
        handovers = hasMeanwhile ? Self.handovers(index: index, base: base, observation: observation) : [:]
        var kept = Compiler.Roles()
        for (key, row) in live.networks where hasMeanwhile && row.held && handovers[key.vni] == nil {
            if let network = index.network(key) { kept.bouncerOf.insert(network.name) }
        }
        for (vni, row) in live.vpcs where hasMeanwhile && row.held && handovers[vni] == nil {
            if let vpc = index.vpc(vni: vni) { kept.dividerOf.insert(vpc.name) }
        }
        for (ifindex, row) in live.ports where hasMeanwhile && byIndex[ifindex] != nil && final.ports[ifindex] == nil {
            // A port whose endpoint has moved away may speak until `remove`.
            if let number = index.endpointByID[row.endpoint], index.topology.endpoints[number].host != host.name {
                kept.portsOf.insert(index.topology.endpoints[number].network)
            }
        }
        now = compiler.image(uplinkMTU: uplinkMTU, keeping: kept)
    }

    private static func handovers(index: TopologyIndex, base: TopologyIndex?, observation: Observation) -> [UInt32: UInt64] {
        let live = observation.image
        let wait = Phase.remove.delay(settle: index.topology.cluster.settle)
        var result: [UInt32: UInt64] = [:]
        for vpc in index.topology.vpcs {
            let id = StableHash.id(vpc.name)
            if let since = live.waits[handoverDigest(vni: vpc.vni, vpc: id)] {
                if observation.now < since + wait { result[vpc.vni] = min(since, observation.now) }
            } else if let before = live.vpcs[vpc.vni]?.vpc ?? base?.vpc(vni: vpc.vni).map({ StableHash.id($0.name) }),
                before != id
            {
                result[vpc.vni] = observation.now
            }
        }
        return result
    }

    static func handoverDigest(vni: UInt32, vpc: UInt64) -> UInt64 {
        var hash = StableHash()
        hash.combine("handover")
        hash.combine(vni)
        hash.combine(vpc)
        return hash.value
    }

    var orderedSteps: [Step] { due.map(\.step) }

    mutating func run(commit: String) {
        diffBase()
        diffPorts()
        diffEndpoints()
        diffNetworks()
        diffVPCs()
        diffNames()
        diffForeign()
        let uplink = diffAttachments()
        diffWaits()
        diffApplied(commit: commit)
        diffStructure(uplink: uplink)
        warnTakeovers()
        // Rows come out of dictionaries: the order is made here, and nowhere else.
        let keyed = due.map { (rank: $0.rank, key: Self.sortKey($0.step), step: $0.step) }
        due = keyed.sorted { ($0.rank, $0.key.0, $0.key.1, $0.key.2) < ($1.rank, $1.key.0, $1.key.1, $1.key.2) }
            .map { ($0.rank, $0.step) }
    }

    // MARK: Scheduling

    /// Puts a change into the plan if its phase has come, among the waiting ones otherwise.
    ///
    /// - Returns: whether it is due.
    @discardableResult
    mutating func schedule(_ rank: Rank, _ phase: Phase, _ change: Change, _ subject: String, at: SourceLocation?) -> Bool {
        let step = Step(phase: phase, change: change, subject: subject, detail: names.detail(change), at: at)
        let delay = phase.delay(settle: index.topology.cluster.settle)
        guard delay > 0, phase > through else {
            due.append((rank, step))
            return true
        }
        let digest = step.digest
        let since = min(live.waits[digest] ?? observation.now, observation.now)
        let elapsed = observation.now - since
        if elapsed >= delay {
            due.append((rank, step))
            return true
        }
        waits[digest] = since
        waiting.append(Plan.Waiting(step: step, due: delay - elapsed))
        return false
    }

    @discardableResult
    mutating func schedule(_ rank: Rank, _ phase: Phase, before: Record?, after: Record?) -> Bool {
        guard let record = after ?? before else { return false }
        let (subject, at) = names.describe(record)
        return schedule(rank, phase, .row(before: before, after: after), subject, at: at)
    }

    /// A new row: at once, or when its VNI is free of the VPC that had it before.
    mutating func create(_ rank: Rank, vni: UInt32, before: Record? = nil, _ record: Record) {
        guard let since = handovers[vni], let vpc = index.vpc(vni: vni) else {
            schedule(rank, .add, before: before, after: record)
            return
        }
        let (subject, at) = names.describe(record)
        let change = Change.row(before: nil, after: record)
        let step = Step(phase: .remove, change: change, subject: subject, detail: names.detail(change), at: at)
        waits[Self.handoverDigest(vni: vni, vpc: StableHash.id(vpc.name))] = since
        let wait = Phase.remove.delay(settle: index.topology.cluster.settle)
        waiting.append(Plan.Waiting(step: step, due: since + wait - observation.now))
    }

    /// Whether something can be sent to the host at this address.
    func isLive(_ address: IPAddress) -> Bool {
        guard let target = index.host(at: address) else { return false }
        return target.state != .down
    }

    // MARK: Rows

    private mutating func diffBase() {
        if live.config != final.config, let config = final.config {
            schedule(.base, .add, before: live.config.map(Record.config), after: .config(config))
        }
        for (address, row) in final.hosts where live.hosts[address] != row {
            schedule(.base, .add, before: live.hosts[address].map { .host(address, $0) }, after: .host(address, row))
        }
        // A host that left may still carry packets of those that have not noticed.
        for (address, row) in live.hosts where final.hosts[address] == nil {
            let phase: Phase = address == host.address ? .add : .remove
            schedule(.removeHosts, phase, before: .host(address, row), after: nil)
        }
    }

    private mutating func diffPorts() {
        for (ifindex, row) in final.ports {
            if live.ports[ifindex] != row {
                create(.ports, vni: row.vni, before: live.ports[ifindex].map { .port(ifindex, $0) }, .port(ifindex, row))
            }
            if let mac = final.portMACs[ifindex] {
                let found = live.portMACs[ifindex]
                // A learned MAC is the port's own word: only a fixed one, or a new endpoint's, is written over it.
                let isNewEndpoint = live.ports[ifindex]?.endpoint != row.endpoint
                if found == nil || (found != mac && (row.macFixed || isNewEndpoint)) {
                    schedule(
                        .ports, .add, before: found.map { .portMAC(ifindex, $0) }, after: .portMAC(ifindex, mac))
                }
            }
            if !live.traffic.contains(ifindex) {
                schedule(.ports, .add, before: nil, after: .traffic(ifindex))
            }
        }
        for (ifindex, row) in live.ports where final.ports[ifindex] == nil || handovers[row.vni] != nil {
            schedule(.removePorts, removalPhase(port: ifindex, row), before: .port(ifindex, row), after: nil)
        }
        for (ifindex, mac) in live.portMACs where final.portMACs[ifindex] == nil {
            let phase = live.ports[ifindex].map { removalPhase(port: ifindex, $0) } ?? .add
            schedule(.removePorts, phase, before: .portMAC(ifindex, mac), after: nil)
        }
        for ifindex in live.traffic where !final.traffic.contains(ifindex) {
            let phase = live.ports[ifindex].map { removalPhase(port: ifindex, $0) } ?? .add
            schedule(.removePorts, phase, before: .traffic(ifindex), after: nil)
        }
    }

    /// A port whose endpoint moved to another host speaks until `remove`; one whose interface or endpoint is gone, or
    /// whose endpoint has another interface here, goes at once.
    func removalPhase(port ifindex: UInt32, _ row: PortRow) -> Phase {
        guard names.interfaces[ifindex] != nil, handovers[row.vni] == nil,
            let number = index.endpointByID[row.endpoint], index.topology.endpoints[number].host != host.name
        else { return .add }
        return .remove
    }

    private mutating func diffEndpoints() {
        for (key, row) in now.endpoints {
            guard let found = live.endpoints[key], handovers[key.vni] == nil else {
                create(.endpoints, vni: key.vni, .endpoint(key, row))
                continue
            }
            let stays = final.endpoints[key] != nil
            // A row of a role that only others' delay keeps here goes with the role.
            if !stays, schedule(.removeEndpoints, .remove, before: .endpoint(key, found), after: nil) { continue }
            if found != row { diffEndpoint(key, found: found, wanted: row, stays: stays) }
        }
        for (key, row) in live.endpoints where now.endpoints[key] == nil || handovers[key.vni] != nil {
            let endpoint = handovers[key.vni] == nil ? index.endpoint(key) : nil
            guard let endpoint, row.kind != .gateway, row.kind != .broadcast, let wanted = compiler.row(of: endpoint) else {
                // Nobody has this address any more, or no network here asks for the gateway.
                schedule(.removeEndpoints, .add, before: .endpoint(key, row), after: nil)
                continue
            }
            // A forwarding row, for who has not noticed yet that the endpoint is elsewhere.
            if !schedule(.removeEndpoints, .remove, before: .endpoint(key, row), after: nil), row != wanted {
                diffEndpoint(key, found: row, wanted: wanted, stays: false)
            }
        }
    }

    private mutating func diffEndpoint(_ key: EndpointKey, found: EndpointRow, wanted: EndpointRow, stays: Bool) {
        var next = wanted
        // The port that the endpoint had here may speak until it goes.
        if found.ifindex != 0, wanted.ifindex == 0, wanted.kind != .local, let port = live.ports[found.ifindex],
            removalPhase(port: found.ifindex, port) == .remove
        {
            next.ifindex = found.ifindex
        }
        if found == next, !stays { return }
        let change = { (row: EndpointRow) in Record.endpoint(key, row) }
        switch (found.kind, wanted.kind) {
        case (.remote, .local) where wanted.ifindex == 0:
            // Its interface is awaited here; until others have switched, the old home delivers.
            schedule(.pointers, isLive(found.host) ? .remove : .add, before: change(found), after: change(wanted))
        case (.local, .remote):
            let phase: Phase = names.interfaces[found.ifindex] == nil ? .add : .switch
            if schedule(.pointers, phase, before: change(found), after: change(next)), next != wanted, stays {
                schedule(.removeEndpoints, .remove, before: change(next), after: change(wanted))
            }
        case (.remote, .remote) where found.host != wanted.host:
            schedule(.pointers, isLive(found.host) ? .switch : .add, before: change(found), after: change(next))
        case (.remote, .remote) where found.ifindex != 0 && next.ifindex != 0:
            schedule(.removeEndpoints, .remove, before: change(found), after: change(wanted))
        case (.local, _), (.remote, _), (.unreachable, _), (.gateway, _), (.broadcast, _):
            schedule(.endpoints, .add, before: change(found), after: change(wanted))
        }
    }

    private mutating func diffNetworks() {
        for (key, row) in now.networks {
            let settled = final.networks[key]
            guard let found = live.networks[key], handovers[key.vni] == nil else {
                create(.networks, vni: key.vni, .network(key, row))
                continue
            }
            // Now: what is added and what has died. Then the pointers. Last, no longer answering for the whole network.
            var next = row
            next.bouncers = members(found: found.bouncers, wanted: row.bouncers)
            var last = found
            if next != last {
                schedule(.networks, .add, before: .network(key, last), after: .network(key, next))
                last = next
            }
            if row != last, schedule(.pointers, .switch, before: .network(key, last), after: .network(key, row)) {
                last = row
            }
            if let settled {
                var unheld = last
                unheld.held = settled.held
                if unheld != last {
                    schedule(.unhold, .remove, before: .network(key, last), after: .network(key, unheld))
                }
            } else {
                schedule(.removeNetworks, .remove, before: .network(key, last), after: nil)
            }
        }
        for (key, row) in live.networks where now.networks[key] == nil || handovers[key.vni] != nil {
            schedule(.removeNetworks, .add, before: .network(key, row), after: nil)
        }
    }

    private mutating func diffVPCs() {
        for (vni, row) in now.vpcs {
            let settled = final.vpcs[vni]
            guard let found = live.vpcs[vni], handovers[vni] == nil else {
                create(.vpcs, vni: vni, .vpc(vni, row))
                continue
            }
            var next = row
            next.dividers = members(found: found.dividers, wanted: row.dividers)
            next.lengths4 = Set(found.lengths4).union(row.lengths4).sorted(by: >)
            next.lengths6 = Set(found.lengths6).union(row.lengths6).sorted(by: >)
            var last = found
            // Lengths before the rows that need them; `held` after the rows that it promises.
            var lengths = next
            lengths.held = found.held
            if lengths != last {
                schedule(.lengths, .add, before: .vpc(vni, last), after: .vpc(vni, lengths))
                last = lengths
            }
            if next != last {
                schedule(.vpcs, .add, before: .vpc(vni, last), after: .vpc(vni, next))
                last = next
            }
            next.dividers = row.dividers
            if next != last, schedule(.pointers, .switch, before: .vpc(vni, last), after: .vpc(vni, next)) {
                last = next
            }
            guard let settled else {
                schedule(.removeVPCs, .remove, before: .vpc(vni, last), after: nil)
                continue
            }
            next = last
            next.held = settled.held
            if next != last, schedule(.unhold, .remove, before: .vpc(vni, last), after: .vpc(vni, next)) { last = next }
            // Lengths that no row here has any more, once those rows are gone.
            next = last
            next.lengths4 = remainingLengths(vni, isIPv4: true)
            next.lengths6 = remainingLengths(vni, isIPv4: false)
            if next != last {
                schedule(.removeEndpoints, .add, before: .vpc(vni, last), after: .vpc(vni, next))
            }
        }
        for (vni, row) in live.vpcs where now.vpcs[vni] == nil || handovers[vni] != nil {
            schedule(.removeVPCs, .add, before: .vpc(vni, row), after: nil)
        }
    }

    /// Prefix lengths of the VPC's network rows as this plan leaves them.
    private func remainingLengths(_ vni: UInt32, isIPv4: Bool) -> [UInt8] {
        var keys = Set(live.networks.keys).union(now.networks.keys)
        for (_, step) in due {
            if case .row(.network(let key, _)?, nil) = step.change { keys.remove(key) }
        }
        return Set(keys.filter { $0.vni == vni && $0.cidr.isIPv4 == isIPv4 }.map { UInt8($0.cidr.fullLength) })
            .sorted(by: >)
    }

    /// Members to use until the switch: those of before that are still there; the new ones if none is.
    private func members(found: [IPAddress], wanted: [IPAddress]) -> [IPAddress] {
        if Set(found) == Set(wanted) { return wanted }
        let remaining = found.filter(isLive)
        return remaining.isEmpty ? wanted : remaining
    }

    private mutating func diffNames() {
        for (id, text) in now.names where live.names[id] != text {
            schedule(.ports, .add, before: live.names[id].map { .name(id, $0) }, after: .name(id, text))
        }
        for (id, text) in live.names where now.names[id] == nil {
            schedule(.removePorts, .add, before: .name(id, text), after: nil)
        }
    }

    private mutating func diffForeign() {
        for record in live.foreign { schedule(.removeHosts, .add, before: record, after: nil) }
    }

    private mutating func diffWaits() {
        for (digest, since) in waits where live.waits[digest] != since {
            schedule(.waits, .add, before: live.waits[digest].map { .wait(digest: digest, since: $0) },
                after: .wait(digest: digest, since: since))
        }
        for (digest, since) in live.waits where waits[digest] == nil {
            schedule(.waits, .add, before: .wait(digest: digest, since: since), after: nil)
        }
    }

    private mutating func diffApplied(commit: String) {
        let row = AppliedRow(commit: commit, digest: final.digest, host: StableHash.id(host.name))
        if live.applied != row {
            schedule(.applied, .add, before: live.applied.map(Record.applied), after: .applied(row))
        }
    }

    private mutating func warnTakeovers() {
        for vni in handovers.keys.sorted() {
            guard let vpc = index.vpc(vni: vni) else { continue }
            let before = base?.vpc(vni: vni).map { " from \($0.name)" } ?? " from another VPC"
            warnings.append(
                Diagnostic(
                    .warning, "MZ501", at: vpc.at, "VNI \(vni) passes\(before) to \(vpc.name)",
                    hint: "\(vpc.name) starts to work after twice the cluster's settle time; give it a VNI of its own to avoid that"))
        }
    }
}
