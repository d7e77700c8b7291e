import TestSupport
import Testing

/// The kernel gives the index of an interface that has gone to the next one: what was for a port must not come to a stranger.
@Suite(.needsRoot) struct PortDeviceTests {
    @Test(arguments: datapaths)
    func aFreedIndexIsNobodysPort(datapath: String) async throws {
        let fleet = ApplyTests.twoHosts(datapath)
        let interface = fleet["acme/prod/web/b"].interface
        try await LabFixture.with(fleet) { lab in
            #expect(try await lab.pings("acme/prod/web/a", "10.0.1.11"))
            let line = try await lab.on("h2", "ip", "-o", "link", "show", "dev", interface).output
            let index = String(line.prefix { $0 != ":" })
            _ = try await lab.on("h2", "ip", "link", "del", "dev", interface)
            for words in [
                ["link", "add", "name", "stranger", "index", index, "type", "veth", "peer", "name", "container"],
                ["link", "set", "stranger", "up"], ["link", "set", "container", "up"],
            ] { _ = try await Tool.execute(["ip"] + words, namespace: lab.namespace(host: "h2")) }
            let before = try await lab.drops("h2")["pending", default: 0]
            let seen = "\(lab.git.folder)/seen"
            let capture = ["tcpdump", "-nli", "container", "--immediate-mode", "icmp or udp"]
            _ = try await Tool.whileRunning(capture, namespace: lab.namespace(host: "h2"), log: seen) {
                (running: Background) async throws -> Void in
                #expect(try await eventually { running.output.contains("listening") }, "\(running.output)")
                #expect(try await !lab.pings("acme/prod/web/a", "10.0.1.11", "-c", "5", "-i", "0.2", "-W", "1"))
                // All five have come to h2, and ended there.
                #expect(try await eventually { try await lab.drops("h2")["pending", default: 0] >= before + 5 })
                #expect(!running.output.contains("10.0.1.11"), "the stranger got them: \(running.output)")
            }
            // Its own interface again, of the same index.
            _ = try await lab.on("h2", "ip", "link", "del", "dev", "stranger")
            try await lab.up()
            #expect(try await lab.pings("acme/prod/web/a", "10.0.1.11"))
            try await ScenarioTests.holds(lab, fleet)
        }
    }

    /// The same interface is taken away and made again, with its index and name: the row is as it was, and counts no more.
    @Test func anIndexThatComesBackIsAnotherInterface() async throws {
        let fleet = ApplyTests.twoHosts()
        let interface = fleet["acme/prod/web/b"].interface
        try await LabFixture.with(fleet) { lab in
            let line = try await lab.on("h2", "ip", "-o", "link", "show", "dev", interface).output
            let index = String(line.prefix { $0 != ":" })
            _ = try await lab.on("h2", "ip", "link", "del", "dev", interface)
            let added = try await lab.on(
                "h2", "ip", "link", "add", "name", interface, "index", index, "type", "veth", "peer", "name", "other")
            #expect(added.succeeded, "\(added.error)")
            let plan = try await lab.plan("h2", "--detailed-exitcode")
            #expect(plan.status == 2 && plan.output.contains("its interface has gone"), "\(plan.output)\(plan.error)")
            #expect(try await lab.apply("h2").succeeded)
            let again = try await lab.plan("h2", "--detailed-exitcode")
            #expect(again.status == 0, "\(again.output)\(again.error)")
        }
    }
}
