public import Applier
import Glibc
public import Planner
import Synchronization

/// A host in memory: steps change an `Observation`.
public final class MemoryStore: MapStore {
    public private(set) var observation: Observation
    /// Whether the driver refuses native XDP.
    public var refusesXDP = false

    public init(_ observation: Observation = Observation()) { self.observation = observation }

    public func observe() throws(BPFError) -> Observation { observation }

    public func perform(_ steps: ArraySlice<Step>) throws(BPFError) -> DatapathRow? {
        var fallback: DatapathRow?
        for step in steps {
            switch step.change {
            case .row(let before, let after):
                let table = (after ?? before)?.table
                guard let table, let capacity = observation.capacities[table] else {
                    throw BPFError("open", step.subject, .errno(ENOENT))
                }
                if let before { observation.image.remove(before) }
                if let after {
                    guard before != nil || observation.image.count(table) < capacity else {
                        throw BPFError("write", step.subject, .full(capacity: capacity))
                    }
                    observation.image.put(after)
                }
            case .capacity(let table, _, let to): observation.capacities[table] = to
            case .programs: observation.programsUsePinnedMaps = true
            case .attach(let attachment, let orElse):
                if attachment.point == .xdp, refusesXDP {
                    guard let orElse else { throw BPFError("attach to", step.subject, .errno(EOPNOTSUPP)) }
                    fallback = orElse
                } else {
                    observation.attachments.insert(attachment)
                }
            case .detach(let attachment): observation.attachments.remove(attachment)
            case .device(let before, let after): set(before, after)
            }
        }
        return fallback
    }

    private func set(_ before: Device?, _ after: Device?) {
        observation.devices.removeAll { $0 == before }
        if let before, after == nil {
            observation.interfaces.removeAll { [before.ifindex, before.portIndex].contains($0.ifindex) }
            observation.attachments = observation.attachments.filter { $0.ifindex != before.portIndex }
        }
        guard let after else { return }
        observation.devices.append(after)
        guard before == nil else { return }
        observation.interfaces += [
            Interface(name: after.name, ifindex: after.ifindex, mtu: after.mtu, driver: "veth"),
            Interface(name: after.port, ifindex: after.portIndex, mtu: after.mtu, driver: "veth"),
        ]
    }
}

/// A store that does `limit` steps and then fails, as one does that is killed.
public final class FailingStore<Base: MapStore>: MapStore {
    public let base: Base
    private var left: Int

    public init(_ base: Base, after limit: Int) {
        self.base = base
        left = limit
    }

    public func observe() throws(BPFError) -> Observation { try base.observe() }

    public func perform(_ steps: ArraySlice<Step>) throws(BPFError) -> DatapathRow? {
        let possible = steps.prefix(left)
        let fallback = possible.isEmpty ? nil : try base.perform(possible)
        left -= possible.count
        guard possible.count < steps.count else { return fallback }
        var error = BPFError("do", "the next step", .unavailable("the test stops it here"))
        error.completed = possible.count
        throw error
    }
}

/// A store of which some steps cannot be done, again and again, as where somebody else has what they need.
public final class RefusingStore<Base: MapStore>: MapStore {
    public let base: Base
    private let refuses: (Step) -> Bool

    public init(_ base: Base, refuses: @escaping (Step) -> Bool) {
        self.base = base
        self.refuses = refuses
    }

    public func observe() throws(BPFError) -> Observation { try base.observe() }

    public func perform(_ steps: ArraySlice<Step>) throws(BPFError) -> DatapathRow? {
        if steps.contains(where: refuses) { throw BPFError("do", "the step", .unavailable("the test refuses it")) }
        return try base.perform(steps)
    }
}
