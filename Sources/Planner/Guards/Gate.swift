import Topology

/// Finds the newest commit that a host may take: one with no refused commit between it and what the host applied.
///
/// It is shown the commits one by one, oldest first. A commit that gives back what a refused one took away clears that one.
public struct Gate: Sendable {
    /// The newest commit that may be taken; nil: none was shown.
    public private(set) var taken: String?
    /// The commits that keep the host from newer ones, oldest first.
    public var refused: [RefusedCommit] { standing.map(\.refusal) }

    private var standing: [(refusal: RefusedCommit, loss: Loss, allowsDestroy: Bool)] = []
    private var last: (commit: String, inventory: Inventory)?

    public init() {}

    /// The next commit of the line. The first one is what is there already, and passes.
    ///
    /// - Parameter allowsDestroy: whether the commit says that it may take away as much as it likes; asked only if it matters.
    public mutating func show(
        _ commit: String, _ inventory: Inventory, as kind: RefusedCommit.Kind = .commit, allowsDestroy: () throws -> Bool
    ) rethrows {
        standing.removeAll { entry in
            RefusedCommit(
                entry.loss.remaining(in: inventory), .commit, commit: commit, base: "", allowsDestroy: entry.allowsDestroy) == nil
        }
        if let last {
            let loss = Loss(from: last.inventory, to: inventory)
            if RefusedCommit(loss, kind, commit: commit, base: last.commit, allowsDestroy: false) != nil {
                let allowsDestroy = try allowsDestroy()
                if let refusal = RefusedCommit(loss, kind, commit: commit, base: last.commit, allowsDestroy: allowsDestroy) {
                    standing.append((refusal, loss, allowsDestroy))
                }
            }
        }
        last = (commit, inventory)
        if standing.isEmpty { taken = commit }
    }
}
