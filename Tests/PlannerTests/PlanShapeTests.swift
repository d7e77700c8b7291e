import Planner
import Testing
import Topology

/// A plan file is anybody's: what it names is judged by itself, with its place.
@Suite("a plan file's names, counts and lengths") struct PlanShapeTests {
    static let device = Device(
        endpoint: "acme/prod/web/a", name: "mzr0123456789", ifindex: 1 << 30, port: "mzp0123456789", portIndex: 1 << 30 + 1,
        mac: MACAddress(bits: 0x0a58_0a00_0114), mtu: 1438, addresses: [IPAddress(v4: 0x0a00_0114)], routes: [])

    static func plan(_ changes: Change...) -> Plan {
        let steps = changes.map { Step(phase: .add, change: $0, subject: "x") }
        return Plan(host: "h1", commit: String(repeating: "a", count: 40), stateDigest: 0, steps: steps)
    }

    static func attach(_ interface: String, _ ifindex: UInt32 = 7) -> Plan {
        plan(.attach(Attachment(ifindex: ifindex, interface: interface, point: .port), orElse: nil))
    }

    static func device(_ change: (inout Device) -> Void) -> Plan {
        var device = device
        change(&device)
        return plan(.device(before: nil, after: device))
    }

    static func row(_ record: Record) -> Plan { plan(.row(before: nil, after: record)) }

    static func host(_ name: String) -> Plan { Plan(host: name, commit: "", stateDigest: 0) }

    @Test("ours have no fault")
    func ours() {
        let long = Array(repeating: String(repeating: "a", count: 63), count: 4).joined(separator: "/")
        for plan in [
            Self.device { _ in }, Self.device { $0.endpoint = Endpoint.label(of: long) }, Self.attach("v-acme-1"), Self.attach("lo", 1),
            Self.row(.name(1, long)), Self.row(.applied(AppliedRow(commit: "", digest: 0, host: 0))),
            // Half of a pair that somebody killed, of which only its removal is asked for.
            Self.plan(
                .device(
                    before: Device(
                        endpoint: "", name: "", ifindex: 0, port: "mzp0123456789", portIndex: 9, mac: MACAddress(bits: 0), mtu: 0,
                        addresses: [],
                        routes: []), after: nil)),
        ] { #expect(PlanShape(plan).faults == []) }
    }

    @Test(
        "everything else is refused where it stands",
        arguments: [
            (host("../h1"), "host: "), (host(""), "host: "), (Plan(host: "h1", commit: "main; rm", stateDigest: 0), "commit: "),
            (attach("../../x"), "changes[0].attachment.interface: "), (attach(".."), "changes[0].attachment.interface: "),
            (attach("a b"), "changes[0].attachment.interface: "), (attach("", 7), "changes[0].attachment.interface: "),
            (attach("sixteen-letters-"), "changes[0].attachment.interface: "), (attach("x", 0), "changes[0].attachment.ifindex: "),
            (attach("x", .max), "changes[0].attachment.ifindex: "),
            (device { $0.name = "../../../x" }, "changes[0].after.name: "), (device { $0.name = "all" }, "changes[0].after.name: "),
            (device { $0.port = "default" }, "changes[0].after.port: "), (device { $0.port = "" }, "changes[0].after.port: "),
            (device { $0.name = "v%d" }, "changes[0].after.name: "), (device { $0.endpoint = "../x" }, "changes[0].after.endpoint: "),
            (device { $0.endpoint = String(repeating: "a", count: 300) }, "changes[0].after.endpoint: "),
            (device { $0.mtu = -1 }, "changes[0].after.mtu: "), (device { $0.mtu = 1 << 40 }, "changes[0].after.mtu: "),
            (device { $0.portIndex = $0.ifindex }, "changes[0].after.port_index: "),
            (device { $0.mac = MACAddress(bits: 1 << 40) }, "changes[0].after.mac: "),
            (device { $0.addresses = Array(repeating: IPAddress(v4: 1), count: 65) }, "changes[0].after.addresses: "),
            (plan(.capacity(.endpoints, from: 0, to: -1)), "changes[0].to: "),
            (plan(.capacity(.endpoints, from: 0, to: 1 << 40)), "changes[0].to: "),
            (plan(.capacity(.config, from: 0, to: 2)), "changes[0].to: "),
            (row(.direct(1, capacity: -1)), "changes[0].after.value: "), (row(.direct(1 << 24, capacity: 64)), "changes[0].after.key: "),
            (row(.name(1, String(repeating: "a", count: 256))), "changes[0].after.value: "),
            (row(.name(1, "a\u{1b}[2J")), "changes[0].after.value: "),
            (row(.host(IPAddress(bits: 1 << 100), HostRow(host: 1))), "changes[0].after.key: "),
            (
                row(
                    .vpc(5, VPCRow(vpc: 1, held: true, dividers: Array(repeating: IPAddress(v4: 1), count: 65), lengths4: [], lengths6: []))
                ),
                "changes[0].after.value.dividers: "
            ),
            (row(.vpc(5, VPCRow(vpc: 1, held: true, dividers: [], lengths4: [24], lengths6: []))), "changes[0].after.value.lengths4: "),
            (row(.foreign(.endpoints, key: [1], value: [2])), "changes[0].after: "),
            (row(.applied(AppliedRow(commit: "x", digest: 0, host: 0))), "changes[0].after.value.commit: "),
        ] as [(Plan, String)])
    func refused(plan: Plan, place: String) {
        let faults = PlanShape(plan).faults
        #expect(faults.count == 1 && faults[0].hasPrefix(place), "\(faults)")
    }
}
