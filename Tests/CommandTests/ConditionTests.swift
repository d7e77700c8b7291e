import TestSupport
import Testing

/// `status` says whether a host is well, and why not, by its first line, its conditions and its exit code.
@Suite(.needsRoot) struct ConditionTests {
    @Test func statusSaysWhatIsNotWell() async throws {
        let fleet = ApplyTests.twoHosts()
        try await LabFixture.with(fleet) { lab in
            let tool = lab.tool(on: "h1")
            func isFound(_ name: String, _ reason: String?, _ words: String = "") async throws {
                let status = try await lab.status("h1")
                let condition = try #require(status.conditions.first { $0.name == name })
                #expect(condition.status == (reason == nil ? "true" : "false"), "\(condition)")
                #expect(status.well == (reason == nil), "\(status.conditions)")
                if let reason { #expect(condition.reason == reason && condition.text.contains(words), "\(condition)") }
                let text = try await tool.run("status", "--host", "h1", "--bpffs", lab.bpffs("h1"))
                #expect(text.status == (reason == nil ? 0 : 2))
                #expect(text.output.hasPrefix(reason == nil ? "Well\n" : "Not well: ") && text.output.contains(words), "\(text.output)")
            }
            #expect(try await lab.apply("h1").succeeded)
            for name in ["Ready", "InSync", "LinksUp", "ProgramsAttached", "SourceReachable"] { try await isFound(name, nil) }

            let port = fleet["acme/prod/web/c"]
            _ = try await lab.on("h1", "ip", "link", "set", port.interface, "down")
            try await isFound("LinksUp", "PortDown", "port \(port.interface) of \(port.path) is down")
            _ = try await lab.on("h1", "ip", "link", "set", port.interface, "up")
            try await isFound("LinksUp", nil)
            try await lab.takeOff("h1", port.interface, "ingress")
            try await isFound("ProgramsAttached", "Missing", "the program port on \(port.interface) is missing")
            #expect(try await lab.apply("h1").succeeded)
            try await isFound("ProgramsAttached", nil)

            // A workload that is not there is no fault of the host's.
            try await lab.unplug(port)
            try await isFound("LinksUp", nil)
            #expect(try await lab.apply("h1").succeeded)
            try await isFound("Ready", nil)

            let words = ["apply", "--repo", "\(lab.git.folder)/nowhere", "--host", "h1", "--bpffs", lab.bpffs("h1")]
            #expect(try await tool.run(words).status == 1)
            try await isFound("SourceReachable", "Unreachable", "nowhere")
            #expect(try await lab.status("h1").conditions.first { $0.name == "InSync" }?.status == "unknown")
            #expect(try await lab.apply("h1").succeeded)
            _ = try await lab.on("h1", "ip", "link", "set", "eth0", "down")
            try await isFound("LinksUp", "UplinkDown", "eth0, the uplink, is down")
        }
    }
}
