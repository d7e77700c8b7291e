public import Topology

/// An endpoint of this host whose interface does not exist yet, as the rows tell of it.
public struct AwaitedEndpoint: Hashable, Sendable, Encodable {
    /// Its path; nil: rows of an older version do not say it.
    public var name: String?
    /// The network's path, or words with its id.
    public var network: String
    /// Ascending.
    public var addresses: [IPAddress]
}

extension EndpointKey {
    /// The key in `names` of the path of who has the address and waits for an interface: rows of endpoints have no room for an
    /// id of theirs, and there is no port's row to name it.
    public var awaitedID: UInt64 {
        var hash = StableHash()
        hash.combine("awaited")
        hash.combine(vni)
        hash.combine(address.bits)
        return hash.value
    }
}

extension Image {
    /// What endpoints of this host wait for an interface, by name.
    public var awaited: [AwaitedEndpoint] {
        var found: [AwaitedEndpoint] = []
        var positions: [String: Int] = [:]
        for (key, row) in endpoints.sorted(by: { ($0.key.vni, $0.key.address) < ($1.key.vni, $1.key.address) }) where row.ifindex == 0 {
            let name = names[key.awaitedID]
            // Until *switch* the row of one that moves here leads to where it was.
            guard row.kind == .local || (name != nil && row.kind == .remote) else { continue }
            if let name, let position = positions[name] {
                found[position].addresses.append(key.address)
            } else {
                if let name { positions[name] = found.count }
                let network = names[row.network] ?? "network \(String(row.network, radix: 16))"
                found.append(AwaitedEndpoint(name: name, network: network, addresses: [key.address]))
            }
        }
        func order(_ endpoint: AwaitedEndpoint) -> (String, String, IPAddress) {
            (endpoint.name ?? "", endpoint.network, endpoint.addresses.first ?? IPAddress(bits: 0))
        }
        return found.sorted { order($0) < order($1) }
    }
}
