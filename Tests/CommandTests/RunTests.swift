import Glibc
import TestSupport
import Testing

/// The daemon: it notices commits and interfaces, survives what fails, and leaves the data plane running.
@Suite(.needsRoot) struct RunTests {
    static func command(_ lab: LabFixture, _ host: String, repo: String, interval: String) -> [String] {
        [
            Tool().path, "run", "--repo", repo, "--host", host, "--bpffs", lab.bpffs(host), "--interval", interval,
            "--cache", "\(lab.git.folder)/cache",
        ]
    }

    @Test func aNewInterfaceIsAttachedAtOnce() async throws {
        let fleet = ApplyTests.twoHosts()
        try await LabFixture.with(fleet) { lab in
            let endpoint = fleet["acme/prod/web/b"]
            let status = try await Tool.whileRunning(
                Self.command(lab, "h2", repo: lab.repo, interval: "1h"), namespace: lab.namespace(host: "h2"),
                log: "\(lab.git.folder)/run.log"
            ) { daemon in
                #expect(try await eventually { daemon.output.contains("reconciling") }, "\(daemon.output)")
                try await lab.unplug(endpoint)
                let isPending = try await eventually { try await lab.status("h2").pending.map(\.name) == [endpoint.path] }
                #expect(isPending, "\(daemon.output)")
                try await lab.plug(endpoint)
                let clock = ContinuousClock()
                let start = clock.now
                let isAttached = try await eventually(within: .seconds(5)) {
                    try await lab.status("h2").attachments.contains { $0.interface == endpoint.interface }
                }
                print("attached \(clock.now - start) after the interface appeared")
                #expect(isAttached, "\(daemon.output)")
                #expect(try await lab.failures(fleet) == [])
            }
            #expect(status == 0, "SIGTERM is a clean end")
            try await ScenarioTests.holds(lab, fleet, "the data plane goes on")
        }
    }

    @Test func itSurvivesWhatFails() async throws {
        var fleet = ApplyTests.twoHosts()
        try await LabFixture.with(fleet) { lab in
            let status = try await Tool.whileRunning(
                Self.command(lab, "h1", repo: "file://\(lab.repo)", interval: "100ms"),
                namespace: lab.namespace(host: "h1"), log: "\(lab.git.folder)/run.log"
            ) { daemon in
                #expect(try await eventually { daemon.output.contains("reconciling") }, "\(daemon.output)")
                // A commit with errors.
                fleet.endpoint("acme/prod/web/x", 99, on: "h7")
                try await lab.commit(fleet)
                #expect(try await eventually { daemon.output.contains("1 error in the topology of commit ") }, "\(daemon.output)")
                // A server that has gone, and comes back with a commit.
                #expect(rename(lab.repo, lab.repo + "-away") == 0)
                #expect(try await eventually { daemon.output.contains("repo") && daemon.output.contains("error") })
                #expect(daemon.isRunning)
                #expect(rename(lab.repo + "-away", lab.repo) == 0)
                fleet.remove("acme/prod/web/x", "acme/prod/web/c")
                try await lab.commit(fleet)
                let isDone = try await eventually {
                    try await lab.rows("h1", "ports").count == 1
                }
                #expect(isDone, "\(daemon.output)")
                #expect(try await eventually { daemon.output.contains("works again") }, "\(daemon.output)")
                // Drift.
                try await lab.takeOff("h1", fleet["acme/prod/web/a"].interface, "ingress")
                #expect(try await eventually { try await lab.plan("h1").output.contains("No changes.") }, "\(daemon.output)")
            }
            #expect(status == 0)
            #expect(try await lab.apply("h2").succeeded)
            try await ScenarioTests.holds(lab, fleet)
        }
    }

    /// What this host has is repaired while a newer commit has errors, also by a daemon that starts only then.
    @Test(arguments: [true, false]) func aWrongCommitNeverStopsRepair(byURL: Bool) async throws {
        var fleet = ApplyTests.twoHosts()
        try await LabFixture.with(fleet) { lab in
            let good = try await lab.git.git("rev-parse", "HEAD")
            let interface = fleet["acme/prod/web/a"].interface
            let run = Self.command(lab, "h1", repo: byURL ? "file://\(lab.repo)" : lab.repo, interval: "100ms")
            let log = "\(lab.git.folder)/run.log"
            func repairs(_ daemon: Background) async throws {
                try await lab.takeOff("h1", interface, "ingress")
                let isBack = try await eventually { try await lab.status("h1").attachments.contains { $0.interface == interface } }
                #expect(isBack, "\(daemon.output)")
            }
            var status = try await Tool.whileRunning(run, namespace: lab.namespace(host: "h1"), log: log) { daemon in
                #expect(try await eventually { daemon.output.contains("reconciling") }, "\(daemon.output)")
                fleet.endpoint("acme/prod/web/x", 99, on: "h7")
                try await lab.commit(fleet)
                #expect(try await eventually { daemon.output.contains("and is repaired to commit \(good)") }, "\(daemon.output)")
                try await repairs(daemon)
                #expect(daemon.output.count(of: "error[MZ304]") == 1, "each commit is read once: \(daemon.output)")
            }
            #expect(status == 0)
            status = try await Tool.whileRunning(run, namespace: lab.namespace(host: "h1"), log: log) { daemon in
                #expect(try await eventually { daemon.output.contains("and is repaired to commit \(good)") }, "\(daemon.output)")
                try await repairs(daemon)
            }
            #expect(status == 0)
        }
    }

    /// A commit that takes long to read: SIGTERM ends the daemon meanwhile, and the data plane goes on.
    @Test func aSignalEndsItWhileItReads() async throws {
        let fleet = ApplyTests.twoHosts()
        let bombs = try BombFixture()
        try await bombs.commit(tree: try await bombs.nested([("100644 blob", try await bombs.blob("# nothing\n"), "t.txt")], depth: 11))
        try await LabFixture.with(fleet) { lab in
            let status = try await Tool.whileRunning(
                Self.command(lab, "h1", repo: bombs.repo, interval: "1h"), namespace: lab.namespace(host: "h1"),
                log: "\(lab.git.folder)/run.log"
            ) { daemon in
                let hasBegun = try await eventually { daemon.output.contains("reconciling") }
                #expect(hasBegun, "\(daemon.output)")
            }
            #expect(status == 0, "it ended by itself")
            try await ScenarioTests.holds(lab, fleet, "the data plane goes on")
        }
    }

    /// Many commits between what the host has and the newest, which guards have to read: the host is repaired meanwhile, and SIGTERM
    /// ends the daemon.
    @Test func aLongLineOfCommitsNeverStopsRepair() async throws {
        var fleet = ApplyTests.twoHosts()
        try await LabFixture.with(fleet) { lab in
            let interface = fleet["acme/prod/web/a"].interface
            fleet.vpc("globex/prod", vni: 7000, cidrs: ["10.7.0.0/16"])
            fleet.network("globex/prod/many", cidrs: ["10.7.0.0/16"])
            let head = ["---", "apiVersion: mizar/v1", "kind: Endpoints", "network: globex/prod/many", "endpoints:"]
            let endpoints = (0..<4000).map { "  e\($0): {ips: [10.7.\($0 / 200).\($0 % 200 + 10)], host: h2, interface: e\($0)}" }
            let many = (head + endpoints).joined(separator: "\n")
            for number in 0..<40 {
                var files = fleet.files
                files["many.yaml"] = many + "\n# \(number)\n"
                try await lab.git.commit(files)
            }
            let run = Self.command(lab, "h1", repo: lab.repo, interval: "1h")
            let status = try await Tool.whileRunning(run, namespace: lab.namespace(host: "h1"), log: "\(lab.git.folder)/run.log") {
                daemon in
                #expect(try await eventually { daemon.output.contains("are judged by guards so far") }, "\(daemon.output)")
                try await lab.takeOff("h1", interface, "ingress")
                let isBack = try await eventually { try await lab.status("h1").attachments.contains { $0.interface == interface } }
                #expect(isBack, "\(daemon.output)")
                #expect(daemon.output.contains("repaired meanwhile"))
            }
            #expect(status == 0)
        }
    }

    /// One reconciler a host: what another did between two rounds, the next would undo.
    @Test func whileItRunsNobodyElseChangesTheHost() async throws {
        let fleet = ApplyTests.twoHosts()
        try await LabFixture.with(fleet) { lab in
            let run = Self.command(lab, "h1", repo: lab.repo, interval: "1h")
            let status = try await Tool.whileRunning(
                run, namespace: lab.namespace(host: "h1"), log: "\(lab.git.folder)/run.log"
            ) { daemon in
                #expect(try await eventually { daemon.output.contains("reconciling") }, "\(daemon.output)")
                let second = try await lab.tool(on: "h1").run(Array(run.dropFirst()))
                for refused in [second, try await lab.apply("h1"), try await lab.detach("h1")] {
                    #expect(refused.status == 1, "\(refused.output)")
                    #expect(refused.error.contains("process \(daemon.pid) (\(run.joined(separator: " ")))"), "\(refused.error)")
                }
                #expect(try await lab.unfinished(fleet) == [], "a plan needs no lock, and nothing has changed")
                // Its pins removed by hand, and with them the folder that the lock was of: it makes both anew.
                _ = try await lab.on("h1", "rm", "-r", lab.bpffs("h1"))
                daemon.signal(SIGHUP)
                #expect(try await eventually { try await lab.unfinished(fleet) == [] }, "\(daemon.output)")
                let again = try await lab.apply("h1")
                #expect(again.status == 1 && again.error.contains("process \(daemon.pid) "), "\(again.error)")
            }
            #expect(status == 0)
            #expect(try await lab.apply("h1").succeeded, "the lock ended with it")
            try await ScenarioTests.holds(lab, fleet)
        }
    }
}

extension String {
    fileprivate func count(of text: String) -> Int { ranges(of: text).count }
}
