import Glibc
import Synchronization

/// A lab and a repository of a test's own, both gone at its end, however it ends.
///
/// `lab up` is run by the built program; what is checked inside is real traffic and the real kernel's state.
public struct LabFixture: Sendable {
    public let name: String
    public let underlay: String
    public let git: GitFixture

    /// Where the repository is.
    public var repo: String { "\(git.folder)/repo" }

    private static let number = Atomic(0)

    /// Brings up a lab of `fleet`, unless `isUp` is false, and takes it down after `body`.
    @discardableResult
    public static func with<Value: Sendable>(
        _ fleet: Fleet, underlay: String = "bridged", isUp: Bool = true, _ body: (LabFixture) async throws -> Value
    ) async throws -> Value {
        await LabGate.shared.enter()
        let outcome: Result<Value, any Error>
        do {
            let number = number.add(1, ordering: .relaxed).newValue
            let lab = LabFixture(name: "t\(getpid())-\(number)", underlay: underlay, git: try GitFixture())
            do {
                try await lab.git.repository(files: fleet.files)
                if isUp { try await lab.up() }
                outcome = .success(try await body(lab))
            } catch {
                outcome = .failure(error)
            }
            // Not in this task: a test that ran out of time is cancelled, and must clean up all the same.
            try await Task.detached { _ = try await Tool().succeed("lab", "down", "--name", lab.name) }.value
        } catch {
            await LabGate.shared.leave()
            throw error
        }
        await LabGate.shared.leave()
        return try outcome.get()
    }

    // MARK: Commits

    /// Commits the fleet's files in place of all that were there.
    @discardableResult
    public func commit(_ fleet: Fleet) async throws -> String {
        try await git.git("rm", "-rqf", "--ignore-unmatch", ".")
        return try await git.commit(fleet.files)
    }

    /// Brings the lab to the repository's HEAD.
    @discardableResult
    public func up() async throws -> String {
        try await Tool().succeed("lab", "up", "--repo", repo, "--name", name, "--underlay", underlay)
    }

    /// Commits the fleet and brings the lab to it.
    public func change(to fleet: Fleet) async throws {
        try await commit(fleet)
        try await up()
    }

    // MARK: Places

    public func namespace(host: String) -> String { "mizar-\(name).host.\(host)" }

    public func namespace(endpoint path: String) -> String {
        "mizar-\(name).ep." + String(path.map { $0 == "/" ? "." : $0 })
    }

    public var underlayNamespace: String { "mizar-\(name).underlay" }

    public func bpffs(_ host: String) -> String { "/sys/fs/bpf/mizar-\(name)/\(host)" }

    /// The program as it runs on a host.
    public func tool(on host: String) -> Tool { Tool(namespace: namespace(host: host)) }

    /// Runs a command on a host.
    @discardableResult
    public func on(_ host: String, _ words: String...) async throws -> Tool.Outcome {
        try await Tool.execute(words, namespace: namespace(host: host))
    }

    /// Runs a command in an endpoint.
    @discardableResult
    public func inside(_ endpoint: String, _ words: String...) async throws -> Tool.Outcome {
        try await Tool.execute(words, namespace: namespace(endpoint: endpoint))
    }

    // MARK: A host's reconciler

    /// What every command about a host needs to know.
    public func arguments(_ host: String) -> [String] {
        ["--repo", repo, "--host", host, "--bpffs", bpffs(host)]
    }

    @discardableResult
    public func apply(_ host: String, _ more: String...) async throws -> Tool.Outcome {
        try await tool(on: host).run(["apply"] + arguments(host) + more)
    }

    @discardableResult
    public func plan(_ host: String, _ more: String...) async throws -> Tool.Outcome {
        try await tool(on: host).run(["plan"] + arguments(host) + more)
    }

    @discardableResult
    public func detach(_ host: String) async throws -> Tool.Outcome {
        try await tool(on: host).run(["detach", "--host", host, "--bpffs", bpffs(host)])
    }

    /// What keeps `plan` on any host from saying that nothing is to be done: empty if all converged.
    public func unfinished(_ fleet: Fleet) async throws -> [String] {
        var found: [String] = []
        for host in fleet.hosts {
            let plan = try await plan(host.name, "--detailed-exitcode")
            if plan.status != 0 || !plan.output.contains("No changes.") || plan.output.contains("until every host") {
                found.append("\(host.name): exit \(plan.status)\n\(plan.output)\n\(plan.error)")
            }
        }
        return found
    }
}
