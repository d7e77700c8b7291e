public import Topology

/// Every row of a host's tables: what the pinned maps hold, or should hold.
public struct Image: Hashable, Sendable {
    public var config: ConfigRow?
    public var hosts: [IPAddress: HostRow] = [:]
    public var vpcs: [UInt32: VPCRow] = [:]
    public var networks: [NetworkKey: NetworkRow] = [:]
    public var endpoints: [EndpointKey: EndpointRow] = [:]
    /// VNI -> capacity of its table of learned entries.
    public var direct: [UInt32: Int] = [:]
    public var ports: [UInt32: PortRow] = [:]
    public var portMACs: [UInt32: MACAddress] = [:]
    /// Stable id -> path, of this host's endpoints and of the networks and VPCs that it has rows of.
    public var names: [UInt64: String] = [:]
    /// Digest of a waiting step -> when it was first wanted, nanoseconds of CLOCK_BOOTTIME.
    public var waits: [UInt64: UInt64] = [:]
    public var datapath: DatapathRow?
    public var applied: AppliedRow?
    /// Rows of the live maps that mean nothing to this version.
    public var foreign: [Record] = []

    public init() {}

    /// Adds the row or replaces the one of its key.
    public mutating func put(_ record: Record) {
        switch record {
        case .config(let row): config = row
        case .host(let key, let row): hosts[key] = row
        case .vpc(let key, let row): vpcs[key] = row
        case .network(let key, let row): networks[key] = row
        case .endpoint(let key, let row): endpoints[key] = row
        case .direct(let vni, let capacity): direct[vni] = capacity
        case .port(let key, let row): ports[key] = row
        case .portMAC(let key, let mac): portMACs[key] = mac
        case .name(let id, let text): names[id] = text
        case .wait(let digest, let since): waits[digest] = since
        case .datapath(let row): datapath = row
        case .applied(let row): applied = row
        case .foreign: foreign.append(record)
        }
    }

    /// Removes the row of the record's key, whatever its value.
    public mutating func remove(_ record: Record) {
        switch record {
        case .config: config = nil
        case .host(let key, _): hosts[key] = nil
        case .vpc(let key, _): vpcs[key] = nil
        case .network(let key, _): networks[key] = nil
        case .endpoint(let key, _): endpoints[key] = nil
        case .direct(let vni, _): direct[vni] = nil
        case .port(let key, _): ports[key] = nil
        case .portMAC(let key, _): portMACs[key] = nil
        case .name(let id, _): names[id] = nil
        case .wait(let digest, _): waits[digest] = nil
        case .datapath: datapath = nil
        case .applied: applied = nil
        case .foreign: foreign.removeAll { $0 == record }
        }
    }

    /// The rows of a table, those that mean nothing left out.
    func records(of table: Table) -> [Record] {
        switch table {
        case .config: config.map { [.config($0)] } ?? []
        case .hosts: hosts.map { .host($0, $1) }
        case .vpcs: vpcs.map { .vpc($0, $1) }
        case .networks: networks.map { .network($0, $1) }
        case .endpoints: endpoints.map { .endpoint($0, $1) }
        case .direct: direct.map { .direct($0, capacity: $1) }
        case .ports: ports.map { .port($0, $1) }
        case .portMACs: portMACs.map { .portMAC($0, $1) }
        case .traffic: []
        case .names: names.map { .name($0, $1) }
        case .waits: waits.map { .wait(digest: $0, since: $1) }
        case .datapath: datapath.map { [.datapath($0)] } ?? []
        case .applied: applied.map { [.applied($0)] } ?? []
        }
    }

    /// Rows in a table, those that mean nothing included: they take room too.
    public func count(_ table: Table) -> Int {
        let strangers = foreign.isEmpty || table.hasOneRow ? 0 : foreign.count { $0.table == table }
        return strangers + ownCount(table)
    }

    private func ownCount(_ table: Table) -> Int {
        switch table {
        case .config: config == nil ? 0 : 1
        case .hosts: hosts.count
        case .vpcs: vpcs.count
        case .networks: networks.count
        case .endpoints: endpoints.count
        case .direct: direct.count
        case .ports: ports.count
        case .portMACs: portMACs.count
        case .traffic: ports.count
        case .names: names.count
        case .waits: waits.count
        case .datapath: datapath == nil ? 0 : 1
        case .applied: applied == nil ? 0 : 1
        }
    }
}
