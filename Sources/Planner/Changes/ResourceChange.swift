/// What a commit does to one resource of the topology, as people wrote it: not what becomes of rows.
public struct ResourceChange: Hashable, Sendable, Codable {
    /// A field as the topology's files call it. Nil: it was, or is now, not there.
    public struct Difference: Hashable, Sendable, Codable {
        public let field: String
        public let before: String?
        public let after: String?
    }

    public let action: Step.Action
    /// As the head has it; what is removed, as the base had it.
    public let resource: Inventory.Item
    /// Its path before, if it has another one now by its own name and not by what it belongs to.
    public let was: String?
    /// Nil for the cluster and for hosts.
    public let tenant: String?
    /// What differs, in the order of the reference; of what is added or removed, all that is not as by default.
    public let differences: [Difference]
}

/// Bouncers of a network, or dividers of a VPC, that are others from now on: a consequence, which nobody wrote.
public struct RoleMove: Hashable, Sendable, Codable {
    public enum Role: String, Hashable, Sendable, Codable, CaseIterable { case bouncers, dividers }

    public let role: Role
    /// The network or VPC.
    public let resource: Inventory.Item
    /// Names of hosts that have the role no more, and that have it from now on.
    public let leave: [String]
    public let join: [String]
}
