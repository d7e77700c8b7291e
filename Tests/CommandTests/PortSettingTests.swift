import TestSupport
import Testing

/// A port without our program is no way into the host: neither before it is attached, nor after somebody took it off.
@Suite(.needsRoot) struct PortSettingTests {
    private static let names = ["ipv4/conf/%/forwarding", "ipv4/conf/%/rp_filter", "ipv4/conf/%/arp_ignore", "ipv6/conf/%/disable_ipv6"]

    private static func settings(of interface: String, _ lab: LabFixture) async throws -> [String] {
        var found: [String] = []
        for name in names {
            let path = "/proc/sys/net/" + name.replacing("%", with: interface)
            found.append(try await lab.on("h1", "cat", path).output.filter { !$0.isWhitespace })
        }
        return found
    }

    @Test func theHostTakesNothingByAPortWithoutItsProgram() async throws {
        let fleet = ApplyTests.twoHosts()
        let interface = fleet["acme/prod/web/a"].interface
        try await LabFixture.with(fleet) { lab in
            #expect(try await Self.settings(of: interface, lab) == ["0", "1", "8", "1"])
            _ = try await lab.on("h1", "tc", "qdisc", "del", "dev", interface, "clsact")
            // The endpoint asks for the host, and sends to it without an answer.
            let device = try await lab.inside("acme/prod/web/a", "sh", "-c", "ip -o link | grep -v ' lo:' | cut -d: -f2 | cut -d@ -f1")
                .output
            let name = device.filter { !$0.isWhitespace }
            let before = try await Self.datagrams(lab)
            let script = """
                ip route add 172.16.0.1 dev \(name)
                ping -c 1 -W 1 172.16.0.1
                ip neigh show 172.16.0.1
                ip neigh replace 172.16.0.1 lladdr \(try await Self.mac(of: interface, lab)) dev \(name) nud permanent
                for i in 1 2 3 4 5; do echo hello > /dev/udp/172.16.0.1/5353; done
                """
            let sent = try await lab.inside("acme/prod/web/a", "bash", "-c", script)
            #expect(!sent.output.contains("lladdr"), "the host answered ARP: \(sent.output)\(sent.error)")
            #expect(try await Self.datagrams(lab) == before, "the host took datagrams")
            #expect(try await lab.apply("h1").succeeded)
            _ = try await lab.inside("acme/prod/web/a", "sh", "-c", "ip neigh del 172.16.0.1 dev \(name); ip route del 172.16.0.1")
            try await ScenarioTests.holds(lab, fleet)
        }
    }

    /// What somebody changes is set again, and what is a port no longer is as new interfaces are.
    @Test func settingsAreKeptAndGivenBack() async throws {
        let fleet = ApplyTests.twoHosts()
        let interface = fleet["acme/prod/web/a"].interface
        try await LabFixture.with(fleet) { lab in
            _ = try await lab.on("h1", "sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/\(interface)/disable_ipv6")
            let plan = try await lab.plan("h1", "--detailed-exitcode")
            #expect(plan.status == 2 && plan.output.contains("program port on \(interface)"), "\(plan.output)")
            #expect(try await lab.apply("h1").succeeded)
            #expect(try await Self.settings(of: interface, lab) == ["0", "1", "8", "1"])
            #expect(try await lab.detach("h1").succeeded)
            #expect(try await Self.settings(of: interface, lab) == Self.settings(of: "default", lab))
        }
    }

    private static func mac(of interface: String, _ lab: LabFixture) async throws -> String {
        let words = try await lab.on("h1", "ip", "-o", "link", "show", "dev", interface).output.split(separator: " ")
        return words.firstIndex(of: "link/ether").map { String(words[$0 + 1]) } ?? ""
    }

    /// UDP that the host's stack has taken, for a socket or for none.
    private static func datagrams(_ lab: LabFixture) async throws -> Int {
        let lines = try await lab.on("h1", "cat", "/proc/net/snmp").output.split(separator: "\n").filter { $0.hasPrefix("Udp: ") }
        // Udp: InDatagrams NoPorts …
        return lines.last.map { $0.split(separator: " ").dropFirst().prefix(2).compactMap { Int($0) }.reduce(0, +) } ?? -1
    }
}
