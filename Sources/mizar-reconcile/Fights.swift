import Planner

/// What somebody else on the host undoes again and again. `run` alone keeps count: it has the memory, and it alone repairs within a
/// moment of each change, so that it would keep itself and the other busy for good.
///
/// Policy: three repairs of one thing within ten minutes are a fight. It is left alone until the first of them is ten minutes ago, so
/// a thing that is taken away for ever is put back three times in ten minutes at most. All else is repaired as ever. A new commit
/// and SIGHUP begin anew: somebody may have made peace.
struct Fights {
    private static let most = 3
    /// Milliseconds.
    static let window = 600_000

    /// What is fought about. An interface that goes and comes, as with a container that is started again and again, is another one.
    struct Thing: Hashable {
        var subject: String
        var ifindex: UInt32 = 0

        /// Of what the step puts somewhere.
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

    /// Notes the steps that a round has done. What a new commit asks for is no repair.
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
