import ArgumentParser
import Glibc
import Synchronization

@main
struct MizarReconcile: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mizar-reconcile",
        abstract: "Cloud networks as code: a commit of YAML becomes the eBPF data plane of this host.",
        discussion: """
            Exit codes: 0 done or nothing to do, 1 error, 2 `plan --detailed-exitcode` found changes, `trace` found no way, or `status` found the host not well, 3 the \
            saved plan is stale, 4 refused by a guard, 5 partly applied, 6 rolled back.
            """,
        version: Version.text,
        subcommands: [
            ValidateCommand.self, PlanCommand.self, ApplyCommand.self, RunCommand.self, StatusCommand.self,
            TraceCommand.self, DetachCommand.self, LabCommand.self, FetchMirrorCommand.self,
        ])

    /// As all our complaints begin.
    static var _errorPrefix: String { "error: " }

    // On this one thread: `run` blocks its signals here.
    static func main() async {
        endAtSignals()
        var isUnderstood = false
        do {
            var command = try parseAsRoot()
            isUnderstood = true
            if let command = command as? any MessagingCommand {
                Output.logFormat.withLock { $0 = command.output.logFormat }
            }
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let exit as Exit {
            Glibc.exit(exit.rawValue)
        } catch let invalid as InvalidTopology {
            Output.complain(invalid.diagnostics)
            Output.complain("error: \(invalid); nothing was changed")
            Glibc.exit(Exit.error.rawValue)
        } catch let broken as BrokenPlan {
            for line in broken.violations + [broken.description] { Output.complain("error: \(line)") }
            Glibc.exit(Exit.refused.rawValue)
        } catch let refusal as Refusal {
            Output.complain("error: \(refusal)")
            Glibc.exit(Exit.refused.rawValue)
        } catch  where !isUnderstood || error is ValidationError || exitCode(for: error) == .success {
            Glibc.exit(answer(error).rawValue)
        } catch {
            Output.complain("error: \(error)")
            Glibc.exit(Exit.error.rawValue)
        }
    }

    /// The first process of a container ignores signals that it does not handle: nobody could end it. `run` reads them itself.
    private static func endAtSignals() {
        guard getpid() == 1 else { return }
        signal(SIGTERM) { _exit(128 + $0) }
        signal(SIGINT) { _exit(128 + $0) }
    }

    /// Help and version end in success; a wrong command line is an error like any other.
    private static func answer(_ error: any Error) -> Exit {
        let text = fullMessage(for: error)
        guard exitCode(for: error) == .success else {
            Output.complainRaw(text)
            return .error
        }
        do {
            try Output.print(text)
            return .done
        } catch {
            Output.complain("error: \(error)")
            return .error
        }
    }
}

/// What the exit codes mean; part of the public interface. Thrown by a command that has said all it has to say.
enum Exit: Int32, Error {
    case done = 0
    case error = 1
    case changesFound = 2
    case stalePlan = 3
    case refused = 4
    case partlyApplied = 5
    case rolledBack = 6

    /// `trace`: nobody gets the packet. Like changes of a plan, an answer and no error.
    static let dropped = changesFound
    /// `status`: likewise.
    static let notWell = changesFound
}

enum Version {
    static let text = "0.1.0"
}
