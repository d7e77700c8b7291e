import CBPF
import Glibc

/// How a round of the reconciler went: what `status` says of it, long after.
public struct Round: Hashable, Sendable {
    public enum Outcome: String, Hashable, Sendable, Codable {
        case done
        /// Steps failed.
        case partly
        /// Guards keep the host from the newest commit.
        case refused
        /// The newest commit has errors, or names no such host.
        case invalid
        /// The repository cannot be asked, or the commit not be read.
        case unreachable
        /// Anything else.
        case failed
    }

    public var outcome: Outcome
    /// Nanoseconds of CLOCK_REALTIME.
    public var at: UInt64
    /// When it first went so.
    public var since: UInt64
    /// The newest commit that was seen; empty: none, or a plain folder.
    public var commit: String
    /// What is wrong; empty: nothing.
    public var text: String

    public init(_ outcome: Outcome, commit: String, text: String = "") {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        at = UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
        since = at
        (self.outcome, self.commit, self.text) = (outcome, commit, text)
    }
}

extension KernelStore {
    private static let round = "last_round"

    /// Nil: none was noted.
    public func lastRound() throws(BPFError) -> Round? {
        guard let map = try open(Self.round), let value = try map.value(of: [0, 0, 0, 0]) else { return nil }
        return value.withUnsafeBytes { Round($0.loadUnaligned(as: mzr_round.self)) }
    }

    /// Notes how a round went; a host that nothing was applied to has no place for it.
    public func note(_ round: Round) throws(BPFError) {
        guard let map = try open(Self.round), !map.isRelaid else { return }
        var round = round
        if let last = try lastRound(), last.outcome == round.outcome, last.text == round.text { round.since = last.since }
        try map.put([0, 0, 0, 0], withUnsafeBytes(of: round.value) { Array($0) })
    }
}

extension Round {
    /// Nil: never written, or by a later version.
    fileprivate init?(_ value: mzr_round) {
        let outcomes: [UInt32: Outcome] = [
            MZR_ROUND_DONE.rawValue: .done, MZR_ROUND_PARTLY.rawValue: .partly, MZR_ROUND_REFUSED.rawValue: .refused,
            MZR_ROUND_INVALID.rawValue: .invalid, MZR_ROUND_UNREACHABLE.rawValue: .unreachable, MZR_ROUND_FAILED.rawValue: .failed,
        ]
        guard let outcome = outcomes[UInt32(value.outcome)] else { return nil }
        let id = withUnsafeBytes(of: value.commit) { Array($0.prefix(Int(value.length))) }
        self.init(
            outcome, commit: id.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(),
            text: withUnsafeBytes(of: value.text) { cString($0) })
        (at, since) = (value.at, value.since)
    }

    fileprivate var value: mzr_round {
        var value = mzr_round()
        (value.at, value.since) = (at, since)
        let number =
            switch outcome {
            case .done: MZR_ROUND_DONE
            case .partly: MZR_ROUND_PARTLY
            case .refused: MZR_ROUND_REFUSED
            case .invalid: MZR_ROUND_INVALID
            case .unreachable: MZR_ROUND_UNREACHABLE
            case .failed: MZR_ROUND_FAILED
            }
        value.outcome = UInt8(number.rawValue)
        let digits = Array(commit)
        let id = stride(from: 0, to: digits.count - 1, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) }
        if id.count == 20 || id.count == 32 {
            withUnsafeMutableBytes(of: &value.commit) { $0.copyBytes(from: id) }
            value.length = UInt8(id.count)
        }
        // Whole characters, and the zero byte at the end.
        var words: [UInt8] = []
        for character in text {
            guard words.count + character.utf8.count < Int(MZR_ROUND_TEXT_SIZE) else { break }
            words += Array(character.utf8)
        }
        withUnsafeMutableBytes(of: &value.text) { $0.copyBytes(from: words) }
        return value
    }
}
