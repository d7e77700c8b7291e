public import Topology

/// An interface by which another host may send to this one, beside the uplink.
public struct BesideUplink: Hashable, Sendable {
    public var interface: String
    public var ifindex: UInt32
    /// One of the hosts that are neighbours there.
    public var peer: IPAddress
}

extension Observation {
    /// The interfaces that are in a network of the image's hosts like the uplink, by name. Linux answers ARP for any of its
    /// addresses on all interfaces, so that neighbours may send what is for the uplink's address to any of them.
    public func besideUplink(_ image: Image) -> [BesideUplink] {
        guard let config = image.config, config.uplink != 0 else { return [] }
        let peers = image.hosts.keys.sorted()
        return interfaces.sorted { ($0.name, $0.ifindex) < ($1.name, $1.ifindex) }.compactMap { interface in
            guard interface.ifindex != config.uplink, interface.medium == .ethernet, interface.resolvesNeighbours,
                image.ports[interface.ifindex] == nil, !interface.neighbourhoods.isEmpty,
                let peer = peers.first(where: { peer in interface.neighbourhoods.contains { $0.contains(peer) } })
            else { return nil }
            return BesideUplink(interface: interface.name, ifindex: interface.ifindex, peer: peer)
        }
    }
}
