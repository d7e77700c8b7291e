import Topology

// Geneve's UDP port. Every host takes the new one before any sends to it, and none sends to the old one any more when the
// first ceases to take it. One clock counts both, of the port that is wanted.
extension Meanwhile {
    mutating func changePort() {
        guard let found = live.config, let wanted = final.config?.port else { return }
        guard found.port != wanted || !found.otherPorts.isEmpty else { return }
        let digest = Self.digest(.geneve) { $0.combine(wanted) }
        // A port that neither this commit nor the one before has is drift: nobody sends to it.
        if base?.topology.cluster.port == wanted, live.waits[digest] == nil { return }
        guard let remove = remaining(.remove, digest) else { return }
        portRemoveDue = remove
        portSwitchDue = remaining(.switch, digest)
        let others = found.otherPorts.filter { $0 != wanted }
        switched.config?.otherPorts = found.port == wanted ? others : Self.fitting([found.port] + others)
        next.config = switched.config
        if portSwitchDue != nil, found.port != wanted {
            next.config?.port = found.port
            next.config?.otherPorts = Self.fitting([wanted] + others)
        } else if found.port != wanted {
            // They never take it: what was learned of them ends, while what they send is still taken.
            for address in hostDue.keys {
                switched.hosts[address]?.isDown = true
                next.hosts[address]?.isDown = true
            }
        }
    }

    /// A third change before the first has come to its end leaves no room for the oldest.
    private static func fitting(_ ports: [UInt16]) -> [UInt16] { Array(ports.prefix(2)) }
}
