public import Topology

/// Which hosts hold which tables: a pure function of the topology, the same on every host.
///
/// Policy: only `active` hosts with weight above 0 take roles. Zones come first: no zone gets a second bouncer of a
/// network before every zone has one. Within a zone, and among zones, the share is in proportion to weight. A host
/// that comes or goes moves the roles that it takes or leaves, and no other (docs/placement.md has the argument).
/// At most 64 hosts serve one table: a row has room for no more.
public struct Placement: Sendable {
    /// Bouncers of each network and dividers of each VPC, by name; hosts as indices into `Topology.hosts`, ascending.
    public let bouncers: [String: [Int]]
    public let dividers: [String: [Int]]

    /// What a row of the tables has room for.
    public static let membersMax = 64

    public init(_ topology: Topology) {
        let ranking = Ranking(hosts: topology.hosts)
        var bouncers: [String: [Int]] = [:]
        bouncers.reserveCapacity(topology.networks.count)
        for network in topology.networks {
            bouncers[network.name] = ranking.choose(network.bouncers, role: .bouncer, of: network.name)
        }
        var dividers: [String: [Int]] = [:]
        for vpc in topology.vpcs {
            dividers[vpc.name] = ranking.choose(vpc.dividers, role: .divider, of: vpc.name)
        }
        self.bouncers = bouncers
        self.dividers = dividers
    }

    enum Role: UInt8 {
        case bouncer = 1
        case divider = 2
    }

    /// The eligible hosts, ready to be scored.
    struct Ranking {
        struct Candidate {
            let index: Int
            let name: String
            let zone: Int
            let weight: UInt64
            /// The hash of the host's name, computed once.
            let id: UInt64
        }

        let candidates: [Candidate]
        let zoneCount: Int

        init(hosts: [Host]) {
            var zones: [String: Int] = [:]
            candidates = hosts.enumerated().compactMap { index, host in
                guard host.state == .active, host.weight > 0 else { return nil }
                let zone = zones[host.zone] ?? zones.count
                zones[host.zone] = zone
                return Candidate(
                    index: index, name: host.name, zone: zone, weight: UInt64(host.weight), id: StableHash.id(host.name))
            }
            zoneCount = zones.count
        }

        /// The first `count` hosts by (rank within the zone, score): ties end on the name.
        func choose(_ count: Int, role: Role, of name: String) -> [Int] {
            var hash = StableHash()
            hash.combine(role.rawValue)
            hash.combine(name)
            let seed = hash.value
            var scored = candidates.map { ($0, Score(seed: seed, candidate: $0)) }
            let wanted = min(count, Placement.membersMax, candidates.count)
            if wanted == candidates.count { return candidates.map(\.index).sorted() }
            scored.sort { $0.1.precedes($1.1, $0.0.name, $1.0.name) }
            var taken = Array(repeating: 0, count: zoneCount)
            let ranked = scored.enumerated().map { position, entry in
                defer { taken[entry.0.zone] += 1 }
                return (rank: taken[entry.0.zone], position: position, index: entry.0.index)
            }
            return ranked.sorted { ($0.rank, $0.position) < ($1.rank, $1.position) }.prefix(wanted).map(\.index).sorted()
        }
    }

    /// Weighted rendezvous: -log2(u) / weight for a uniform u, lowest first, in integers, so that every machine gets
    /// the same bits.
    struct Score {
        /// -log2(u) in 32.32 fixed point.
        let cost: UInt64
        let weight: UInt64

        init(seed: UInt64, candidate: Ranking.Candidate) {
            var x = seed ^ candidate.id &* 0x9e37_79b9_7f4a_7c15
            x = (x ^ x >> 30) &* 0xbf58_476d_1ce4_e5b9
            x = (x ^ x >> 27) &* 0x94d0_49bb_1331_11eb
            cost = Self.negativeLog2(x ^ x >> 31)
            weight = candidate.weight
        }

        func precedes(_ other: Score, _ name: String, _ otherName: String) -> Bool {
            let mine = UInt128(cost) * UInt128(other.weight)
            let theirs = UInt128(other.cost) * UInt128(weight)
            return mine == theirs ? name < otherName : mine < theirs
        }

        /// 64 - log2(number + 1), in 32.32 fixed point: the integer part from the leading bit, the fraction by squaring.
        static func negativeLog2(_ number: UInt64) -> UInt64 {
            guard number != .max else { return 0 }
            let value = number + 1
            let whole = UInt64(63 - value.leadingZeroBitCount)
            // The mantissa in [1, 2) with 63 fraction bits; squaring doubles its logarithm.
            var mantissa = value << UInt64(value.leadingZeroBitCount)
            var fraction: UInt64 = 0
            for _ in 0..<32 {
                let square = mantissa.multipliedFullWidth(by: mantissa)
                fraction <<= 1
                if square.high >> 63 == 1 {
                    fraction |= 1
                    mantissa = square.high
                } else {
                    mantissa = square.high << 1 | square.low >> 63
                }
            }
            return 64 << 32 - (whole << 32 | fraction)
        }
    }
}
