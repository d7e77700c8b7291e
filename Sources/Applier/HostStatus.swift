public import Planner

/// What a host's tables and programs say about themselves.
public struct HostStatus: Hashable, Sendable {
    /// What went through a port, all CPUs together.
    public struct Traffic: Hashable, Sendable {
        public var ifindex: UInt32
        /// Empty: it has gone.
        public var interface: String
        public var sentPackets: UInt64
        public var sentBytes: UInt64
        public var receivedPackets: UInt64
        public var receivedBytes: UInt64
        /// Of those sent, what went to another host: straight to the endpoint's, to a bouncer, to a divider.
        public var directPackets: UInt64
        public var bouncerPackets: UInt64
        public var dividerPackets: UInt64
    }

    /// Packets that were dropped for one reason, all CPUs together.
    public struct Drop: Hashable, Sendable {
        /// Stable and short: `spoofed-ip`.
        public var word: String
        public var text: String
        public var packets: UInt64
        public var bytes: UInt64
    }

    /// How full a map is.
    public struct Fill: Hashable, Sendable {
        public var name: String
        public var rows: Int
        public var capacity: Int
        /// Kernel memory in bytes, by the kernel's own estimate.
        public var memory: Int
    }

    public var observation: Observation
    public var traffic: [Traffic]
    /// Reasons that occurred.
    public var drops: [Drop]
    /// Every pinned map, and after `direct` each VPC's.
    public var tables: [Fill]

    public var applied: AppliedRow? { observation.image.applied }
    public var datapath: DatapathRow? { observation.image.datapath }
    public var attachments: [Attachment] { observation.attachments.sorted() }
    /// Kernel memory of all the maps, in bytes.
    public var memory: Int { tables.reduce(0) { $0 + $1.memory } }
}
