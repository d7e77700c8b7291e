import Topology

/// What a host holds between two commits, and until when.
///
/// Hosts notice a commit at different times. Until all have, this one keeps what others may still ask of it and points
/// only to what is known to answer:
///
/// - A role (bouncer, divider), a port whose endpoint moved away, the row that forwards to its new home, and the row of a
///   host that left stay for two settle times, and follow the topology.
/// - A pointer stays on its target while that lives, for one settle time; a row that is new here starts with the targets
///   of the commit before.
/// - A VNI that passes to another VPC is empty for two, and while Geneve is taken from a host that left; also if this host
///   has skipped the commit that gave it to the first of them.
/// - Another UDP port of Geneve is taken at once, sent to after one settle time, and the only one after two.
///
/// Each of these has one clock, a row of `waits`, keyed by what is waited for: when that changes, the clock starts again.
struct Meanwhile {
    let index: TopologyIndex
    let base: TopologyIndex?
    let host: Host
    let live: Image
    let now: UInt64
    let settle: UInt64
    let through: Phase
    let interfaces: [UInt32: String]
    let devices: Devices

    var final = Image()
    var switched = Image()
    var next = Image()

    /// Digest -> since, of everything that waits.
    var waits: [UInt64: UInt64] = [:]
    /// VNIs whose rows are another VPC's, or were a moment ago.
    var released: Set<UInt32> = []
    /// VNIs that are known to have been another VPC's.
    var handedOver: Set<UInt32> = []
    /// Whether a VNI has been empty for long enough: its heir's rows may come now.
    var endsHandover = false
    /// Nanoseconds until each waiting thing is due.
    var handoverDue: [UInt32: UInt64] = [:]
    var hostDue: [IPAddress: UInt64] = [:]
    var portDue: [UInt32: UInt64] = [:]
    var forwardDue: [EndpointKey: UInt64] = [:]
    /// Of VPCs' rows that forwards are judged by.
    var forwardVPCDue: [UInt32: UInt64] = [:]
    /// By name of the network or VPC.
    var roleDue: [String: UInt64] = [:]
    var endpointDue: [EndpointKey: UInt64] = [:]
    var networkDue: [NetworkKey: UInt64] = [:]
    var vpcDue: [UInt32: UInt64] = [:]
    var portSwitchDue: UInt64?
    var portRemoveDue: UInt64?

    var isUnsettled: Bool { !waits.isEmpty }
    var longest: UInt64 { Phase.remove.delay(settle: settle) }

    init(
        index: TopologyIndex, base: TopologyIndex?, skipped: Set<VNIOwner>, host: Host, observation: Observation, through: Phase?
    ) {
        self.index = index
        self.base = base
        self.host = host
        self.through = through ?? .add
        live = observation.image
        now = observation.now
        // Who counts the phases by itself has no use for a clock: later ones wait until it says so.
        settle = through == nil ? index.topology.cluster.settle : Self.uncounted
        var byIndex: [UInt32: String] = [:]
        for interface in observation.interfaces { byIndex[interface.ifindex] = interface.name }
        interfaces = byIndex
        devices = Devices(index: index, host: host, observation: observation)
        let straight = Set(observation.interfaces.filter(\.entersNamespace).map(\.ifindex))
        let compiler = Compiler(index: index, host: host, interfaces: devices.interfaces, straight: straight)
        let uplink = devices.uplink.interface
        final = compiler.image(uplink: uplink)
        findLeavers()
        findHandovers(skipped)
        let ports = keptPorts()
        switched = compiler.image(uplink: uplink, keeping: keptRoles(ports: ports))
        for vni in handoverDue.keys { Self.clear(vni, from: &switched) }
        for address in hostDue.keys { switched.hosts[address] = live.hosts[address] }
        for (ifindex, row) in ports {
            switched.ports[ifindex] = row
            if switched.direct[row.vni] == nil { switched.direct[row.vni] = compiler.directCapacity(vni: row.vni) }
        }
        keepForwards(compiler)
        keepPortFacts()
        next = switched
        pointEndpoints()
        pointRoles()
        changePort()
        markHandovers(&final)
        markHandovers(&switched)
        markHandovers(&next)
    }

    // MARK: Clocks

    /// A day, in milliseconds: longer than any round of phases.
    private static let uncounted: UInt64 = 86_400_000

    /// How long until what `digest` names is due; nil: it is due. Remembers the wait.
    mutating func remaining(_ phase: Phase, _ digest: UInt64) -> UInt64? {
        let delay = phase.delay(settle: settle)
        guard delay > 0, phase > through else { return nil }
        let since = min(live.waits[digest] ?? now, now)
        guard now - since < delay else { return nil }
        waits[digest] = since
        return delay - (now - since)
    }

    enum Kind: String { case pointer, bouncer, divider, host, port, forward, geneve }

    /// The highest bit is for VNIs that change hands.
    private static let tombstone: UInt64 = 1 << 63

    static func digest(_ kind: Kind, _ combine: (inout StableHash) -> Void) -> UInt64 {
        var hash = StableHash()
        hash.combine(kind.rawValue)
        combine(&hash)
        return hash.value & ~tombstone
    }

    // MARK: Hosts that left

    private mutating func findLeavers() {
        for address in live.hosts.keys where final.hosts[address] == nil && address != host.address {
            let digest = Self.digest(.host) { $0.combine(address.bits) }
            // A host that no commit knows is drift: Geneve from it is what the one before and this one both forbid.
            if let base, base.host(at: address) == nil, live.waits[digest] == nil { continue }
            if let due = remaining(.remove, digest) { hostDue[address] = due }
        }
    }

    // MARK: VNIs that change hands

    /// A VNI (24 bits) that was this VPC's, as a key of `waits`: to be read back when nothing else remembers it.
    private static func tombstone(vni: UInt32, vpc: UInt64) -> UInt64 { tombstone | (vpc >> 25) << 24 | UInt64(vni & 0xff_ffff) }

    /// How long a VNI stays empty before its heir gets it: until nobody points to the one before by its tables, and until what
    /// hosts have learned of it is too old to be used. 0: somebody says that all hosts have come so far.
    private var handoverDelay: UInt64 {
        guard through < .remove else { return 0 }
        let age = [index.topology.cluster.direct.age, base?.topology.cluster.direct.age ?? 0].max() ?? 0
        let learned = max(age * 1_000_000, UInt64(live.config?.directAge ?? 0) << 24)
        // Both ends count in ticks.
        let slack: UInt64 = learned == 0 ? 0 : 4 << 24
        return max(longest, learned + slack)
    }

    /// As `remaining`, of a VNI's tombstone.
    private mutating func keepTombstone(_ digest: UInt64) -> Bool {
        let since = min(live.waits[digest] ?? now, now)
        guard now - since < handoverDelay else { return false }
        waits[digest] = since
        return true
    }

    private mutating func findHandovers(_ skipped: Set<VNIOwner>) {
        let mayWait = handoverDelay > 0
        var former: [(vni: UInt32, vpc: UInt64)] = live.vpcs.map { ($0, $1.vpc) }
        former += (base?.topology.vpcs ?? []).map { ($0.vni, StableHash.id($0.name)) }
        former += skipped.map { ($0.vni, StableHash.id($0.vpc)) }
        for (vni, vpc) in former {
            let heir = index.vpc(vni: vni).map { StableHash.id($0.name) }
            guard heir != vpc else { continue }
            if heir != nil { handedOver.insert(vni) }
            if heir != nil, live.vpcs[vni].map({ $0.vpc != heir }) ?? true { released.insert(vni) }
            if mayWait { _ = keepTombstone(Self.tombstone(vni: vni, vpc: vpc)) }
            // Rows that are still there have not begun to go.
            if mayWait, live.vpcs[vni]?.vpc == vpc, waits[Self.tombstone(vni: vni, vpc: vpc)] == nil {
                waits[Self.tombstone(vni: vni, vpc: vpc)] = now
            }
        }
        // A host that left may never have heard of it: while Geneve is taken from it, the heir waits.
        let departure = hostDue.values.max()
        for (digest, since) in live.waits where digest & Self.tombstone != 0 {
            let vni = UInt32(digest & 0xff_ffff)
            if let heir = index.vpc(vni: vni), digest != Self.tombstone(vni: vni, vpc: StableHash.id(heir.name)) { handedOver.insert(vni) }
            if mayWait, keepTombstone(digest) { continue }
            if departure == nil { endsHandover = true } else { waits[digest] = since }
        }
        guard mayWait else { return }
        for (digest, since) in waits where digest & Self.tombstone != 0 {
            let vni = UInt32(digest & 0xff_ffff)
            guard let heir = index.vpc(vni: vni).map({ StableHash.id($0.name) }),
                digest != Self.tombstone(vni: vni, vpc: heir), live.vpcs[vni]?.vpc != heir
            else { continue }
            released.insert(vni)
            handoverDue[vni] = max(handoverDue[vni] ?? 0, departure ?? 0, max(since + handoverDelay, now) - now)
        }
    }

    /// Says in the rows which VNIs were another VPC's; once said, it stays for as long as the row.
    private func markHandovers(_ image: inout Image) {
        for (vni, row) in image.vpcs {
            let before = live.vpcs[vni]
            guard handedOver.contains(vni) || (before?.vpc == row.vpc && before?.handedOver == true) else { continue }
            image.vpcs[vni]?.handedOver = true
        }
    }

    private static func clear(_ vni: UInt32, from image: inout Image) {
        image.vpcs[vni] = nil
        image.direct[vni] = nil
        for key in image.networks.keys where key.vni == vni { image.networks[key] = nil }
        for key in image.endpoints.keys where key.vni == vni { image.endpoints[key] = nil }
        for (ifindex, row) in image.ports where row.vni == vni {
            image.ports[ifindex] = nil
            image.portMACs[ifindex] = nil
        }
    }

    // MARK: What stays

    /// Ports whose endpoint has moved to another host, and whose interface is there and nobody else's.
    private mutating func keptPorts() -> [UInt32: PortRow] {
        var result: [UInt32: PortRow] = [:]
        // The device of a host endpoint stays beside those that come, if it can.
        let excluded = devices.unwanted.filter { device in devices.wanted.contains { $0.device.excludes(device) } }.map(\.portIndex)
        for (ifindex, row) in live.ports where interfaces[ifindex] != nil && final.ports[ifindex] == nil {
            if excluded.contains(ifindex) { continue }
            guard !released.contains(row.vni), let endpoint = index.endpointByID[row.endpoint].map({ index.topology.endpoints[$0] }),
                endpoint.host != host.name, index.network(endpoint.network).flatMap({ index.vni(of: $0) }) == row.vni
            else { continue }
            let digest = Self.digest(.port) {
                $0.combine(ifindex)
                $0.combine(row.endpoint)
            }
            guard let due = remaining(.remove, digest) else { continue }
            portDue[ifindex] = due
            result[ifindex] = row
        }
        return result
    }

    private mutating func keptRoles(ports: [UInt32: PortRow]) -> Compiler.Roles {
        var kept = Compiler.Roles()
        for (ifindex, row) in ports {
            guard let endpoint = index.endpointByID[row.endpoint].map({ index.topology.endpoints[$0] }) else { continue }
            kept.portsOf.insert(endpoint.network)
            roleDue[endpoint.network] = max(roleDue[endpoint.network] ?? 0, portDue[ifindex] ?? 0)
        }
        let position = index.hostByName[host.name]
        for (key, row) in live.networks where row.held && !released.contains(key.vni) {
            guard let network = index.network(key) ?? index.network(id: row.network), !kept.bouncerOf.contains(network.name),
                index.vni(of: network) == key.vni
            else { continue }
            let members = index.placement.bouncers[network.name] ?? []
            guard position.map(members.contains) != true else { continue }
            let digest = Self.digest(.bouncer) { hash in
                hash.combine(network.name)
                for address in index.addresses(members) { hash.combine(address.bits) }
            }
            guard let due = remaining(.remove, digest) else { continue }
            kept.bouncerOf.insert(network.name)
            roleDue[network.name] = max(roleDue[network.name] ?? 0, due)
        }
        for (vni, row) in live.vpcs where row.held && !released.contains(vni) {
            guard let vpc = index.vpc(vni: vni) else { continue }
            let members = index.placement.dividers[vpc.name] ?? []
            guard position.map(members.contains) != true else { continue }
            let digest = Self.digest(.divider) { hash in
                hash.combine(vpc.name)
                for address in index.addresses(members) { hash.combine(address.bits) }
            }
            guard let due = remaining(.remove, digest) else { continue }
            kept.dividerOf.insert(vpc.name)
            roleDue[vpc.name] = due
        }
        return kept
    }

    /// Rows that lead to the new home of an endpoint that was here, for who still sends to this host.
    private mutating func keepForwards(_ compiler: Compiler) {
        for (key, found) in live.endpoints where switched.endpoints[key] == nil && handoverDue[key.vni] == nil {
            guard !released.contains(key.vni), found.kind == .local || found.kind == .remote,
                let endpoint = index.endpoint(key), let row = compiler.row(of: endpoint),
                isSame(endpoint, key, found)
            else { continue }
            let digest = Self.digest(.forward) { hash in
                hash.combine(key.vni)
                hash.combine(key.address.bits)
                hash.combine(row.host.bits)
            }
            let earlier = base?.endpoint(key).flatMap { base?.host($0.host)?.address }
            let wasForwarding = [row.host, earlier].contains { target in
                guard let target else { return false }
                return live.waits[
                    Self.digest(.forward) { hash in
                        hash.combine(key.vni)
                        hash.combine(key.address.bits)
                        hash.combine(target.bits)
                    }] != nil
            }
            guard found.kind == .local || wasForwarding, let due = remaining(.remove, digest) else { continue }
            forwardDue[key] = due
            switched.endpoints[key] = row
            // By which packets are judged that come for it.
            if switched.vpcs[key.vni] == nil { switched.vpcs[key.vni] = live.vpcs[key.vni] }
            forwardVPCDue[key.vni] = max(forwardVPCDue[key.vni] ?? 0, due)
        }
        // The port that the endpoint had here may speak while it stays.
        for (key, found) in live.endpoints where found.ifindex != 0 {
            guard let port = switched.ports[found.ifindex], portDue[found.ifindex] != nil, let row = switched.endpoints[key],
                row.ifindex == 0, let endpoint = index.endpoint(key), StableHash.id(endpoint.name) == port.endpoint
            else { continue }
            switched.endpoints[key]?.ifindex = found.ifindex
        }
    }

    /// MACs and counters of the ports: a learned MAC is the port's own word, and stays unless the endpoint is another.
    private mutating func keepPortFacts() {
        for (ifindex, row) in switched.ports {
            if let endpoint = index.endpointByID[row.endpoint] {
                switched.names[row.endpoint] = index.topology.endpoints[endpoint].name
            }
            guard let found = live.portMACs[ifindex] else { continue }
            if portDue[ifindex] != nil {
                switched.portMACs[ifindex] = found
            } else if !row.macFixed, !isNew(row, at: ifindex) {
                switched.portMACs[ifindex] = found
            }
        }
    }

    /// Whether the port is another endpoint's than before: another name, and none of its addresses.
    private func isNew(_ row: PortRow, at ifindex: UInt32) -> Bool {
        guard let found = live.ports[ifindex] else { return true }
        if found.endpoint == row.endpoint { return false }
        guard let endpoint = index.endpointByID[row.endpoint].map({ index.topology.endpoints[$0] }) else { return true }
        return !endpoint.addresses.contains {
            live.endpoints[EndpointKey(vni: row.vni, address: $0)]?.ifindex == ifindex
        }
    }
}
