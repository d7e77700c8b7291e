import FoundationEssentials
import Glibc
import TestSupport
import Testing

/// A commit that takes away too much: hosts stay on the one before, and are repaired to it.
@Suite(.needsRoot) struct GuardTests {
    /// Enough endpoints that guards care, on two hosts.
    static func fleet() -> Fleet {
        var fleet = ScenarioTests.oneNetwork("tc", hosts: 2)
        for number in 0..<6 { fleet.endpoint("acme/prod/web/n\(number)", 30 + number, on: "h\(number % 2 + 1)") }
        return fleet
    }

    /// What the issue of so many outages was: one file gets another ending.
    @Test func aDeletedFileIsRefusedAndTheHostRepaired() async throws {
        let fleet = Self.fleet()
        try await LabFixture.with(fleet) { lab in
            let first = try await lab.git.git("rev-parse", "HEAD").prefix(12)
            try await lab.git.git("mv", "acme.yaml", "acme.json")
            let deleted = try await lab.git.commit([:]).prefix(12)
            let plan = try await lab.plan("h1", "--detailed-exitcode")
            #expect(plan.status == 4)
            for words in [
                "Refused: commit \(deleted) takes away 8 of 8 endpoints (100%)", "- endpoint acme/prod/web/n5  (acme.yaml:",
                "Here, going to \(deleted) would make: 0 to add, ", "No changes.", "acme.json:1:1: warning[MZ017]",
            ] { #expect(plan.output.contains(words), "\(words) in \(plan.output)") }
            for words in ["trailer “Mizar-Allow: destroy”", "apply --allow-destroy", "git revert \(deleted)"] {
                #expect(plan.error.contains(words), "\(words) in \(plan.error)")
            }
            // Drift is repaired all the same, by apply and by run.
            let interface = fleet["acme/prod/web/a"].interface
            try await lab.takeOff("h1", interface, "ingress")
            let apply = try await lab.apply("h1")
            #expect(apply.status == 4 && apply.output.contains("Repaired only"), "\(apply)")
            #expect(apply.error.contains("the host stays on commit \(first), and is repaired to it"), "\(apply.error)")
            #expect(try await lab.failures(fleet) == [])
            try await lab.takeOff("h1", interface, "ingress")
            let status = try await Tool.whileRunning(
                RunTests.command(lab, "h1", repo: lab.repo, interval: "200ms"), namespace: lab.namespace(host: "h1"),
                log: "\(lab.git.folder)/run.log"
            ) { daemon in
                let isRepaired = try await eventually { try await lab.plan("h1").output.contains("No changes.") }
                #expect(isRepaired && daemon.output.contains("refused: commit \(deleted) takes away"), "\(daemon.output)")
                // Given back, with a small change: taken, and said.
                var next = fleet
                next.remove("acme/prod/web/n0")
                let restored = try await lab.commit(next).prefix(12)
                #expect(try await eventually { daemon.output.contains("guards let commit \(restored) pass") }, "\(daemon.output)")
                #expect(try await lab.rows("h1", "ports").count == 3)
                // And once more.
                try await lab.git.git("rm", "-q", "acme.yaml")
                let again = try await lab.git.commit([:]).prefix(12)
                #expect(try await eventually { daemon.output.contains("refused: commit \(again)") }, "\(daemon.output)")
                let said = daemon.output.split(separator: "\n").count { $0.contains("refused: commit \(again)") }
                #expect(said == 1, "once: \(daemon.output)")
            }
            #expect(status == 4, "it ends while a commit is refused")
            #expect(try await lab.rows("h1", "ports").count == 3)
            // For one apply, on one host.
            #expect(try await lab.plan("h1", "--allow-destroy").status == 0)
            #expect(try await lab.apply("h1", "--allow-destroy").status == 0)
            #expect(try await lab.rows("h1", "ports").isEmpty)
            #expect(try await lab.apply("h1").status == 0, "it is applied now")
            #expect(try await lab.rows("h2", "ports").count == 4)
            #expect(try await lab.apply("h2").status == 4)
            // A lab goes where it is told.
            try await lab.up()
            #expect(try await lab.rows("h2", "ports").isEmpty)
        }
    }

    @Test func whoseVerdictItIs() async throws {
        var fleet = Self.fleet()
        try await LabFixture.with(fleet) { lab in
            let main = try await lab.git.git("rev-parse", "HEAD")
            func git(_ words: String...) async throws {
                _ = try await Tool.execute(
                    ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", lab.repo] + words,
                    environment: ["GIT_EDITOR": "true"])
            }
            func begin(_ branch: String, at commit: String = main) async throws { try await git("switch", "-qc", branch, commit) }
            func delete(_ message: String = "c") async throws {
                try await git("mv", "acme.yaml", "acme.json")
                try await git("commit", "-qm", message)
            }
            func plan(_ host: String = "h1", _ more: String...) async throws -> Tool.Outcome {
                try await lab.tool(on: host).run(["plan"] + lab.arguments(host) + more)
            }
            let trailer = "c\n\nReviewed-by: t\nmizar-allow: destroy\n"
            try await begin("allowed")
            try await delete(trailer)
            #expect(try await plan().status == 0)
            // In the text, and not among the trailers.
            try await begin("mentioned")
            try await delete("c\n\nMizar-Allow: destroy\n\nis what the next one has.\n")
            #expect(try await plan().status == 4)
            // The branch that a merge brings in.
            try await begin("with-side", at: main)
            try await git("commit", "-q", "--allow-empty", "-m", "aside")
            try await git("merge", "-q", "--no-ff", "-m", "m", "allowed")
            #expect(try await plan().status == 0)
            // A merge that takes away on its own, of a branch without a word.
            try await begin("merges", at: main)
            try await git("commit", "-q", "--allow-empty", "-m", "aside")
            try await git("merge", "-q", "--no-ff", "-m", "m", "mentioned")
            #expect(try await plan().status == 4)
            // A later one's trailer is about another change.
            try await begin("late", at: "mentioned")
            try await git("commit", "-q", "--allow-empty", "-m", trailer)
            #expect(try await plan().status == 4)
            // One with errors was never applied: the next one is compared with what was before.
            try await begin("broken")
            try await lab.git.write("repo/bad.yaml", "kind: Nothing\n")
            try await git("add", "-A")
            try await delete()
            try await git("rm", "-qf", "bad.yaml")
            try await git("commit", "-qm", "mended")
            let mended = try await plan()
            #expect(mended.status == 4 && mended.error.contains("takes away 8 of 8 endpoints"), "\(mended.error)")
            // A host that goes with its endpoints stays what it is.
            try await begin("no-h2")
            var without = fleet
            for endpoint in fleet.endpoints where endpoint.host == "h2" { without.remove(endpoint.path) }
            for endpoint in fleet.endpoints.prefix(4) { without.remove(endpoint.path) }
            without.hosts.removeAll { $0.name == "h2" }
            without.roles(on: "h1")
            try await lab.commit(without)
            let gone = try await plan("h2")
            #expect(gone.status == 4 && gone.output.contains("Refused:"), "\(gone)")
            // The history was rewritten, and goes back.
            try await begin("rewritten")
            try await delete()
            try await git("commit", "-q", "--amend", "-m", "another")
            try await git("checkout", "-q", "--orphan", "lone")
            try await git("commit", "-qm", trailer)
            let lone = try await plan()
            #expect(lone.status == 0 && lone.error.contains("rewritten"), "its own trailer: \(lone)")
            try await git("commit", "-q", "--amend", "-m", "lone")
            let unrelated = try await plan()
            #expect(unrelated.status == 4 && unrelated.error.contains("rewritten"), "\(unrelated.error)")
            // A folder.
            let folder = "\(lab.git.folder)/plain"
            _ = try await Tool.execute(["mkdir", folder])
            _ = try await Tool.execute(["cp", "\(lab.repo)/hosts.yaml", folder])
            let plain = try await lab.tool(on: "h1").run(
                "plan", "--repo", folder, "--host", "h1", "--bpffs", lab.bpffs("h1"))
            #expect(plain.status == 4 && plain.error.contains("with the rows of this host"), "\(plain.error)")
            let allowed = try await lab.tool(on: "h1").run(
                "plan", "--repo", folder, "--host", "h1", "--bpffs", lab.bpffs("h1"), "--allow-destroy")
            #expect(allowed.status == 0, "\(allowed)")
            // What is protected goes in two steps, whatever a trailer says.
            try await begin("protected")
            try await git("rm", "-q", "acme.yaml")
            var files = fleet.files
            files["acme.yaml"] = files["acme.yaml"]?.replacing("kind: Tenant\n", with: "kind: Tenant\nprotect: true\n")
            try await lab.git.commit(files)
            #expect(try await plan().status == 0)
            #expect(try await lab.apply("h1").status == 0)
            try await delete(trailer)
            let kept = try await plan("h1", "--allow-destroy")
            #expect(kept.status == 4 && kept.error.contains("tenant acme (acme.yaml:"), "\(kept.error)")
            try await git("revert", "--no-edit", "HEAD")
            fleet.remove("acme/prod/web/n0")
            try await lab.commit(fleet)
            try await delete(trailer)
            #expect(try await plan().status == 0, "not in one, but in two")
        }
    }
}
