public import Topology

/// When a step may be done, by this host's clock since it first wanted it: add at once, switch one `settle` later,
/// remove two.
public enum Phase: String, Hashable, Sendable, Codable, CaseIterable, Comparable {
    /// New rows, and what no other host depends on.
    case add
    /// Pointers that move from one live target to another.
    case `switch`
    /// Rows that other hosts may have used until their own switch.
    case remove

    private var order: UInt64 {
        switch self {
        case .add: 0
        case .switch: 1
        case .remove: 2
        }
    }

    public static func < (left: Self, right: Self) -> Bool { left.order < right.order }

    /// Nanoseconds after the step was first wanted; `settle` in milliseconds.
    public func delay(settle: UInt64) -> UInt64 { order * settle * 1_000_000 }
}

/// What a step does.
public enum Change: Hashable, Sendable {
    /// Creates a row (`before` nil), replaces its value, or removes it (`after` nil). `before` is the value that the
    /// step expects to find.
    case row(before: Record?, after: Record?)
    /// Creates the map (`from` 0), or a copy of another capacity that takes its place. Where both are equal, of another layout.
    case capacity(Table, from: Int, to: Int)
    /// Loads the programs of this version's object and puts them in place of the old ones.
    case programs(from: UInt64, to: UInt64)
    /// Attaches a program. For `.xdp` with `orElse`, a driver that refuses leaves the uplink to tc, and the step
    /// writes that row in place of its successor's.
    case attach(Attachment, orElse: DatapathRow?)
    case detach(Attachment)
    /// Makes a device of a host endpoint (`before` nil), sets what differs, or removes it, and its port with it (`after` nil).
    case device(before: Device?, after: Device?)
}

/// One step of a plan, small enough to be done or not done.
public struct Step: Hashable, Sendable {
    public enum Action: String, Hashable, Sendable, Codable { case create, update, delete }

    public var phase: Phase
    public var change: Change
    /// What it is about, in a user's words: `endpoint acme/prod/web/web-1 10.0.1.10`.
    public var subject: String
    /// The value in a user's words, for a change before and after: `on h1 -> on h2`. May be empty.
    public var detail: String
    /// The line of the topology behind it; nil for what no line asks for (any more).
    public var at: SourceLocation?

    public init(phase: Phase, change: Change, subject: String, detail: String = "", at: SourceLocation? = nil) {
        self.phase = phase
        self.change = change
        self.subject = subject
        self.detail = detail
        self.at = at
    }

    public var action: Action {
        switch change {
        case .row(nil, _): .create
        case .row(_, nil): .delete
        case .row: .update
        case .capacity(_, from: 0, to: _): .create
        case .capacity: .update
        case .programs(from: 0, to: _): .create
        case .programs: .update
        case .attach: .create
        case .detach: .delete
        case .device(nil, _): .create
        case .device(_, nil): .delete
        case .device: .update
        }
    }

    /// Bookkeeping is done, but not counted and not drawn in the text.
    public var isBookkeeping: Bool {
        switch change {
        case .row(let before, let after): (after ?? before)?.table.isBookkeeping ?? true
        case .capacity: true
        case .programs, .attach, .detach, .device: false
        }
    }
}

/// What one host would change, and the state that this was worked out from. A value: nothing is decided after it.
public struct Plan: Hashable, Sendable, Codable {
    /// Version of the JSON form.
    public static let formatVersion = "1.2"

    public var formatVersion: String = Plan.formatVersion
    public var host: String
    /// Hexadecimal object id; empty: a plain folder.
    public var commit: String
    /// Of the observation that the plan was made on; `apply` refuses to run it on another.
    @Hex public var stateDigest: UInt64
    /// In the order of execution. All of them are due.
    public var steps: [Step]
    /// Steps whose phase has not come, soonest first.
    public var waiting: [Waiting]
    /// Endpoints of this host whose interface does not exist yet.
    public var pending: [Pending]
    public var warnings: [Diagnostic]
    /// Set if guards keep this host from the commit that was asked for: the plan is of an older one then.
    public var refused: Refusals?

    public init(
        host: String, commit: String, stateDigest: UInt64, steps: [Step] = [], waiting: [Waiting] = [],
        pending: [Pending] = [], warnings: [Diagnostic] = []
    ) {
        self.host = host
        self.commit = commit
        self.stateDigest = stateDigest
        self.steps = steps
        self.waiting = waiting
        self.pending = pending
        self.warnings = warnings
    }

    private enum CodingKeys: String, CodingKey {
        case formatVersion, host, commit, stateDigest, waiting, pending, warnings, refused
        case steps = "changes"
    }

    /// A step that waits for its phase.
    public struct Waiting: Hashable, Sendable, Codable {
        public var step: Step
        /// Nanoseconds until it is due.
        public var due: UInt64

        public init(step: Step, due: UInt64) {
            self.step = step
            self.due = due
        }
    }

    /// An endpoint, or the uplink, that waits for its interface.
    public struct Pending: Hashable, Sendable, Codable {
        /// The endpoint's path, or the host's name for its uplink.
        public var name: String
        public var interface: String
        public var at: SourceLocation

        public init(name: String, interface: String, at: SourceLocation) {
            self.name = name
            self.interface = interface
            self.at = at
        }
    }

    /// Steps that a user counts.
    public var changes: [Step] { steps.filter { !$0.isBookkeeping } }
}
