import TestSupport
import Testing

/// Another version's programs in place of the old ones, host by host, under traffic, and back.
@Suite(.needsRoot) struct UpgradeTests {
    /// a on h1 and b on h2, by way of tables on h3.
    static func fleet(_ datapath: String) -> Fleet {
        var fleet = ScenarioTests.oneNetwork(datapath, hosts: 3)
        fleet.roles(on: "h3")
        return fleet
    }

    @Test(arguments: datapaths)
    func upgradeAndDowngradeUnderTraffic(datapath: String) async throws {
        let fleet = Self.fleet(datapath)
        try await LabFixture.with(fleet) { lab in
            let next = try await NextVersion.tool(in: lab.git.folder)
            #expect(try await !lab.pings("acme/prod/web/a", "10.0.1.99", "-W", "1"), "nobody has it, so there is a drop to be kept")
            let flows = [("acme/prod/web/a", "acme/prod/web/b"), ("acme/prod/web/b", "acme/prod/web/a")]
            let reports = try await lab.underTraffic(flows, of: fleet) {
                #expect(try await Self.outerTTLs(lab) == ["64"])
                for (tool, ttl) in [(next, "63"), (Tool(), "64")] {
                    for host in fleet.hosts.map(\.name) {
                        // What the later version alone knows: the earlier one has those rows from the commit.
                        if ttl == "64" { try await Self.sayMore(on: host, lab) }
                        try await Self.replace(on: host, by: tool, added: ttl == "64", lab)
                    }
                    #expect(try await Self.outerTTLs(lab) == [ttl], "the other programs are at work")
                }
            }
            print("\(datapath), 3 hosts to another version and back: \(reports)")
            for report in reports { #expect(report.isUnharmed, "\(report)") }
            try await ScenarioTests.holds(lab, fleet)
        }
    }

    /// Killed anywhere: whichever version comes next makes the programs its own.
    @Test(arguments: datapaths)
    func upgradeKilled(datapath: String) async throws {
        var delays = KillTests.Delays()
        let fleet = Self.fleet(datapath)
        try await LabFixture.with(fleet) { lab in
            let next = try await NextVersion.tool(in: lab.git.folder)
            let words = ["apply", "--quiet"] + lab.arguments("h3")
            let versions = try await [
                (next, Self.settle(on: "h3", next, lab, "up")), (Tool(), Self.settle(on: "h3", Tool(), lab, "down")),
            ]
            #expect(versions[0].1 != versions[1].1, "two versions can be told apart")
            var kills = 0
            let reports = try await lab.underTraffic([("acme/prod/web/a", "acme/prod/web/b")], of: fleet) {
                // Most calls of bpf(2) only read: some of them; of those that rename pins and replace filters, each.
                for (call, step) in [("bpf", 97), ("sendto", 1), ("/^rename", 1), ("/^unlink", 17)] {
                    var number = 1 + delays.next(below: step)
                    while try await lab.kill(next, on: "h3", at: number, of: call, words) {
                        kills += 1
                        // By turns the next one goes on, and the old one takes back.
                        for (tool, tags) in versions[(kills % 2)...] {
                            let found = try await Self.settle(on: "h3", tool, lab, "killed before \(call) \(number)")
                            #expect(found == tags, "killed before \(call) \(number): programs of the other version are left")
                        }
                        number += step
                    }
                    // Not killed: the next round begins with the old version.
                    try await Self.settle(on: "h3", Tool(), lab, "back again")
                }
            }
            print("\(datapath), an upgrade killed at \(kills) calls: \(reports)")
            for report in reports { #expect(report.isUnharmed, "\(report)") }
            #expect(kills > 15)
            try await ScenarioTests.holds(lab, fleet)
        }
    }

    /// Brings a host to the programs of a version.
    private static func replace(on host: String, by tool: Tool, added: Bool, _ lab: LabFixture) async throws {
        let (before, counted) = try await (all(on: host, lab), lab.status(host))
        let tool = Tool(path: tool.path, namespace: lab.namespace(host: host))
        let plan = try await tool.run(["plan", "--detailed-exitcode"] + lab.arguments(host))
        #expect(plan.status == 2 && plan.output.contains("data plane programs"), "\(plan.output)\(plan.error)")
        let applied = try await tool.run(["apply"] + lab.arguments(host))
        #expect(applied.succeeded, "\(applied.output)\(applied.error)")
        let counts = added ? "changed, 0 destroyed." : "Resources: 0 added, 1 changed, 0 destroyed."
        #expect(applied.output.contains(counts), "\(applied.output)")
        let again = try await tool.run(["plan", "--detailed-exitcode"] + lab.arguments(host))
        #expect(again.status == 0 && again.output.contains("No changes."), "\(again.output)\(again.error)")

        let after = try await all(on: host, lab)
        try await goOn(host, from: counted, lab)
        #expect(Set(after.keys) == Set(before.keys))
        for (place, id) in after { #expect(id != before[place], "\(host): \(place) has its old program") }
    }

    /// Counters go on from where they were.
    static func goOn(_ host: String, from counted: LabFixture.Status, _ lab: LabFixture) async throws {
        let then = try await lab.status(host)
        for old in counted.drops {
            let new = then.drops.first { $0.reason == old.reason }
            #expect(new.map { $0.packets >= old.packets } == true, "\(host): \(old) \(then.drops)")
        }
        #expect(host != "h3" || !counted.drops.isEmpty)
        for (new, old) in zip(then.endpoints, counted.endpoints) {
            #expect(old.sentPackets > 0 && old.receivedPackets > 0)
            #expect(new.sentPackets >= old.sentPackets && new.receivedPackets >= old.receivedPackets, "\(host): \(old) \(new)")
        }
    }

    /// Sets the last byte of every row that is longer in the later version.
    private static func sayMore(on host: String, _ lab: LabFixture) async throws {
        for table in ["config", "hosts", "vpcs", "networks", "endpoints", "ports"] {
            for row in try await lab.rows(host, table) {
                let words = [
                    ["bpftool", "map", "update", "pinned", "\(lab.bpffs(host))/\(table)", "key"], row.key.map { "\($0)" }, ["value"],
                    (row.value.dropLast() + [1]).map { "\($0)" },
                ]
                let updated = try await Tool.execute(words.flatMap(\.self))
                #expect(updated.succeeded, "\(updated.output)\(updated.error)")
            }
        }
    }

    /// Applies, and plans again: no changes.
    ///
    /// - Returns: the programs' tags, hashes of their instructions, by place.
    @discardableResult
    private static func settle(on host: String, _ tool: Tool, _ lab: LabFixture, _ comment: Comment) async throws -> [String: String] {
        let tool = Tool(path: tool.path, namespace: lab.namespace(host: host))
        let applied = try await tool.run(["apply", "--quiet"] + lab.arguments(host))
        #expect(applied.succeeded, "\(comment): \(applied.output)\(applied.error)")
        let again = try await tool.run(["plan", "--detailed-exitcode"] + lab.arguments(host))
        #expect(again.status == 0 && again.output.contains("No changes."), "\(comment): \(again.output)\(again.error)")
        #expect(try await lab.attached(host).filter { $0.hasSuffix("_next") } == [], comment)
        var tags: [String: String] = [:]
        for (place, id) in try await all(on: host, lab) {
            // “7: sched_cls  name mizar_port  tag f0bbcd7c044b9610  gpl”
            let words = try await Tool.execute(["bpftool", "prog", "show", "id", "\(id)"]).output.split(separator: " ")
            tags[place] = words.firstIndex(of: "tag").map { String(words[$0 + 1]) } ?? ""
        }
        return tags
    }

    /// Programs by place: what is attached, and the slots that it jumps through.
    private static func all(on host: String, _ lab: LabFixture) async throws -> [String: Int] {
        var found = Dictionary(try await lab.programs(on: host).map { ($0.place, $0.id) }, uniquingKeysWith: { first, _ in first })
        for row in try await lab.rows(host, "programs") {
            found["slot \(row.key[0])"] = row.value.reversed().reduce(0) { $0 << 8 | Int($1) }
        }
        return found
    }

    /// The TTLs of what passes the underlay.
    private static func outerTTLs(_ lab: LabFixture) async throws -> Set<String> {
        let outcome = try await Tool.execute(
            ["timeout", "20", "tcpdump", "-ni", "any", "-vc", "400", "udp port 6081"], namespace: lab.underlayNamespace)
        #expect(outcome.succeeded, "\(outcome.error)")
        // What the tunnel carries is on lines of its own, indented.
        let lines = outcome.output.split(separator: "\n").filter { $0.first?.isNumber == true }
        return Set(lines.flatMap { $0.split(separator: ",").filter { $0.hasPrefix(" ttl ") }.map { String($0.dropFirst(5)) } })
    }
}
