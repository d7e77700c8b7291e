import Planner

/// A command's error: one sentence, and what to do about it.
struct Failure: Error, CustomStringConvertible {
    let message: String
    let hint: String?

    init(_ message: String, hint: String? = nil) {
        self.message = message
        self.hint = hint
    }

    var description: String { message + (hint.map { "; \($0)" } ?? "") }
}

/// A guard's no: the command line was understood, and carrying it out would be wrong.
struct Refusal: Error, CustomStringConvertible {
    let description: String

    init(_ message: String, hint: String) { description = "\(message); \(hint)" }

    /// The maps below `directory` are of `owner`, not of `host`.
    init(others owner: Owner, than host: String, below directory: String) {
        self.init(
            "the maps below \(directory) are those of host \(owner), not of \(host)",
            hint: "give the --bpffs of \(host), or take them off with `mizar-reconcile detach --host \(owner.name ?? "NAME")`")
    }
}
