import Planner

/// Counts how often `run` puts something back that another program on the host takes away. Only `run` counts: it has the memory, and
/// only `run` repairs within a moment of each change, so the two programs would keep each other busy for good.
///
/// Policy: three repairs of one thing within ten minutes are a fight. `run` then leaves that thing alone until the first of the three
/// is ten minutes old, so it puts one thing back at most three times in ten minutes. It repairs everything else as usual. A new commit
/// and SIGHUP reset the count, because an operator may have ended the fight.
struct Fights {
    private static let most = 3
    /// Milliseconds.
    static let window = 600_000

    /// One thing that a step puts in place. An interface that disappears and comes back counts as a new thing, so a container that
    /// restarts again and again is no fight.
    struct Thing: Hashable {
        var subject: String
        var ifindex: UInt32 = 0

        /// The thing that `step` puts in place.
        init(_ step: Step) {
            subject = step.subject
            if case .attach(let attachment, _) = step.change { ifindex = attachment.ifindex }
        }
    }

    /// When each was repaired, milliseconds of CLOCK_MONOTONIC; the oldest first.
    private var repairs: [Thing: [Int]] = [:]
    private var commit = ""

    /// - Returns: what is to be left alone now.
    mutating func contested(at now: Int) -> Set<Thing> {
        repairs = repairs.compactMapValues { times in
            let recent = times.filter { now - $0 < Self.window }
            return recent.isEmpty ? nil : recent
        }
        return Set(repairs.filter { $0.value.count >= Self.most }.keys)
    }

    /// When the next of those is repaired again; nil: there is none.
    var next: Int? { repairs.values.filter { $0.count >= Self.most }.compactMap(\.first).map { $0 + Self.window }.min() }

    /// Notes the steps that a round has done. Steps of the first round of a commit are no repairs.
    mutating func add(_ done: [Step], of commit: String, at now: Int) {
        guard self.commit == commit else {
            self.commit = commit
            repairs = [:]
            return
        }
        for step in done where step.meetsOthers { repairs[Thing(step), default: []].append(now) }
    }

    mutating func forget() { repairs = [:] }
}

extension Step {
    /// Whether it puts something where other programs of the host may take it away: a program at an interface, or a device.
    fileprivate var meetsOthers: Bool {
        switch change {
        case .attach, .device: true
        case .detach, .row, .capacity, .programs: false
        }
    }
}
