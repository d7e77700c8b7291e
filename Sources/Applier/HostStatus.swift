public import Planner
public import Topology

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

    /// Another host, as far as packets were sent to it.
    public struct Peer: Hashable, Sendable {
        public enum State: String, Hashable, Sendable, Codable {
            /// Nothing was sent to it yet.
            case unknown
            case answers
            /// Too many echoes in a row went without an answer: it is avoided.
            case silent
            /// The topology says that it is down.
            case down
        }

        public var address: IPAddress
        public var state: State
        /// The first 8 bytes of the commit that it has applied, in hexadecimal, by its last answer; empty: there was none,
        /// or it applied a folder.
        public var commit: String
        /// Whole seconds since its last answer; nil: it has not answered its last echo, or was sent none.
        public var answeredSecondsAgo: Int?
    }

    /// How the last round went; nil: none was noted.
    public var round: Round?
    public var observation: Observation
    /// By which hook tc runs each program: `tcx` or `clsact`; none for XDP.
    public var hooks: [Attachment: String]
    /// Whether the kernel joins packets of Geneve where they come in.
    public var hasReceiveOffload: Bool
    /// By address.
    public var peers: [Peer]
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
