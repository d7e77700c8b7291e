import Foundation
import Planner
import TestSupport
import Testing
import Topology

/// Devices of host endpoints: what a plan makes, sets and removes of them, and in which order.
struct DeviceTests {
    static let path = "acme/prod/web/mgmt-1"

    static func topology(
        on host: String = "h1", _ change: (inout TopologyBuilder) -> Void = { _ in }
    ) -> Topology {
        var builder = TopologyBuilder(settle: 60_000)
        builder.tenants = [Tenant(name: "acme", at: builder.place("tenants.yaml", 3))]
        for (number, name) in ["h1", "h2", "h3"].enumerated() { builder.host(name, UInt32(number + 1)) }
        builder.vpc("acme/prod", vni: 4097)
        builder.network("acme/prod/web", of: "acme/prod", 1, six: true)
        builder.endpoint("acme/prod/web/web-1", of: "acme/prod/web", 10, on: "h3", interface: "v-web-1")
        builder.endpoint(path, of: "acme/prod/web", 20, on: host, isHost: true)
        change(&builder)
        return builder.build()
    }

    private static func machine(_ name: String, _ topology: Topology) -> PlanSimulator {
        var machine = PlanSimulator(name: name)
        machine.makeInterfaces(topology)
        return machine
    }

    private static func plan(_ machine: PlanSimulator, _ topology: Topology, base: Topology? = nil) throws -> Plan {
        let plan = try #require(
            Planner.plan(topology, base: base, host: machine.name, commit: "", observation: machine.observation))
        #expect(PlanCheck.violations(plan, on: machine.observation) == [])
        return plan
    }

    /// The host as `topology` wants it, and nothing left to do.
    private static func converged(_ topology: Topology, _ name: String = "h1") throws -> PlanSimulator {
        var machine = machine(name, topology)
        try machine.apply(plan(machine, topology))
        #expect(try plan(machine, topology).steps.isEmpty)
        return machine
    }

    private static func devices(_ plan: Plan) -> [(before: Device?, after: Device?)] {
        plan.steps.compactMap { if case .device(let before, let after) = $0.change { (before, after) } else { nil } }
    }

    private static func position(_ plan: Plan, _ isWanted: (Change) -> Bool) throws -> Int {
        try #require(plan.steps.firstIndex { isWanted($0.change) })
    }

    @Test("a device comes with its addresses, routes and indices, before what its port needs")
    func creation() throws {
        let topology = Self.topology()
        let plan = try Self.plan(Self.machine("h1", topology), topology)
        let steps = Self.devices(plan)
        let device = try #require(steps.first?.after)
        #expect(steps.count == 1 && steps[0].before == nil && plan.pending.isEmpty && plan.warnings.isEmpty)
        #expect(device.name == "mzr86f610fdeb" && device.port == "mzp86f610fdeb" && device.endpoint == Self.path)
        #expect(device.addresses.map(\.description) == ["10.0.1.20", "fd00:0:1::14"])
        #expect(device.mac == MACAddress("0a:58:0a:00:01:14") && device.mtu == 1438 && device.isUp && device.isConfined)
        #expect(
            device.routes.map { "\($0.destination) \($0.gateway?.description ?? "") \($0.source?.description ?? "")" }
                == ["10.0.0.0/16 10.0.1.1 10.0.1.20", "fd00::/32 fd00:0:1::1 fd00:0:1::14"])
        #expect(device.ifindex >= 1 << 30 && device.ifindex < 1 << 31 && device.portIndex == device.ifindex + 1)
        let (made, attached) = try (
            Self.position(plan) { if case .device = $0 { true } else { false } },
            Self.position(plan) { if case .attach(let place, _) = $0 { place.ifindex == device.portIndex } else { false } }
        )
        let row = try Self.position(plan) {
            if case .row(nil, .port(device.portIndex, let row)?) = $0 { row.macFixed } else { false }
        }
        #expect(made < row && row < attached)
        #expect(
            plan.text.contains(
                "+ device mzr86f610fdeb of acme/prod/web/mgmt-1: 10.0.1.20 fd00:0:1::14, MAC 0a:58:0a:00:01:14, MTU 1438, "
                    + "to 10.0.0.0/16 by 10.0.1.1, to fd00::/32 by fd00:0:1::1"))
    }

    @Test("blocks without a gateway are on the link, and families without an address have no route")
    func onLink() throws {
        let topology = Self.topology { builder in
            builder.networks[0].gateways = [nil, nil]
            builder.endpoints[1].addresses.removeLast()
        }
        let plan = try Self.plan(Self.machine("h1", topology), topology)
        let device = try #require(Self.devices(plan).first?.after)
        #expect(device.routes.map(\.destination.description) == ["10.0.0.0/16"] && device.routes[0].gateway == nil)
    }

    @Test("what is changed on a device is set again, in place")
    func drift() throws {
        let topology = Self.topology()
        let converged = try Self.converged(topology)
        let changes: [(String, (inout Device) -> Void)] = [
            ("down -> up", { $0.isUp = false }),
            ("MTU 9000 -> 1438", { $0.mtu = 9000 }), ("MTU of each end another -> 1438", { $0.mtu = 0 }),
            ("MAC 02:00:00:00:00:01 -> 0a:58:0a:00:01:14", { $0.mac = MACAddress(bits: 0x0200_0000_0001) }),
            ("addresses 10.0.1.20 -> 10.0.1.20 fd00:0:1::14", { $0.addresses.removeLast() }),
            (
                "routes none -> 10.0.0.0/16 by 10.0.1.1 fd00::/32 by fd00:0:1::1",
                { $0.routes = [] }
            ),
            ("settings changed -> right", { $0.isConfined = false }),
        ]
        for (text, change) in changes {
            var machine = converged
            change(&machine.devices[0])
            let plan = try Self.plan(machine, topology)
            #expect(plan.changes.map(\.detail) == [text])
            #expect(plan.summary.change == 1 && plan.stateDigest != converged.observation.digest)
            try machine.apply(plan)
            #expect(machine.devices == converged.devices)
        }
    }

    @Test("a device that somebody calls otherwise, or takes its endpoint's name from, is set again in place")
    func renamedByOthers() throws {
        let topology = Self.topology()
        let converged = try Self.converged(topology)
        let changes: [(String, (inout Device) -> Void)] = [
            ("name eth7 -> mzr86f610fdeb", { $0.name = "eth7" }), ("port eth7 -> mzp86f610fdeb", { $0.port = "eth7" }),
            ("of nobody -> acme/prod/web/mgmt-1", { $0.endpoint = "" }),
        ]
        for (text, change) in changes {
            var machine = converged
            change(&machine.devices[0])
            machine.callInterfacesAsDevices()
            let plan = try Self.plan(machine, topology)
            #expect(plan.changes.map(\.detail) == [text])
            try machine.apply(plan)
            #expect(machine.devices == converged.devices && machine.attachments == converged.attachments)
        }
    }

    @Test("another path, network or device's name for the same addresses: the pair is renamed, and no packet waits for it")
    func rename() throws {
        let before = Self.topology()
        let renamed = "acme/prod/web/other"
        let changes: [(name: String, change: (inout TopologyBuilder) -> Void)] = [
            (Endpoint.deviceName(of: renamed), { $0.endpoints[1].name = renamed }),
            (
                Endpoint.deviceName(of: "acme/prod/lan/mgmt-1"),
                { builder in
                    builder.networks[0].name = "acme/prod/lan"
                    for index in builder.endpoints.indices {
                        builder.endpoints[index].network = "acme/prod/lan"
                        builder.endpoints[index].name = "acme/prod/lan/" + (index == 1 ? "mgmt-1" : "web-1")
                    }
                }
            ),
        ]
        for (name, change) in changes {
            let after = Self.topology(change)
            var machine = try Self.converged(before)
            let (device, attachments) = (machine.devices[0], machine.attachments)
            let plan = try Self.plan(machine, after, base: before)
            let steps = Self.devices(plan)
            #expect(steps.count == 1 && steps[0].before == device && steps[0].after?.name == name)
            #expect(plan.text.contains("name mzr86f610fdeb -> \(name)"), "\(plan.text)")
            for step in plan.steps {
                if case .attach = step.change { Issue.record("\(step)") }
                if case .detach = step.change { Issue.record("\(step)") }
                // At no moment does a row lack that leads to it.
                try machine.apply(step)
                for address in device.addresses {
                    #expect(machine.image.endpoints[EndpointKey(vni: 4097, address: address)]?.ifindex == device.portIndex, "\(step)")
                }
            }
            #expect(machine.devices[0].ifindex == device.ifindex && machine.attachments.count == attachments.count)
            #expect(try Self.plan(machine, after, base: after).steps.isEmpty)
        }
    }

    @Test("an endpoint that is another has its device made anew", arguments: ["address", "VPC", "moved"])
    func others(what: String) throws {
        let before = Self.topology()
        let after = Self.topology { builder in
            builder.endpoints[1].name = "acme/prod/web/other"
            switch what {
            case "address": builder.endpoints[1].addresses[0] = IPAddress(v4: 0x0a00_0115)
            case "VPC":
                builder.vpcs[0].name = "acme/dev"
                builder.networks[0].name = "acme/dev/web"
                builder.networks[0].vpc = "acme/dev"
                for index in builder.endpoints.indices { builder.endpoints[index].network = "acme/dev/web" }
            default:
                // What had the address lives on elsewhere.
                builder.endpoint(Self.path, of: "acme/prod/web", 30, on: "h2", isHost: true)
            }
        }
        let machine = try Self.converged(before)
        let steps = try Self.devices(Self.plan(machine, after, base: before))
        #expect(steps.first?.after == nil && !steps.contains { $0.before != nil && $0.after != nil }, "\(steps)")
    }

    @Test("names that two devices exchange: one makes room for the other")
    func exchange() throws {
        func topology(_ first: String, _ second: String) -> Topology {
            let topology = Self.topology { builder in
                builder.vpc("acme/dev", vni: 4098)
                builder.vpcs[1].cidrs = [CIDR(containing: IPAddress(v4: 0x0a63_0000), length: 16)]
                builder.network("acme/dev/lan", of: "acme/dev", 0)
                builder.networks[1].cidrs = [CIDR(containing: IPAddress(v4: 0x0a63_0100), length: 24)]
                builder.networks[1].gateways = [nil]
                builder.endpoint("acme/dev/lan/x", of: "acme/dev/lan", 20, on: "h1", interface: Endpoint.portName(of: "acme/dev/lan/x"))
            }
            var copy = topology
            for index in copy.endpoints.indices where copy.endpoints[index].host == "h1" {
                copy.endpoints[index].device = copy.endpoints[index].name == Self.path ? first : second
            }
            return copy
        }
        let (before, after) = (topology("one", "two"), topology("two", "one"))
        var machine = try Self.converged(before)
        #expect(machine.devices.count == 2)
        try machine.apply(Self.plan(machine, after, base: before))
        #expect(try Self.plan(machine, after, base: after).steps.isEmpty)
        #expect(Set(machine.devices.map { "\($0.endpoint) \($0.name)" }) == ["acme/dev/lan/x one", "\(Self.path) two"])
        // A name that nobody has is taken in place.
        let third = topology("three", "one")
        let steps = try Self.devices(Self.plan(machine, third, base: after))
        #expect(steps.count == 1 && steps[0].before?.name == "two" && steps[0].after?.name == "three")
    }

    @Test("a device that was deleted comes again with the same indices, so that no row changes")
    func deletion() throws {
        let topology = Self.topology()
        let converged = try Self.converged(topology)
        var machine = converged
        let device = machine.devices.removeFirst()
        // Its rules stay.
        var rest = device
        (rest.endpoint, rest.ifindex, rest.port, rest.portIndex, rest.isConfined) = ("", 0, "", 0, false)
        (rest.addresses, rest.routes) = ([], [])
        machine.devices.append(rest)
        machine.interfaces.removeAll { [device.ifindex, device.portIndex].contains($0.ifindex) }
        machine.attachments = machine.attachments.filter { $0.ifindex != device.portIndex }
        let plan = try Self.plan(machine, topology)
        #expect(plan.changes.map(\.subject) == ["device mzr86f610fdeb of \(Self.path)", "program port on mzp86f610fdeb"])
        try machine.apply(plan)
        #expect(machine.devices.last == converged.devices[0] && machine.attachments == converged.attachments)
        // With no endpoint to serve they go.
        machine.devices = [rest]
        machine.interfaces.removeAll { [device.ifindex, device.portIndex].contains($0.ifindex) }
        let none = Self.topology(on: "h2")
        try machine.apply(Self.plan(machine, none, base: none))
        #expect(machine.devices.isEmpty)
    }

    @Test("of a pair that is not whole the rest goes first", arguments: ["unfinished", "no device", "no port", "unused"])
    func remains(what: String) throws {
        let topology = Self.topology()
        var machine = try Self.converged(topology)
        switch what {
        case "unfinished": (machine.devices[0].endpoint, machine.devices[0].addresses) = ("", [])
        case "no device": (machine.devices[0].name, machine.devices[0].ifindex) = ("", 0)
        case "no port": (machine.devices[0].port, machine.devices[0].portIndex) = ("", 0)
        default:
            // Another name, and nothing that says that the endpoint has it.
            machine.devices[0].name = "eth7"
            machine.image.ports = [:]
        }
        let found = machine.devices[0]
        machine.interfaces.removeAll { $0.ifindex >= 1 << 30 && ![found.ifindex, found.portIndex].contains($0.ifindex) }
        let plan = try Self.plan(machine, topology)
        let steps = Self.devices(plan)
        #expect(steps.count == 2 && steps[0].before == found && steps[0].after == nil && steps[1].before == nil)
        try machine.apply(plan)
        #expect(try Self.plan(machine, topology).steps.isEmpty)
        #expect(machine.devices.map(\.endpoint) == [Self.path])
    }

    @Test("an interface of somebody else's keeps its name, and the endpoint waits", arguments: ["mzr86f610fdeb", "mzp86f610fdeb"])
    func foreign(name: String) throws {
        let topology = Self.topology()
        var machine = Self.machine("h1", topology)
        machine.interfaces.append(Interface(name: name, ifindex: 77))
        let plan = try Self.plan(machine, topology)
        #expect(Self.devices(plan).isEmpty)
        #expect(plan.pending.map(\.name) == [Self.path] && plan.pending.map(\.interface) == [name])
        #expect(plan.warnings.map(\.code) == ["MZ503"])
        try machine.apply(plan)
        #expect(machine.image.ports.isEmpty && !machine.attachments.contains { $0.point == .port })
        machine.interfaces.removeAll { $0.name == name }
        try machine.apply(Self.plan(machine, topology))
        #expect(machine.devices.count == 1 && machine.attachments.contains { $0.point == .port })
    }

    @Test("indices that others have are left to them")
    func takenIndex() throws {
        let topology = Self.topology()
        let index = try Self.converged(topology).devices[0].ifindex
        for taken in [index, index + 1] {
            var machine = Self.machine("h1", topology)
            machine.interfaces.append(Interface(name: "theirs", ifindex: taken))
            try machine.apply(Self.plan(machine, topology))
            #expect(machine.devices[0].ifindex == index + 2)
        }
    }

    @Test("an interface of ours is nobody else's port, whatever it is called")
    func reusedName() throws {
        let before = Self.topology { $0.endpoints[1].device = "mgmt0" }
        var machine = try Self.converged(before)
        // The endpoint is a simple one now, behind an interface of the device's name.
        let after = Self.topology { builder in
            builder.endpoints[1].device = nil
            builder.endpoints[1].interface = machine.devices[0].name
        }
        let plan = try Self.plan(machine, after, base: before)
        #expect(plan.pending.map(\.name) == [Self.path])
        try machine.apply(plan)
        #expect(machine.devices.isEmpty && machine.image.ports.isEmpty)
    }

    @Test("a device that moved away stays until others have seen it, and is listed as waiting")
    func move() throws {
        let (before, after) = (Self.topology(), Self.topology(on: "h2"))
        var machine = try Self.converged(before)
        var plan = try Self.plan(machine, after, base: before)
        #expect(Self.devices(plan).isEmpty)
        #expect(plan.waiting.contains { if case .device(_?, nil) = $0.step.change { $0.due == 120_000_000_000 } else { false } })
        try machine.apply(plan)
        machine.now += 200_000_000_000
        plan = try Self.plan(machine, after, base: after)
        let (detached, removed) = try (
            Self.position(plan) { if case .detach = $0 { true } else { false } },
            Self.position(plan) { if case .device(_?, nil) = $0 { true } else { false } }
        )
        #expect(detached < removed)
        try machine.apply(plan)
        #expect(machine.devices.isEmpty && machine.image.ports.isEmpty)
        #expect(!machine.interfaces.contains { $0.name.hasPrefix("mz") })
    }

    @Test("two that change places: the one that goes makes room at once")
    func swap() throws {
        func topology(_ first: String, _ second: String) -> Topology {
            Self.topology(on: first) { $0.endpoint("acme/prod/web/mgmt-2", of: "acme/prod/web", 21, on: second, isHost: true) }
        }
        let (before, after) = (topology("h1", "h2"), topology("h2", "h1"))
        var machine = try Self.converged(before)
        let plan = try Self.plan(machine, after, base: before)
        let steps = Self.devices(plan)
        #expect(steps.count == 2 && steps[0].after == nil && steps[1].after?.endpoint == "acme/prod/web/mgmt-2")
        try machine.apply(plan)
        #expect(machine.devices.map(\.endpoint) == ["acme/prod/web/mgmt-2"])
    }

    @Test("another address: its rows come before the device has it, and the old one's go after")
    func address() throws {
        let before = Self.topology()
        let after = Self.topology { $0.endpoints[1].addresses[0] = IPAddress(v4: 0x0a00_0115) }
        var machine = try Self.converged(before)
        let plan = try Self.plan(machine, after, base: before)
        let device = try Self.position(plan) { if case .device(_?, _?) = $0 { true } else { false } }
        let added = try Self.position(plan) { if case .row(nil, .endpoint?) = $0 { true } else { false } }
        let removed = try Self.position(plan) { if case .row(.endpoint?, nil) = $0 { true } else { false } }
        let mac = try Self.position(plan) { if case .row(_?, .portMAC?) = $0 { true } else { false } }
        #expect(added < device && device < removed && abs(mac - device) == 1)
        try machine.apply(plan)
        #expect(try Self.plan(machine, after, base: after).steps.isEmpty)
    }

    @Test("a trace goes by the port that a device will have")
    func trace() throws {
        for (from, to, port) in [("web-1", "mgmt-1", "mzp86f610fdeb"), ("mgmt-1", "web-1", "v-web-1")] {
            let question = TraceQuestion(from: "acme/prod/web/\(from)", to: "acme/prod/web/\(to)")
            let trace = try Trace(question, topology: Self.topology(), commit: "")
            #expect(trace.arrives && trace.closing.contains("interface \(port)."), "\(trace.text)")
        }
    }

    @Test("a plan that makes no room for a device, or attaches to what nobody makes, is refused")
    func check() throws {
        let topology = Self.topology()
        let machine = Self.machine("h1", topology)
        var plan = try Self.plan(machine, topology)
        let step = try Self.position(plan) { if case .device = $0 { true } else { false } }
        plan.steps.insert(plan.steps[step], at: step)
        #expect(!PlanCheck.violations(plan, on: machine.observation).isEmpty)
        plan.steps.removeSubrange(step...step + 1)
        #expect(PlanCheck.violations(plan, on: machine.observation).contains { $0.contains("which nothing makes") })
    }

    @Test("a path that fits no alias has a label of its own, which leads back to it")
    func longPath() throws {
        let label = String(repeating: "a", count: 63)
        let path = "acme/prod/web/\(label)"
        #expect(Endpoint.label(of: path) == path)
        let long = "\(label)/\(label)/\(label)/\(label)"
        let other = "\(label)/\(label)/\(label)/\(label.dropLast())b"
        #expect(Endpoint.label(of: long).utf8.count < 220 && Endpoint.label(of: long) != Endpoint.label(of: other))
    }
}
