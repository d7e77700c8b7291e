import Topology

/// Traffic that worked with the base and stops on the way to the head, for how long, and why.
public struct Interruption: Hashable, Sendable, Codable {
    /// When it works again.
    public enum Ends: String, Hashable, Sendable, Codable {
        /// Once one host has applied the commit.
        case applied
        /// Some settle times after the first host has taken the commit.
        case settled
        /// Not by this commit.
        case never
    }

    public enum Cause: String, Hashable, Sendable, Codable, CaseIterable {
        case removed, vni, renamed, hostDown = "host_down", hostAddress = "host_address", uplink, gateway, address, interface
        case renamedAndMoved = "renamed_and_moved", interfaceTaken = "interface_taken"
    }

    /// Whose traffic.
    public let resource: Inventory.Item
    public let tenant: String?
    public let cause: Cause
    /// How many endpoints it is about.
    public let endpoints: Int
    /// Which traffic, such as `all traffic`.
    public let what: String
    public let why: String
    public let ends: Ends
    /// Settle times between the first host's taking the commit and the traffic's return, at least and at most, where it ends `settled`.
    ///
    /// A host takes the commit within one settle time of the first; what it counts then begins there.
    public let leastSettleTimes: Int?
    public let mostSettleTimes: Int?
    /// At least so long after the last host has taken the commit, where that is more than the settle times: what hosts have learned
    /// of a VNI must be too old to be used.
    public let leastMilliseconds: UInt64?

    init(
        _ resource: Inventory.Item, tenant: String?, _ cause: Cause, endpoints: Int, _ what: String, why: String, _ duration: Duration
    ) {
        self.resource = resource
        self.tenant = tenant
        self.cause = cause
        self.endpoints = endpoints
        self.what = what
        self.why = why
        leastMilliseconds = if case .atLeast(let milliseconds, _) = duration { milliseconds } else { nil }
        switch duration {
        case .moment: (ends, leastSettleTimes, mostSettleTimes) = (.applied, nil, nil)
        case .settleTimes(let times), .atLeast(_, let times):
            (ends, leastSettleTimes, mostSettleTimes) = (.settled, times.lowerBound, times.upperBound)
        case .forGood: (ends, leastSettleTimes, mostSettleTimes) = (.never, nil, nil)
        }
    }

    enum Duration {
        case moment, settleTimes(ClosedRange<Int>), forGood
        case atLeast(milliseconds: UInt64, ClosedRange<Int>)

        /// Until the last host has taken the commit: what is of before and what is of after have nothing to say to one another.
        static let untilAllTookIt = Duration.settleTimes(0...1)
        /// Until the last host has taken it and moved its pointers.
        static let untilAllPoint = Duration.settleTimes(0...2)
        /// Until the last host has taken it, and kept the VNI empty for two, or for as long as others believe what they learned of it.
        static func handover(_ cluster: Cluster) -> Duration {
            cluster.direct.age <= 2 * cluster.settle ? .settleTimes(2...3) : .atLeast(milliseconds: cluster.direct.age, 2...3)
        }
    }

    /// In words, where a settle time has so many milliseconds.
    func duration(settle: UInt64) -> String {
        switch ends {
        case .applied: return "for a moment, while its host applies the commit"
        case .never: return "for good"
        case .settled: break
        }
        if let leastMilliseconds { return "until \(Setting.duration(leastMilliseconds)) after the last host has taken the commit" }
        let (least, most) = (UInt64(leastSettleTimes ?? 0), UInt64(mostSettleTimes ?? 0))
        if settle == 0 || most == 1 {
            return "until every host has taken the commit" + (settle == 0 ? "" : ", \(Setting.duration(settle)) at most")
        }
        let range =
            least == 0
            ? "up to \(Setting.duration(most * settle))" : "\(Setting.duration(least * settle)) to \(Setting.duration(most * settle))"
        return "for \(range) (\(least == 0 ? "" : "\(least) to ")\(most) settle times)"
    }
}
