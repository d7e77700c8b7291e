import Topology

/// Which endpoints came to a host and which left it, by the steps of a plan: their paths, ascending.
public struct PortChanges: Hashable, Sendable {
    /// Those that have a port now, or another one than before.
    public private(set) var attached: [String] = []
    public private(set) var detached: [String] = []

    public init() {}

    /// - Parameters:
    ///   - steps: those of `plan` that were done.
    ///   - image: what the plan was made on.
    public init(_ steps: [Step], of plan: Plan, on image: Image) {
        var names = image.names
        for step in plan.steps {
            if case .row(_, .name(let id, let text)?) = step.change { names[id] = text }
        }
        var (came, went): (Set<UInt64>, Set<UInt64>) = ([], [])
        for step in steps {
            guard let (before, after) = Self.ports(step), before != after else { continue }
            if let after { came.insert(after) }
            if let before { went.insert(before) }
        }
        func paths(_ ids: Set<UInt64>) -> [String] { ids.map { names[$0] ?? "endpoint \(String($0, radix: 16))" }.sorted() }
        attached = paths(came)
        detached = paths(went.subtracting(came))
    }

    /// Whether a step is about a port's row.
    public static func concerns(_ step: Step) -> Bool { ports(step) != nil }

    /// The endpoints of a port's row.
    private static func ports(_ step: Step) -> (before: UInt64?, after: UInt64?)? {
        switch step.change {
        case .row(.port(_, let before)?, .port(_, let after)?): (before.endpoint, after.endpoint)
        case .row(nil, .port(_, let after)?): (nil, after.endpoint)
        case .row(.port(_, let before)?, nil): (before.endpoint, nil)
        case .row, .capacity, .programs, .attach, .detach, .device: nil
        }
    }
}
