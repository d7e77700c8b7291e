public import Topology

/// What one host's programs do with a packet, and what they looked at.
public struct Decision: Hashable, Sendable {
    public enum Verdict: Hashable, Sendable {
        case deliver(ifindex: UInt32)
        case send(to: IPAddress, stage: Stage)
        /// The gateway's echo reply, out of the port that asked.
        case answer
        case drop(DropReason)
        /// No Geneve for this host: left to its stack.
        case pass
    }

    /// A row that was looked for.
    public enum Lookup: Hashable, Sendable {
        case row(Record)
        case learned(EndpointKey, LearnedRow)
        /// `key` in words.
        case missing(Table, key: String)
    }

    /// A choice of one of n by the flow.
    public struct Choice: Hashable, Sendable {
        public struct Candidate: Hashable, Sendable {
            public var host: IPAddress
            public var score: UInt32
        }

        /// Highest score first.
        public var candidates: [Candidate]
        /// Passed over: down, or without an answer.
        public var avoided: [IPAddress]
    }

    public var verdict: Verdict
    /// In order; the last one decided.
    public var lookups: [Lookup] = []
    public var choice: Choice?
    /// Stable id of the destination's network; 0: not known here.
    public var network: UInt64 = 0
    /// Between two networks: one hop less.
    public var crosses = false

    public init(_ verdict: Verdict) { self.verdict = verdict }

    /// Whether the packet goes on with one hop less.
    public var spendsHop: Bool {
        switch verdict {
        case .deliver, .send: crosses
        case .answer, .drop, .pass: false
        }
    }

    func with(_ verdict: Verdict) -> Decision {
        var copy = self
        copy.verdict = verdict
        return copy
    }
}
