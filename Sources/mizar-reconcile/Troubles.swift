import Applier
import FoundationEssentials
import Logging

/// What is wrong at present. Each trouble is logged when it begins, when it becomes another one, and when it is over; a round that
/// finds it as it was says nothing.
struct Troubles {
    /// What a round does, and can fail at.
    enum Subject: Hashable {
        /// Asking the repository for the newest commit.
        case fetching
        /// The newest commit: its files, and that they name this host.
        case reading
        /// That this machine is the host.
        case identity
        /// The right to change it.
        case lock
        /// The plan and its steps.
        case applying
        /// Another program on the host undoes repairs again and again.
        case fighting
        /// That guards let the newest commit pass.
        case guards
        /// That the applied commit is found again after a reboot.
        case remembering
        /// What a plan warns of.
        case warning(String)

        var words: String {
            switch self {
            case .fetching: "fetching"
            case .reading: "reading the commit"
            case .identity: "this machine is the host"
            case .lock: "locking the host"
            case .applying: "applying"
            case .fighting: "what others undo"
            case .guards: "guards"
            case .remembering: "remembering the applied commit"
            case .warning: "warning"
            }
        }
    }

    struct Trouble {
        var text: String
        let since: Date
        var rounds: Int
    }

    private let logger: Logger
    private var open: [Subject: Trouble] = [:]

    init(logger: Logger) { self.logger = logger }

    /// The oldest, in words, for whoever has room for one.
    var first: String? { open.filter { !$0.key.isWarning }.min { $0.value.since < $1.value.since }?.value.text }

    /// What the last round came to, by the gravest trouble that there is.
    var outcome: (outcome: Round.Outcome, text: String) {
        let order: [(Subject, Round.Outcome)] = [
            (.identity, .failed), (.lock, .failed), (.applying, .partly), (.fighting, .partly), (.fetching, .unreachable),
            (.reading, .invalid),
            (.guards, .refused), (.remembering, .failed),
        ]
        for (subject, outcome) in order { if let trouble = open[subject] { return (outcome, trouble.text) } }
        return (.done, "")
    }

    /// - Parameter details: said before it, where it is not said already: one line for each error of a tree.
    mutating func found(_ subject: Subject, _ text: String, details: () -> Void = {}) {
        var trouble = open[subject] ?? Trouble(text: "", since: Date(), rounds: 0)
        defer { open[subject] = trouble }
        trouble.rounds += 1
        guard trouble.text != text else { return }
        details()
        var metadata: Logger.Metadata = ["about": "\(subject.words)"]
        if trouble.rounds > 1 { metadata["since"] = "\(Log.time(trouble.since))" }
        logger.log(level: subject.isWarning ? .warning : .error, "\(text)", metadata: metadata)
        trouble.text = text
    }

    mutating func over(_ subject: Subject) {
        guard let trouble = open.removeValue(forKey: subject) else { return }
        // Without the error itself: whoever looks for errors must not find one that is over.
        logger.info(
            subject.isWarning ? "over: \(trouble.text)" : "works again: \(subject.words)",
            metadata: [
                "about": "\(subject.words)", "since": "\(Log.time(trouble.since))", "rounds": .stringConvertible(trouble.rounds),
            ])
    }

    /// The warnings of a plan: those that it has no more are over.
    mutating func found(warnings: [String]) {
        for case .warning(let text) in Array(open.keys) where !warnings.contains(text) { over(.warning(text)) }
        for text in warnings { found(.warning(text), text) }
    }
}

extension Troubles.Subject {
    fileprivate var isWarning: Bool {
        switch self {
        case .warning: true
        case .fetching, .reading, .identity, .lock, .applying, .fighting, .guards, .remembering: false
        }
    }
}
