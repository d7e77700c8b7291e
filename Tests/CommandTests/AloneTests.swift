import TestSupport
import Testing

/// One thing that cannot be done is no reason for anything else to be left undone.
@Suite(.needsRoot) struct AloneTests {
    /// Others' programs leave no room for ours at one endpoint's interface.
    @Test func anOccupiedPortStopsNoOther() async throws {
        let fleet = ApplyTests.twoHosts()
        try await LabFixture.with(fleet) { lab in
            // A fresh host, so that all of it is to be done.
            #expect(try await lab.detach("h1").succeeded)
            let interface = fleet["acme/prod/web/c"].interface
            try lab.crowd("h1", interface)
            let partly = try await lab.apply("h1")
            #expect(partly.status == 5, "\(partly.output)\(partly.error)")
            #expect(partly.output.contains("Apply incomplete!") && !partly.output.contains("complete! Resources: 0"), "\(partly.output)")
            #expect(partly.error.contains("program port on \(interface)"), "\(partly.error)")
            #expect(partly.error.contains("left out: endpoint acme/prod/web/c 10.0.1.12"), "\(partly.error)")
            for (from, to) in [("a", "10.0.1.11"), ("b", "10.0.1.10")] {
                #expect(try await lab.pings("acme/prod/web/\(from)", to, "-W", "2"), "the others work")
            }
            #expect(try await lab.status("h1").commit == lab.git.git("rev-parse", "HEAD"))
            let plan = try await lab.plan("h1", "--detailed-exitcode")
            #expect(plan.status == 2 && plan.output.contains("program port on \(interface)"), "\(plan.output)")
            // The daemon tries again by itself, and says when it is over.
            let run = RunTests.command(lab, "h1", repo: lab.repo, interval: "1h")
            let status = try await Tool.whileRunning(run, namespace: lab.namespace(host: "h1"), log: "\(lab.git.folder)/run.log") {
                daemon in
                #expect(try await eventually { daemon.output.contains("left out") }, "\(daemon.output)")
                try await lab.takeOff("h1", interface, "ingress")
                #expect(try await eventually { try await lab.status("h1").attachments.contains { $0.interface == interface } })
                #expect(try await eventually { daemon.output.contains("works again") }, "\(daemon.output)")
            }
            #expect(status == 0)
            try await ScenarioTests.holds(lab, fleet)
        }
    }

    /// XDP that is asked for, at an uplink where somebody else's runs: tc does its work, with a warning, until that has gone.
    @Test func refusedXDPRunsAsTC() async throws {
        let fleet = ApplyTests.twoHosts("xdp")
        try await LabFixture.with(fleet) { lab in
            #expect(try await lab.detach("h1").succeeded)
            let object = try await Self.program(lab)
            let set = try await lab.on("h1", "ip", "link", "set", "dev", "eth0", "xdp", "obj", object, "sec", "xdp")
            #expect(set.succeeded, "\(set.error)")
            let applied = try await lab.apply("h1")
            #expect(applied.succeeded && (applied.output + applied.error).contains("MZ514"), "\(applied.output)\(applied.error)")
            #expect(try await lab.pings("acme/prod/web/a", "10.0.1.11", "-W", "2"))
            #expect(try await lab.plan("h1", "--detailed-exitcode").status == 0)
            _ = try await lab.on("h1", "ip", "link", "set", "dev", "eth0", "xdp", "off")
            let later = try await lab.apply("h1")
            #expect(later.succeeded && !(later.output + later.error).contains("MZ514"), "\(later.output)\(later.error)")
            try await ScenarioTests.holds(lab, fleet)
        }
    }

    /// An object with an XDP program that lets everything pass.
    private static func program(_ lab: LabFixture) async throws -> String {
        let object = "\(lab.git.folder)/pass.o"
        let lines = [
            "__attribute__((section(\"xdp\"), used)) int pass(void *context) { return 2; }",
            "char LICENSE[] __attribute__((section(\"license\"), used)) = \"GPL\";",
        ]
        let made = try await Tool.execute(
            ["sh", "-c", "printf '%s\\n' \"$1\" \"$2\" | clang -O2 -target bpf -x c -c - -o \"$3\"", "sh"] + lines + [object])
        #expect(made.succeeded, "\(made.error)")
        return object
    }
}
