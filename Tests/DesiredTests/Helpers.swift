import Foundation
import Topology

/// A small generator with a seed, so that a failing test fails again.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }
}

extension Topology {
    /// With every place replaced by one and the same.
    var withoutPlaces: Topology {
        let nowhere = SourceLocation(file: "", line: 0, column: 0)
        var copy = self
        if copy.cluster.at != nil { copy.cluster.at = nowhere }
        for index in copy.hosts.indices { copy.hosts[index].at = nowhere }
        for index in copy.tenants.indices { copy.tenants[index].at = nowhere }
        for index in copy.vpcs.indices {
            copy.vpcs[index].at = nowhere
            if copy.vpcs[index].dividersAt != nil { copy.vpcs[index].dividersAt = nowhere }
        }
        for index in copy.networks.indices {
            copy.networks[index].at = nowhere
            if copy.networks[index].bouncersAt != nil { copy.networks[index].bouncersAt = nowhere }
        }
        for index in copy.endpoints.indices { copy.endpoints[index].at = nowhere }
        return copy
    }
}
