public import Topology

/// A change that guards refuse: what it would have taken away, and beyond which bound.
public struct RefusedCommit: Hashable, Sendable, Codable {
    /// What was compared.
    public enum Kind: String, Hashable, Sendable, Codable {
        /// A commit with its first parent.
        case commit
        /// What a merge will give with what it is merged into.
        case merge
        /// Two commits, neither of which is the other's first parent.
        case trees
        /// A commit or folder with the rows of this host.
        case rows
    }

    /// So many of a whole.
    public struct Share: Hashable, Sendable, Codable {
        public enum Scope: String, Hashable, Sendable, Codable { case endpoints, tenant, hosts }

        public let scope: Scope
        /// Of `scope` tenant.
        public let tenant: String?
        public let taken: Int
        public let total: Int
    }

    public let kind: Kind
    /// Hexadecimal object ids; empty: a plain folder, or the rows of this host.
    public let commit: String
    public let base: String
    /// Of `base`.
    public let guards: Cluster.Guards
    /// What is beyond the guards.
    public let shares: [Share]
    /// All that would go; empty if no share is beyond the guards.
    public let endpoints: [Inventory.Item]
    public let hosts: [Inventory.Item]
    /// What would go although it is protected.
    public let protected: [Inventory.Item]

    /// Nil if the guards let the loss pass.
    init?(_ loss: Loss, _ kind: Kind, commit: String, base: String, allowsDestroy: Bool) {
        shares = allowsDestroy ? [] : loss.excess
        protected = loss.protected
        guard !shares.isEmpty || !protected.isEmpty else { return nil }
        self.kind = kind
        self.commit = commit
        self.base = base
        guards = loss.guards
        let counts = Set(shares.map(\.scope))
        endpoints = counts.contains(.endpoints) || counts.contains(.tenant) ? loss.endpoints.map(\.item) : []
        hosts = counts.contains(.hosts) ? loss.hosts.map(\.item) : []
    }

    /// What guards say about going from one topology to another in one step; nil: they let it pass.
    public static func judge(
        _ kind: Kind, from base: Inventory, _ baseCommit: String, to head: Inventory, _ commit: String,
        allowsDestroy: () throws -> Bool
    ) rethrows -> RefusedCommit? {
        let loss = Loss(from: base, to: head)
        guard RefusedCommit(loss, kind, commit: commit, base: baseCommit, allowsDestroy: false) != nil else { return nil }
        return RefusedCommit(loss, kind, commit: commit, base: baseCommit, allowsDestroy: try allowsDestroy())
    }
}
