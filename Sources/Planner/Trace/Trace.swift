public import Topology

/// The way of one packet through the tables of a topology, with the rows that decide it and the lines behind them.
public struct Trace: Hashable, Sendable, Encodable {
    /// Version of the JSON form.
    public static let formatVersion = "1.0"

    public var formatVersion = Trace.formatVersion
    /// Hexadecimal object id; empty: a plain folder.
    public var commit: String
    public var vpc: String
    public var vni: UInt32
    public var from: Party
    public var to: Party
    public var packet: Packet
    public var notes: [String]
    /// By way of tables first; then the direct path, where it is another one.
    public var ways: [Way]
    /// What a host's programs did, if they were asked.
    public var live: Live?

    /// A sender or a receiver.
    public struct Party: Hashable, Sendable, Encodable {
        /// Nil: no endpoint has the address.
        public var endpoint: String?
        public var address: IPAddress
        public var host: String?
        public var interface: String?
        public var source: SourceLocation?
    }

    public struct Packet: Hashable, Sendable, Encodable {
        /// `icmp`, `tcp`, `udp`, `sctp`, or `protocol N`.
        public var name: String
        public var protocolNumber: UInt8
        public var sourcePort: UInt16?
        public var destinationPort: UInt16?
        /// IPv6's.
        public var flowLabel: UInt32?
        /// TTL or hop limit.
        public var hops: UInt8
        public var size: Int
        /// The hash by which bouncers and dividers are chosen.
        public var flow: UInt32

        private enum CodingKeys: String, CodingKey {
            case name = "protocol"
            case protocolNumber, sourcePort, destinationPort, flowLabel, hops, size, flow
        }
    }

    public struct Way: Hashable, Sendable, Encodable {
        public enum Kind: String, Hashable, Sendable, Codable {
            /// What the first packets of a pair do.
            case tables
            /// What they do once the destination's host, or that there is none, was learned.
            case direct
        }

        public var kind: Kind
        public var hops: [Hop]
        public var outcome: Outcome
    }

    public struct Hop: Hashable, Sendable, Encodable {
        public var host: String
        public var address: IPAddress
        public var program: Program
        /// Where the packet comes in.
        public var interface: String
        /// What it came with: `divider`, `bouncer`, `host`, `host+1`…, `plain`; nil: from an endpoint.
        public var stage: String?
        /// What was looked for, in order; the last one decided.
        public var lookups: [Lookup]
        /// Whom it could go to, the chosen one first unless it is avoided.
        public var candidates: [Candidate]
        public var action: Action
        /// The packet as it comes to this hop.
        var probe: TraceProbe?

        public enum Program: String, Hashable, Sendable, Codable { case port, uplink }

        private enum CodingKeys: String, CodingKey {
            case host, address, program, interface, stage, lookups, candidates, action
        }
    }

    /// A row that was looked for in a table.
    public struct Lookup: Hashable, Sendable, Encodable {
        public var table: String
        public var isFound: Bool
        /// What the row, or the key without a row, is about.
        public var subject: String
        /// The row's values, in a plan's words.
        public var detail: String
        /// The line behind the row.
        public var source: SourceLocation?

        private enum CodingKeys: String, CodingKey {
            case table, subject, detail, source
            case isFound = "found"
        }
    }

    public struct Candidate: Hashable, Sendable, Encodable {
        public var host: String
        public var address: IPAddress
        public var score: UInt32
        /// It is down, or does not answer.
        public var isAvoided: Bool

        private enum CodingKeys: String, CodingKey {
            case host, address, score
            case isAvoided = "avoided"
        }
    }

    /// What comes next.
    public struct Action: Hashable, Sendable, Encodable {
        public enum Kind: String, Hashable, Sendable, Codable {
            case deliver, send, answer, drop
            /// Left to the host's stack.
            case pass
        }

        public var kind: Kind
        /// `deliver`: where to; `answer`: back where it came from.
        public var interface: String?
        /// `send`: who is next, and what it is asked as.
        public var host: String?
        public var stage: String?
        /// `drop`: as `status` counts it.
        public var reason: DropReason?
        /// The data plane is a router here: one hop less.
        public var spendsHop = false
    }

    /// Where the way ends.
    public struct Outcome: Hashable, Sendable, Encodable {
        public enum Kind: String, Hashable, Sendable, Codable { case delivered, answered, dropped, lost }

        public var kind: Kind
        public var host: String
        /// `delivered`, `answered`.
        public var interface: String?
        /// `delivered`: whose it is.
        public var endpoint: String?
        /// `dropped`: as `status` counts it.
        public var reason: DropReason?
        /// What is behind the drop.
        public var explanation: String?
        /// What to do about it.
        public var hint: String?
        /// Whether the sender gets an ICMP error.
        public var isTold = false

        private enum CodingKeys: String, CodingKey {
            case kind = "result"
            case host, interface, endpoint, reason, explanation, hint
            case isTold = "icmp_error"
        }
    }

    /// Where packets of the pair end in the long run.
    public var outcome: Outcome? { ways.last?.outcome }
    /// Whether somebody gets it, or answers it.
    public var arrives: Bool { outcome.map { $0.kind == .delivered || $0.kind == .answered } ?? false }

    private enum CodingKeys: String, CodingKey { case formatVersion, commit, vpc, vni, from, to, packet, notes, ways, live }
}
