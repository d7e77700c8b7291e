import Glibc
import TestSupport
import Testing

/// `apply` and `detach` on a host of a lab: what they change, what they refuse, and what they leave alone.
@Suite(.needsRoot) struct ApplyTests {
    static func twoHosts(_ datapath: String = "auto") -> Fleet {
        var fleet = ScenarioTests.oneNetwork(datapath, hosts: 2)
        fleet.endpoint("acme/prod/web/c", 12, on: "h1")
        return fleet
    }

    @Test func secondApplyChangesNothing() async throws {
        let fleet = Self.twoHosts()
        try await LabFixture.with(fleet) { lab in
            let endpoints = try await lab.rows("h1", "endpoints")
            let again = try await lab.apply("h1")
            #expect(again.status == 0, "\(again.error)")
            #expect(again.output.contains("No changes."))
            #expect(again.output.hasSuffix("Apply complete! Resources: 0 added, 0 changed, 0 destroyed.\n"))
            #expect(try await lab.rows("h1", "endpoints") == endpoints)
        }
    }

    /// A host that skips the commit by which a free VNI went to one VPC does not give it to the next one at once.
    @Test func aVNIOfASkippedCommitWaits() async throws {
        let fleet = Self.twoHosts()
        try await LabFixture.with(fleet) { lab in
            func commit(_ vpc: String) async throws {
                var next = fleet
                next.vpc(vpc, vni: 4099)
                next.network("\(vpc)/lan", 1)
                next.endpoint("\(vpc)/lan/x", 10, on: "h1")
                try await lab.commit(next)
            }
            try await commit("globex/old")
            #expect(try await lab.apply("h2").succeeded)
            #expect(try await lab.rows("h2", "vpcs").contains { $0.number == 4099 }, "nobody had it: at once")
            try await commit("globex/new")
            let outcome = try await lab.apply("h1")
            #expect(outcome.succeeded && (outcome.output + outcome.error).contains("warning[MZ501]: VNI 4099 passes"), "\(outcome)")
            #expect(try await !lab.rows("h1", "vpcs").contains { $0.number == 4099 })
            #expect(try await !lab.rows("h1", "endpoints").contains { $0.number == 4099 })
            #expect(try await lab.apply("h1", "--through", "remove").succeeded)
            #expect(try await lab.rows("h1", "vpcs").contains { $0.number == 4099 }, "once it is known that nobody has it")
        }
    }

    @Test func whatItCannotBeIsRefused() async throws {
        let fleet = Self.twoHosts()
        try await LabFixture.with(fleet) { lab in
            // h2's address is not h1's.
            let tool = lab.tool(on: "h1")
            let wrong = try await tool.run("apply", "--repo", lab.repo, "--host", "h2", "--bpffs", lab.bpffs("h1"))
            #expect(wrong.status == 4)
            #expect(wrong.error.contains("172.16.0.2") && wrong.error.contains("172.16.0.1"), "\(wrong.error)")
            let unknown = try await tool.run("apply", "--repo", lab.repo, "--host", "h9", "--bpffs", lab.bpffs("h1"))
            #expect(unknown.status == 1)
            #expect(unknown.error.contains("h9") && unknown.error.contains("h1, h2"), "\(unknown.error)")
            let other = try await tool.run("detach", "--host", "h2", "--bpffs", lab.bpffs("h1"))
            #expect(other.status == 4, "the maps of h1 are not h2's to remove")
            #expect(other.error.contains("host h1 (172.16.0.1)"), "\(other.error)")
            let nowhere = try await lab.tool(on: "h1").run("apply", "--repo", lab.repo, "--host", "h1", "--bpffs", lab.git.folder)
            #expect(nowhere.status == 1 && nowhere.error.contains("bpffs"), "\(nowhere.error)")
            try await ScenarioTests.holds(lab, fleet)
        }
    }

    @Test func anotherHostsMapsAreNotTakenOver() async throws {
        var fleet = Self.twoHosts()
        try await LabFixture.with(fleet) { lab in
            // The machine h2, and the pins of h1.
            let h2 = lab.tool(on: "h2")
            let rows = try await lab.rows("h1", "endpoints")
            for command in ["plan", "apply", "run"] {
                let words = [command, "--repo", lab.repo, "--host", "h2", "--bpffs", lab.bpffs("h1")]
                // `run` would try again and again.
                let refused = try await Tool.execute(
                    (command == "run" ? ["timeout", "3"] : []) + [h2.path] + words, namespace: h2.namespace)
                if command != "run" { #expect(refused.status == 4) }
                #expect(
                    refused.error.contains("those of host h1 (172.16.0.1), not of h2")
                        && refused.error.contains("--bpffs of h2") && refused.error.contains("detach --host h1"), "\(refused.error)")
            }
            #expect(try await lab.rows("h1", "endpoints") == rows)
            try await ScenarioTests.holds(lab, fleet)
            // Inside a host of a lab, the maps are that host's unless something else is said.
            let inside = try await Tool().run(
                "lab", "exec", "--name", lab.name, "--host", "h2", "--", h2.path, "apply", "--repo", lab.repo, "--host", "h2")
            #expect(inside.status == 0 && inside.output.contains("No changes."), "\(inside.output)\(inside.error)")
            let nothing = try await h2.run("status", "--host", "h2", "--bpffs", lab.bpffs("h9")).output
            #expect(nothing.contains("nothing is applied here") && nothing.contains("--bpffs"), "\(nothing)")
            #expect(nothing.contains("programs on eth0, lo, v-acm-b run on maps that are pinned at \(lab.bpffs("h2"))"), "\(nothing)")

            // Another name for the same machine is no other machine.
            fleet[host: "h2"].name = "h3"
            fleet.move("acme/prod/web/b", to: "h3")
            try await lab.commit(fleet)
            let words = ["--repo", lab.repo, "--host", "h3", "--bpffs", lab.bpffs("h2")]
            #expect(try await h2.run(["apply"] + words).succeeded)
            #expect(try await h2.run(["plan"] + words).output.contains("No changes."))
        }
    }

    @Test func errorsInTheTopologyChangeNothing() async throws {
        var fleet = Self.twoHosts()
        try await LabFixture.with(fleet) { lab in
            let endpoints = try await lab.rows("h1", "endpoints")
            fleet.endpoint("acme/prod/web/d", 13, on: "h7")
            fleet.endpoint("acme/prod/web/e", 10, on: "h1")
            try await lab.commit(fleet)
            let outcome = try await lab.apply("h1")
            #expect(outcome.status == 1)
            #expect(outcome.error.contains("acme.yaml:") && outcome.error.contains("3 errors"), "\(outcome.error)")
            #expect(try await lab.rows("h1", "endpoints") == endpoints)
        }
    }

    @Test func aTakenPortIsAnErrorBeforeAnyWrite() async throws {
        let fleet = Self.twoHosts()
        try await LabFixture.with(fleet) { lab in
            #expect(try await lab.detach("h1").succeeded)
            let made = try await lab.on("h1", "ip", "link", "add", "vx0", "type", "vxlan", "dstport", "6081", "external")
            #expect(made.succeeded, "\(made.error)")
            _ = try await lab.on("h1", "ip", "link", "set", "vx0", "up")
            let refused = try await lab.apply("h1")
            #expect(refused.status == 1)
            #expect(refused.error.contains("6081") && refused.error.contains("taken"), "\(refused.error)")
            #expect(try await lab.attached("h1") == [], "nothing was written")
            _ = try await lab.on("h1", "ip", "link", "del", "vx0")
            #expect(try await lab.apply("h1").succeeded)
            try await ScenarioTests.holds(lab, fleet)
        }
    }

    @Test func aSecondReconcilerIsToldWhoHoldsTheLock() async throws {
        let fleet = Self.twoHosts()
        try await LabFixture.with(fleet) { lab in
            let directory = lab.bpffs("h1")
            try await Tool.whileRunning(
                ["flock", "--no-fork", directory, "sleep", "1000"], log: "\(lab.git.folder)/flock"
            ) { holder in
                let isHeld = try await eventually {
                    try await !Tool.execute(["flock", "-n", directory, "true"]).succeeded
                }
                #expect(isHeld)
                let refused = try await lab.apply("h1")
                #expect(refused.status != 0)
                #expect(refused.error.contains("\(holder.pid)") && refused.error.contains("sleep"), "\(refused.error)")
                #expect(try await lab.plan("h1").succeeded, "a plan needs no lock")
            }
            #expect(try await lab.apply("h1").succeeded, "a lock dies with its holder")
        }
    }

    @Test(arguments: datapaths)
    func interfacesComeAndGo(datapath: String) async throws {
        let fleet = Self.twoHosts(datapath)
        try await LabFixture.with(fleet) { lab in
            let endpoint = fleet["acme/prod/web/b"]
            try await lab.unplug(endpoint)
            let without = try await lab.apply("h2")
            #expect(without.status == 0, "an interface that is missing fails nothing: \(without.error)")
            #expect(without.output.contains("Pending: acme/prod/web/b"), "\(without.output)")
            let pending = try await lab.status("h2").pending
            #expect(pending.map(\.name) == [endpoint.path] && pending.map(\.network) == ["acme/prod/web"])
            #expect(pending.flatMap(\.addresses) == endpoint.addresses)
            let text = try await lab.tool(on: "h2").succeed("status", "--host", "h2", "--bpffs", lab.bpffs("h2"))
            #expect(
                text.contains("Pending: \(endpoint.path) \(endpoint.addresses.joined(separator: " ")) waits for its interface\n"), "\(text)"
            )
            #expect(try await lab.failures(fleet, except: [endpoint.path], kinds: ["ping"]) == [], "the others go on")
            #expect(try await lab.plan("h2").output.contains("No changes."))

            // Another index, another MAC, which it has to be heard with.
            try await lab.plug(endpoint, mac: "02:00:00:00:00:42")
            let found = try await lab.apply("h2")
            #expect(found.succeeded && !found.output.contains("Pending"), "\(found.output)\(found.error)")
            #expect(try await lab.status("h2").pending == [])
            #expect(try await lab.pings(endpoint.path, "10.0.1.1"))
            #expect(try await lab.status("h2").endpoints.map(\.mac) == ["02:00:00:00:00:42"])
            try await ScenarioTests.holds(lab, fleet, "attached again")

            // Gone and back between two applies.
            try await lab.unplug(endpoint)
            try await lab.plug(endpoint)
            #expect(try await lab.apply("h2").succeeded)
            try await ScenarioTests.holds(lab, fleet, "made anew under its name")
        }
    }

    @Test func theUplinkIsMadeAnew() async throws {
        let fleet = Self.twoHosts("xdp")
        try await LabFixture.with(fleet) { lab in
            // The lab makes again what is missing; apply attaches to it.
            _ = try await lab.on("h1", "ip", "link", "del", "dev", "eth0")
            let refused = try await lab.apply("h1")
            #expect(refused.status == 4 && refused.error.contains("172.16.0.1"), "its address went along: \(refused.error)")
            try await lab.up()
            try await ScenarioTests.holds(lab, fleet)
        }
    }

    @Test(arguments: datapaths)
    func detachLeavesNothing(datapath: String) async throws {
        let fleet = Self.twoHosts(datapath)
        try await LabFixture.with(fleet) { lab in
            #expect(try await lab.attached("h1") != [], "what is to be gone can be seen")
            let outcome = try await lab.detach("h1")
            #expect(outcome.status == 0, "\(outcome.error)")
            #expect(try await lab.attached("h1") == [])
            #expect(access(lab.bpffs("h1"), F_OK) != 0, "not even the folder")
            #expect(try await lab.on("h1", "tc", "qdisc", "show").output.contains("clsact") == false)
            #expect(try await lab.detach("h1").output.contains("No changes."))
            // Folders that are missing are made, and go with what is in them.
            let deep = "\(lab.bpffs("h1"))/a/b"
            let tool = lab.tool(on: "h1")
            try await tool.succeed("apply", "--repo", lab.repo, "--host", "h1", "--bpffs", deep)
            #expect(try await lab.failures(fleet, kinds: ["ping"]) == [])
            try await tool.succeed("detach", "--host", "h1", "--bpffs", deep)
            #expect(try await lab.attached("h1") == [])
            #expect(access(lab.bpffs("h1"), F_OK) != 0, "with the folders around it")
            #expect(try await lab.apply("h1").succeeded)
            try await ScenarioTests.holds(lab, fleet)
        }
    }

    /// Rows that somebody else removed, added or changed; filters taken away.
    @Test func driftIsRepaired() async throws {
        let fleet = Self.twoHosts("xdp")
        try await LabFixture.with(fleet) { lab in
            let map = "\(lab.bpffs("h1"))/hosts"
            for words in [
                ["bpftool", "map", "delete", "pinned", map, "key", "172", "16", "0", "2"],
                ["bpftool", "map", "update", "pinned", map, "key", "9", "9", "9", "9", "value"] + Array(repeating: "1", count: 24),
            ] {
                let outcome = try await Tool.execute(words)
                #expect(outcome.succeeded, "\(outcome.output)\(outcome.error)")
            }
            try await lab.takeOff("h1", fleet["acme/prod/web/a"].interface, "ingress")
            try await lab.takeOff("h1", "eth0", "ingress")
            try await lab.takeOff("h1", "eth0", "egress")
            _ = try await lab.on("h1", "ip", "link", "set", "dev", "eth0", "xdp", "off")
            let plan = try await lab.plan("h1", "--detailed-exitcode")
            #expect(plan.status == 2)
            let outcome = try await lab.apply("h1")
            #expect(outcome.succeeded, "\(outcome.output)\(outcome.error)")
            try await ScenarioTests.holds(lab, fleet)
        }
    }

    /// A git server that has gone, and a reboot without it: the commit applied last is what the host goes on with.
    @Test func withoutTheGitServer() async throws {
        let fleet = Self.twoHosts()
        try await LabFixture.with(fleet) { lab in
            let words = [
                "apply", "--repo", "file://\(lab.repo)", "--host", "h1", "--bpffs", lab.bpffs("h1"),
                "--cache", "\(lab.git.folder)/cache",
            ]
            let tool = lab.tool(on: "h1")
            let first = try await tool.run(words)
            #expect(first.succeeded, "\(first.error)")
            #expect(rename(lab.repo, lab.repo + "-away") == 0)
            defer { rename(lab.repo + "-away", lab.repo) }
            let second = try await tool.run(words)
            #expect(second.status == 1, "somebody must hear of it")
            #expect(second.error.contains("kept on the commit"), "\(second.error)")

            // A reboot: nothing is pinned nor attached any more.
            #expect(try await lab.detach("h1").succeeded)
            let third = try await tool.run(words)
            #expect(third.status == 1, "\(third.error)")
            #expect(try await lab.failures(fleet) == [], "the network is up without the server")
        }
    }

    /// Applying again, and the programs replaced by themselves, under traffic.
    @Test(arguments: datapaths)
    func applyUnderTraffic(datapath: String) async throws {
        var fleet = Self.twoHosts(datapath)
        fleet.roles(on: "h1", "h2", shards: 2)
        try await LabFixture.with(fleet) { lab in
            let reports = try await lab.underTraffic([("acme/prod/web/a", "acme/prod/web/b")], of: fleet) {
                for _ in 0..<3 { for host in ["h1", "h2"] { #expect(try await lab.apply(host).succeeded) } }
                // More rows than the maps have room for: every map grows, and every program is replaced.
                for number in 100..<190 { fleet.endpoint("acme/prod/web/n\(number)", number, on: "h2") }
                let capacity = try await lab.rows("h1", "endpoints").count
                try await lab.commit(fleet)
                for host in ["h1", "h2"] {
                    let outcome = try await lab.apply(host)
                    #expect(outcome.succeeded, "\(outcome.error)")
                }
                #expect(try await lab.rows("h1", "endpoints").count > capacity + 100)
            }
            for report in reports { #expect(report.isUnharmed, "\(report)") }
            #expect(try await lab.unfinished(fleet) == [])
        }
    }
}
