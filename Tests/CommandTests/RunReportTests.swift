import FoundationEssentials
import Glibc
import TestSupport
import Testing

/// What `run` tells: its log, and a service manager.
@Suite(.needsRoot) struct RunReportTests {
    /// A line of the log in JSON.
    struct Line: Decodable {
        var level: String
        var message: String
        var time: String
        var about: String?
        var since: String?
        var rounds: Int?
        var commit: String?
        var added: Int?
        var waiting: Int?
        var attached: [String]?
        var detached: [String]?
        var pending: [String]?
        var code: String?
    }

    static func lines(_ daemon: Background) throws -> [Line] {
        // The last may not be whole yet.
        try daemon.output.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map {
            try JSONDecoder().decode(Line.self, from: Data($0.utf8))
        }
    }

    static func command(
        _ lab: LabFixture, _ host: String, interval: String = "100ms", environment: [String] = [], _ more: String...
    ) -> [String] {
        ["env"] + environment + RunTests.command(lab, host, repo: "file://\(lab.repo)", interval: interval) + more
    }

    @Test func eachTroubleIsSaidOnceAndItsEnd() async throws {
        var fleet = ApplyTests.twoHosts()
        try await LabFixture.with(fleet) { lab in
            let manager = try NotifySocket("\(lab.git.folder)/notify")
            let command = Self.command(
                lab, "h1", environment: ["NOTIFY_SOCKET=\(manager.name)"], "--log-format", "json")
            let status = try await Tool.whileRunning(
                command, namespace: lab.namespace(host: "h1"), log: "\(lab.git.folder)/run.log"
            ) { daemon in
                /// Some rounds more, whose log is not empty because nobody looked.
                func rounds() async throws {
                    let before = manager.count("STATUS=")
                    #expect(try await eventually { manager.count("STATUS=") >= before + 4 }, "\(daemon.output)")
                }
                func saying(_ isMeant: (Line) -> Bool) throws -> [Line] { try Self.lines(daemon).filter(isMeant) }
                #expect(try await eventually { try !saying { $0.message.hasPrefix("took commit ") }.isEmpty }, "\(daemon.output)")

                // A server that has gone.
                #expect(rename(lab.repo, lab.repo + "-away") == 0)
                #expect(try await eventually { try !saying { $0.about == "fetching" }.isEmpty }, "\(daemon.output)")
                // What others take away is repaired all the same.
                try await lab.takeOff("h1", fleet["acme/prod/web/a"].interface, "ingress")
                let isRepaired = try await eventually {
                    try await lab.status("h1").attachments.contains { $0.interface == fleet["acme/prod/web/a"].interface }
                }
                #expect(isRepaired, "\(daemon.output)")
                try await rounds()
                #expect(try saying { $0.about == "fetching" && $0.level == "error" }.count == 1, "\(daemon.output)")
                #expect(rename(lab.repo + "-away", lab.repo) == 0)
                #expect(try await eventually { try !saying { $0.about == "fetching" && $0.level == "info" }.isEmpty }, "\(daemon.output)")
                let over = try #require(try saying { $0.about == "fetching" && $0.level == "info" }.first)
                #expect(over.message.hasPrefix("works again: ") && (over.rounds ?? 0) > 1 && over.since != nil, "\(over)")

                // A commit with errors: each once, and the good one is repaired.
                fleet.endpoint("acme/prod/web/x", 99, on: "h7")
                try await lab.commit(fleet)
                #expect(try await eventually { try !saying { $0.about == "reading the commit" }.isEmpty }, "\(daemon.output)")
                try await lab.takeOff("h1", fleet["acme/prod/web/a"].interface, "ingress")
                let isRepairedAgain = try await eventually {
                    try await lab.status("h1").attachments.contains { $0.interface == fleet["acme/prod/web/a"].interface }
                }
                #expect(isRepairedAgain, "\(daemon.output)")
                try await rounds()
                #expect(try saying { $0.about == "reading the commit" }.count == 1, "\(daemon.output)")
                #expect(try saying { $0.code != nil && $0.level == "error" }.count == 1, "\(daemon.output)")
                fleet.remove("acme/prod/web/x")

                // A commit that changes nothing here has a line, with numbers that are numbers.
                let same = try await lab.commit(fleet)
                #expect(try await eventually { try !saying { $0.commit == same }.isEmpty }, "\(daemon.output)")
                let taken = try #require(try saying { $0.commit == same }.first)
                #expect(taken.added == 0 && taken.waiting == 0 && taken.attached == [] && taken.pending == [], "\(taken)")
                #expect(try !saying { $0.about == "reading the commit" && $0.level == "info" }.isEmpty)

                // Endpoints that come and go, by name.
                let endpoint = fleet["acme/prod/web/c"]
                try await lab.unplug(endpoint)
                #expect(
                    try await eventually { try !saying { $0.detached == [endpoint.path] && $0.pending == [endpoint.path] }.isEmpty },
                    "\(daemon.output)")
                try await lab.plug(endpoint)
                #expect(
                    try await eventually { try !saying { $0.attached == [endpoint.path] && $0.pending == [] }.isEmpty }, "\(daemon.output)")
                for line in try Self.lines(daemon) {
                    #expect(try #/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/#.wholeMatch(in: line.time) != nil, "\(line.time)")
                }
            }
            #expect(status == 0)
        }
    }

    @Test func aServiceManagerHearsHowItIs() async throws {
        let fleet = ApplyTests.twoHosts()
        try await LabFixture.with(fleet) { lab in
            // A period that a fetch of two seconds does not outlast.
            let manager = try NotifySocket("\(lab.git.folder)/notify")
            let command = Self.command(
                lab, "h1", interval: "1h", environment: ["NOTIFY_SOCKET=\(manager.name)", "WATCHDOG_USEC=4400000"], "--fetch-timeout", "2")
            let status = try await Tool.whileRunning(
                command, namespace: lab.namespace(host: "h1"), log: "\(lab.git.folder)/run.log"
            ) { daemon in
                #expect(try await eventually { manager.lines().contains("READY=1") }, "\(daemon.output)")
                #expect(manager.lines().contains { $0.hasPrefix("STATUS=commit ") && $0.hasSuffix(" applied") }, "\(manager.lines())")
                #expect(try await eventually { manager.count("WATCHDOG=1") >= 3 }, "the loop, while it waits")
                #expect(manager.count("WATCHDOG_USEC=") == 0 && manager.count("READY=1") == 1)
                var fleet = fleet
                fleet.remove("acme/prod/web/c")
                try await lab.commit(fleet)
                daemon.signal(SIGHUP)
                #expect(try await eventually { manager.count("READY=1") == 2 }, "\(daemon.output)")
                #expect(manager.count("RELOADING=1") == 1 && manager.count("MONOTONIC_USEC=") == 1)
                #expect(try await lab.rows("h1", "ports").count == 1, "fetched and applied, long before the interval")
                let time = #/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z .+/#
                for line in daemon.output.split(separator: "\n") { #expect(try time.wholeMatch(in: line) != nil, "\(line)") }
                #expect(daemon.output.contains(" detached=acme/prod/web/c"), "\(daemon.output)")
            }
            #expect(status == 0)
            #expect(manager.count("STOPPING=1") == 1)

            // For another process, and of a period shorter than a fetch may take. An abstract name is one of a network namespace: on
            // this machine, which is not h1, the daemon comes up, says so and changes nothing.
            for (variables, isAsked) in [(["WATCHDOG_USEC=2000000", "WATCHDOG_PID=1"], false), (["WATCHDOG_USEC=2000000"], true)] {
                let manager = try NotifySocket("@mizar-test-\(lab.name)-\(isAsked)")
                try await Tool.whileRunning(
                    Self.command(lab, "h1", interval: "1h", environment: ["NOTIFY_SOCKET=\(manager.name)"] + variables),
                    log: "\(lab.git.folder)/run.log"
                ) { daemon in
                    let isReady = try await eventually { manager.lines().contains("READY=1") }
                    #expect(isReady, "\(daemon.output)")
                    #expect(manager.lines().contains("WATCHDOG_USEC=120000000") == isAsked)
                    #expect(manager.lines().contains { $0.hasPrefix("STATUS=this machine is not h1") }, "\(manager.lines())")
                    #expect((manager.count("WATCHDOG=1") > 0) == isAsked)
                }
            }
        }
    }

    /// Without lines of its own time where the journal has it.
    @Test func theJournalKeepsTheTime() async throws {
        let fleet = ApplyTests.twoHosts()
        try await LabFixture.with(fleet) { lab in
            // As systemd sets it: the device and inode of standard error.
            let words = Array(Self.command(lab, "h1", interval: "1h").dropFirst())
            let script = #"export JOURNAL_STREAM=$(stat -L -c %d:%i /dev/stderr); exec "$@""#
            try await Tool.whileRunning(
                ["sh", "-c", script, "sh"] + words, namespace: lab.namespace(host: "h1"), log: "\(lab.git.folder)/run.log"
            ) { daemon in
                let isTaken = try await eventually { daemon.output.contains("<6>took commit ") }
                #expect(isTaken, "\(daemon.output)")
                #expect(daemon.output.hasPrefix("<6>reconciling host h1 every 3600s"), "\(daemon.output)")
            }
        }
    }

    @Test func aHostThatTheTopologyLacksIsRefusedAtOnce() async throws {
        let fleet = ApplyTests.twoHosts()
        try await LabFixture.with(fleet) { lab in
            let run = ["run", "--repo", lab.repo, "--bpffs", lab.bpffs("h1"), "--host"]
            let tool = lab.tool(on: "h1")
            let unknown = try await tool.run(run + ["h11"])
            #expect(unknown.status == 1 && unknown.error.contains("error: the topology has no host “h11”; did you mean h1"), "\(unknown)")
            #expect(unknown.error.split(separator: "\n").count == 2, "the line that it began with, and why it ended: \(unknown.error)")
            for command in [run + [""], ["plan", "--repo", lab.repo, "--host", ""], ["status", "--host", ""], ["detach", "--host", ""]] {
                let empty = try await tool.run(command)
                #expect(empty.status == 1 && empty.error.contains("--host is empty"), "\(command): \(empty)")
            }
            #expect(try await lab.unfinished(fleet) == [])
            // Who has the machine's name, whole or up to its first dot, needs no flag.
            for (name, variable, found) in [("h1", "", true), ("h1.example.org", "", true), ("other", "h1", true), ("other", "", false)] {
                let script = #"hostname "$1"; shift; exec "$@""#
                for words in [["plan", "--repo", lab.repo], ["status"]] {
                    let outcome = try await Tool.execute(
                        ["unshare", "--uts", "sh", "-c", script, "sh", name, tool.path] + words + ["--bpffs", lab.bpffs("h1")],
                        namespace: lab.namespace(host: "h1"), environment: ["MIZAR_HOST": variable])
                    #expect(outcome.output.contains("Host h1") == found, "\(name) \(variable) \(words): \(outcome)")
                }
            }
        }
    }

    @Test("what somebody takes away again and again is said, and left alone")
    func fights() async throws {
        let fleet = ApplyTests.twoHosts()
        try await LabFixture.with(fleet) { lab in
            let (a, c) = (fleet["acme/prod/web/a"].interface, fleet["acme/prod/web/c"].interface)
            func isAttached(_ interface: String) async throws -> Bool {
                try await lab.status("h1").attachments.contains { $0.interface == interface }
            }
            let status = try await Tool.whileRunning(
                Self.command(lab, "h1", interval: "60s", "--log-format", "json"), namespace: lab.namespace(host: "h1"),
                log: "\(lab.git.folder)/run.log"
            ) { daemon in
                func said(_ level: String) throws -> [Line] {
                    try Self.lines(daemon).filter { $0.about == "what others undo" && $0.level == level }
                }
                #expect(try await eventually { try !Self.lines(daemon).filter { $0.message.hasPrefix("took commit ") }.isEmpty })
                for _ in 1...3 {
                    try await lab.takeOff("h1", a, "ingress")
                    #expect(try await eventually { try await isAttached(a) }, "\(daemon.output)")
                    #expect(try said("error").isEmpty, "\(daemon.output)")
                }
                try await lab.takeOff("h1", a, "ingress")
                #expect(try await eventually { try !said("error").isEmpty }, "\(daemon.output)")
                #expect(try said("error").first?.message.contains("program port on \(a)") == true, "\(daemon.output)")
                // All else is repaired.
                try await lab.takeOff("h1", c, "ingress")
                #expect(try await eventually { try await isAttached(c) }, "\(daemon.output)")
                #expect(try await !isAttached(a) && said("error").count == 1, "\(daemon.output)")
                #expect(
                    try await lab.tool(on: "h1").run("status", "--host", "h1", "--bpffs", lab.bpffs("h1")).output.contains(
                        "again and again"))
                // Somebody made peace.
                daemon.signal(SIGHUP)
                #expect(try await eventually { try await isAttached(a) }, "\(daemon.output)")
                #expect(try await eventually { try said("info").count == 1 }, "\(daemon.output)")
            }
            #expect(status == 0)
        }
    }
}
