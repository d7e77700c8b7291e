import Topology

// Rows of `names` that are no path: what a host says of itself later, when neither the topology nor the kernel can.
// No packet's way depends on them.

/// The name of an interface, which its rows call by its index alone: once it has gone, nobody else knows.
enum InterfaceNote {
    static func id(_ ifindex: UInt32) -> UInt64 {
        var hash = StableHash()
        hash.combine("interface")
        hash.combine(ifindex)
        return hash.value
    }
}

extension Image {
    /// What an interface is called, or was when its rows were written.
    public func interfaceName(_ ifindex: UInt32) -> String? { names[InterfaceNote.id(ifindex)] }
}

/// How many changes wait for every host to have seen the commit, and until when.
public struct WaitingChanges: Sendable {
    /// Count by the time that they are due, CLOCK_BOOTTIME in nanoseconds; ascending.
    private(set) var groups: [(due: UInt64, count: Int)] = []
    private let now: UInt64

    init(_ waiting: [Plan.Waiting], now: UInt64) {
        self.now = now
        var counts: [UInt64: Int] = [:]
        for item in waiting where !item.step.isBookkeeping { counts[now &+ item.due, default: 0] += 1 }
        groups = counts.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// What the rows of a host tell of it, as the plan that wrote them did.
    public init(noted names: [UInt64: String], now: UInt64) {
        self.now = now
        for (id, text) in names {
            let words = text.split(separator: " ", omittingEmptySubsequences: false)
            guard words.count == 3, words[0] == Self.word, let count = Int(words[1]), let due = UInt64(words[2]), Self.id(due) == id else {
                continue
            }
            groups.append((due, count))
        }
        groups.sort { $0.due < $1.due }
    }

    /// One row of `names` for each time.
    var notes: [UInt64: String] {
        Dictionary(uniqueKeysWithValues: groups.map { (Self.id($0.due), "\(Self.word) \($0.count) \($0.due)") })
    }

    /// Those whose time has not come.
    public var count: Int { groups.reduce(0) { $0 + ($1.due > now ? $1.count : 0) } }
    /// Those whose time has come, which the next apply or round does.
    public var due: Int { groups.reduce(0) { $0 + ($1.due > now ? 0 : $1.count) } }

    /// `2 changes wait until every host has seen the commit (the next in 60 s, the last in 60 s)`; nil: none waits.
    public var text: String? { seconds.map { Self.text(count: count, next: $0.next, last: $0.last) } }

    /// Until the next and the last of those whose time has not come, rounded up; nil: there are none.
    public var seconds: (next: UInt64, last: UInt64)? {
        let later = groups.filter { $0.due > now }.map { ($0.due - now + 999_999_999) / 1_000_000_000 }
        guard let first = later.first, let last = later.last else { return nil }
        return (first, last)
    }

    public static func text(count: Int, next: UInt64, last: UInt64) -> String {
        "\(count) \(count == 1 ? "change waits" : "changes wait") until every host has seen the commit"
            + " (the next in \(next) s, the last in \(last) s)"
    }

    private static let word = "waiting"

    private static func id(_ due: UInt64) -> UInt64 {
        var hash = StableHash()
        hash.combine(word)
        hash.combine(due)
        return hash.value
    }
}
