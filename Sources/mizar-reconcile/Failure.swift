import Planner
import Topology

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

/// A commit whose topology has errors: nothing of it is used.
struct InvalidTopology: Error, CustomStringConvertible {
    let commit: String
    /// Warnings included.
    let diagnostics: [Diagnostic]

    var description: String {
        let errors = diagnostics.count { $0.severity == .error }
        return "\(errors) \(errors == 1 ? "error" : "errors") in the topology"
    }
}

/// A plan that `PlanCheck` does not let pass.
struct BrokenPlan: Error, CustomStringConvertible {
    let violations: [String]

    var description: String { "the plan failed its own check, so nothing was changed; this is a defect of mizar-reconcile" }
}

/// A guard's no: the command line was understood, and carrying it out would be wrong.
struct Refusal: Error, CustomStringConvertible {
    let description: String

    init(_ message: String, hint: String) { description = "\(message); \(hint)" }

    /// The maps below `directory` are of `owner`, not of `host`.
    init(others owner: Owner, than host: String, below directory: String) {
        self.init(
            "the maps below \(directory) are those of host \(owner), not of \(host)",
            hint:
                "name this host right (--host, $\(HostOptions.variable), or else the machine's name), or give the --bpffs of \(host). Only if "
                + "this machine is to be another host from now on, take them off first: `mizar-reconcile detach --host \(owner.name ?? "NAME")`"
        )
    }
}
