import FoundationEssentials
import Glibc
import TestSupport
import Testing

/// `plan --base --head`: a pull request's change to the whole fleet, by a user without privileges, without the kernel.
@Suite struct PullRequestTests {
    struct Repository {
        let git: GitFixture
        var tool: Tool
        var words: [String] { ["plan", "--repo", "\(git.folder)/repo", "--base", "main", "--head", "change"] }
    }

    /// Branch `change` adds an endpoint, moves one, and removes a network.
    static func repository() async throws -> Repository {
        let git = try GitFixture()
        var fleet = ScenarioTests.twoTenants("tc")
        try await git.repository(files: fleet.files)
        try await git.git("switch", "-q", "-c", "change")
        fleet.endpoint("acme/prod/web/new", 50, on: "h3")
        fleet.move("acme/prod/web/b", to: "h1")
        fleet.remove(network: "globex/prod/db")
        try await git.git("rm", "-rqf", ".")
        try await git.commit(fleet.files)
        try await git.git("switch", "-q", "main")
        var tool = Tool()
        if geteuid() == 0 {
            // Anybody may read the repository, as on a machine that runs the checks of many.
            chmod(git.folder, 0o755)
            tool.user = 65534
            if try await !tool.canRun() { tool = try await tool.copied(to: git.folder) }
        }
        return Repository(git: git, tool: tool)
    }

    @Test func textSumsUpFirst() async throws {
        let repository = try await Self.repository()
        let plan = try await repository.tool.run(repository.words)
        #expect(plan.status == 0, "\(plan.error)")
        for word in ["h1", "h2", "h3", "acme/prod/web/new", "acme/prod/web/b", "globex/prod/db", "acme.yaml:"] {
            #expect(plan.output.contains(word), "\(word) in \(plan.output)")
        }
        #expect(plan.output.contains(" to add, ") && plan.output.contains(" to destroy."))
        #expect(plan.output == (try await repository.tool.run(repository.words).output), "the same each time")
    }

    @Test func resourcesComeFirstAndRowsAreFolded() async throws {
        let repository = try await Self.repository()
        let folded = try await repository.tool.run(repository.words).output
        #expect(folded.contains("\n  ~ endpoint acme/prod/web/b: moved ") && folded.contains(" -> h1"), "\(folded)")
        #expect(folded.contains("\n  - network globex/prod/db\n") && folded.contains(": all traffic stops for good: it is removed\n"))
        #expect(!folded.contains("Host h1 changes"))
        let closing = folded.split(separator: "\n").suffix(2)
        #expect(closing.first?.hasPrefix("Resources: 1 to add, 1 to change, ") == true && closing.last?.hasPrefix("Plan: ") == true)
        let whole = try await repository.tool.run(repository.words + ["--rows"]).output
        #expect(whole.contains("\nHost h1 changes: ") && whole.hasSuffix(closing.joined(separator: "\n") + "\n"), "\(whole)")
        let wrong = try await repository.tool.run("plan", "--repo", "\(repository.git.folder)/repo", "--rows")
        #expect(wrong.status == 1 && wrong.error.contains("--rows goes with --base"), "\(wrong.error)")
    }

    /// It takes effect with the next commit, and no host has a row of it.
    @Test func aSettingAloneIsAChange() async throws {
        let git = try GitFixture()
        var fleet = ScenarioTests.twoTenants("tc")
        try await git.repository(files: fleet.files)
        try await git.git("switch", "-q", "-c", "change")
        fleet.guards = "{destroy: 50%, least: 7}"
        var files = fleet.files
        files["acme.yaml"] = files["acme.yaml"]?.replacing("name: acme\n", with: "name: acme\nprotect: true\n")
        try await git.commit(files)
        func plan(_ words: String...) async throws -> Tool.Outcome {
            try await Tool().run(["plan", "--repo", "\(git.folder)/repo", "--base", "main", "--head", "change"] + words)
        }
        let text = try await plan("--detailed-exitcode")
        #expect(text.status == 2, "\(text)")
        for line in [
            "~ cluster test: guards.destroy 10% -> 50%, guards.least 5 -> 7  (", "~ tenant acme: protect false -> true  (acme.yaml:",
        ] {
            #expect(text.output.contains(line), "\(text.output)")
        }
        #expect(
            text.output.hasSuffix(
                "\nNothing stops.\n\nResources: 0 to add, 2 to change, 0 to destroy.\nPlan: 0 to add, 0 to change, 0 to destroy.\n"))
        #expect(try await plan("--format", "markdown").output.contains("! tenant acme: protect false -> true"))
        #expect(try await plan("--format", "json").output.contains("\"field\" : \"guards.least\""))
    }

    @Test func jsonIsJSONAndMarkdownIsAComment() async throws {
        struct Report: Decodable {
            struct Host: Decodable {}
            var formatVersion: String
            var hosts: [Host]
        }
        let repository = try await Self.repository()
        let json = try await repository.tool.run(repository.words + ["--format", "json"])
        #expect(json.status == 0, "\(json.error)")
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        #expect(try decoder.decode(Report.self, from: Data(json.output.utf8)).hosts.count == 3)
        let markdown = try await repository.tool.run(repository.words + ["--format", "markdown"])
        #expect(markdown.status == 0 && markdown.output.contains("|") && markdown.output.contains("acme/prod/web/new"))
    }

    @Test func exitCodes() async throws {
        let repository = try await Self.repository()
        #expect(try await repository.tool.run(repository.words + ["--detailed-exitcode"]).status == 2)
        let repo = "\(repository.git.folder)/repo"
        let same = try await repository.tool.run("plan", "--repo", repo, "--base", "main", "--head", "main", "--detailed-exitcode")
        #expect(same.status == 0, "\(same.output)\(same.error)")
        #expect(same.output.contains("No changes"))
        let missing = try await repository.tool.run("plan", "--repo", repo, "--base", "main", "--head", "nowhere")
        #expect(missing.status == 1 && missing.error.contains("nowhere"), "\(missing.error)")
        // A head with an error names its place.
        var fleet = ScenarioTests.twoTenants("tc")
        fleet.endpoint("acme/prod/web/bad", 10, on: "h1")
        try await repository.git.git("switch", "-q", "-c", "broken")
        try await repository.git.commit(fleet.files)
        let broken = try await repository.tool.run("plan", "--repo", repo, "--base", "main", "--head", "broken")
        #expect(broken.status == 1 && broken.error.contains("acme.yaml:"), "\(broken.error)")
    }

    /// What the base got since the branch began is nobody's to take back.
    @Test func aBranchIsPlannedAsItWillBeMerged() async throws {
        let git = try GitFixture()
        var fleet = GuardTests.fleet()
        try await git.repository(files: fleet.files)
        try await git.git("switch", "-q", "-c", "change")
        var branch = fleet
        branch.endpoint("acme/prod/web/new", 78, on: "h1")
        branch.endpoints.insert(branch.endpoints.removeLast(), at: 0)
        try await git.commit(branch.files)
        try await git.git("switch", "-q", "main")
        fleet.endpoint("acme/prod/web/ahead", 77, on: "h2")
        try await git.commit(fleet.files)
        let repo = "\(git.folder)/repo"
        func plan(_ words: String...) async throws -> Tool.Outcome { try await Tool().run(["plan", "--repo", repo] + words) }
        let merged = try await plan("--base", "main", "--head", "change", "--detailed-exitcode")
        #expect(merged.status == 2 && merged.output.contains("what merging "), "\(merged)")
        #expect(merged.output.contains("+ endpoint acme/prod/web/new") && merged.output.hasSuffix(", 0 to destroy.\n"), "\(merged.output)")
        #expect(!merged.output.contains("acme/prod/web/ahead"))
        #expect(try await plan("--range", "main...change", "--detailed-exitcode").output == merged.output)
        let exact = try await plan("--base", "main", "--head", "change", "--exact")
        #expect(exact.status == 0 && exact.output.contains("- endpoint acme/prod/web/ahead"), "\(exact)")
        #expect(try await plan("--range", "main..change").output == exact.output)
        let back = try await plan("--base", "main", "--head", "main~1")
        #expect(back.status == 0 && back.output.contains("Going back: ") && back.output.contains("- endpoint acme/prod/web/ahead"))
        for words in [["--range", "main"], ["--range", "main...change", "--base", "main"], ["--host", "h1", "--exact"]] {
            let wrong = try await Tool().run(["plan", "--repo", repo] + words)
            #expect(wrong.status == 1 && wrong.output.isEmpty, "\(words): \(wrong)")
        }
        // The scenario of an empty folder's pull request: everything goes.
        try await git.git("switch", "-q", "-c", "deleted")
        try await git.git("mv", "acme.yaml", "acme.json")
        try await git.commit([:])
        let deleted = try await plan("--base", "main", "--head", "deleted", "--format", "json")
        #expect(deleted.status == 4 && deleted.output.contains("\"comparison\" : \"merge\""), "\(deleted.error)")
        #expect(deleted.output.contains("\"scope\" : \"tenant\"") && deleted.output.contains("\"taken\" : 9"))
        try await git.git("commit", "-q", "--amend", "-m", "c", "-m", "Mizar-Allow: destroy")
        #expect(try await plan("--base", "main", "--head", "deleted").status == 0)
        #expect(try await plan("--base", "deleted", "--head", "main").status == 0, "back, nothing goes")
        // A base that no host has applied does not keep anybody from mending it.
        try await git.git("switch", "-q", "main")
        try await git.write("repo/bad.yaml", "kind: Nothing\n")
        try await git.commit([:])
        try await git.git("switch", "-q", "-c", "mend")
        fleet.remove("acme/prod/web/ahead")
        try await git.git("rm", "-q", "bad.yaml")
        try await git.commit(fleet.files)
        let mended = try await plan("--base", "main", "--head", "mend")
        #expect(mended.status == 0 && mended.error.contains("the plan begins at "), "\(mended)")
        #expect(mended.output.contains("- endpoint acme/prod/web/ahead"), "\(mended.output)")
        #expect(try await plan("--base", "main", "--head", "change").status == 1, "what the merge gives is as wrong as the base")
    }

    /// What is not ours to read is a repository all the same: its working tree is not read in its place.
    @Test(.needsRoot, arguments: [".git", ".git/objects", ".git/HEAD"])
    func aRepositoryOutOfReachIsNoPlainFolder(hidden: String) async throws {
        let git = try GitFixture()
        try await git.repository(files: ScenarioTests.twoTenants("tc").files)
        let repo = "\(git.folder)/repo"
        #expect(chmod("\(repo)/\(hidden)", 0) == 0)
        defer { chmod("\(repo)/\(hidden)", 0o700) }
        for words in [["validate", "--repo", repo], ["plan", "--repo", repo, "--base", "main"]] {
            let outcome = try await Tool.execute(
                ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", Tool().path] + words)
            #expect(outcome.status == 1 && outcome.output.isEmpty, "\(outcome.output)")
            #expect(outcome.error.contains("\(repo)/\(hidden): Permission denied"), "\(outcome.error)")
        }
    }

    /// Neither BPF nor interfaces: the trace shows that it never asks for either.
    @Test(.enabled(if: access("/usr/bin/strace", X_OK) == 0, "strace is not installed"))
    func theKernelIsNotAsked() async throws {
        let repository = try await Self.repository()
        let trace = "\(repository.git.folder)/trace"
        let outcome = try await Tool.execute(
            ["strace", "-f", "-qq", "-o", trace, "-e", "trace=bpf,open,openat,socket", repository.tool.path] + repository.words)
        #expect(outcome.status == 0, "\(outcome.error)")
        let lines = try await Tool.execute(["grep", "-E", "^[0-9]+ +(bpf|socket)\\(|/sys/fs/bpf", trace]).output
        #expect(lines == "")
    }
}

extension Tool {
    /// Whether the user can run the program where it is: it may lie in somebody else's home.
    func canRun() async throws -> Bool { try await run("--version").status == 0 }

    /// A copy that the user can run; without privileges though the same user, if the Swift runtime cannot be reached either.
    func copied(to folder: String) async throws -> Tool {
        let copy = "\(folder)/mizar-reconcile"
        _ = try await Tool.execute(["cp", path, copy])
        var tool = Tool(path: copy)
        tool.user = user
        if try await !tool.canRun() { tool.user = nil }
        return tool
    }
}
