import Desired
import TestSupport
import Testing
import Topology

@testable import Applier
@testable import Planner

/// Whatever step a plan stops at, the next plan ends where the first one would have, and the one after it is empty.
struct ConvergenceTests {
    @Test("in memory, from nothing and from one commit to another, at every step", arguments: [false, true])
    func memory(fromNothing: Bool) throws {
        let (first, second) = try (Commits.first(), Commits.second())
        let start = MemoryStore(Observation(interfaces: Commits.interfaces, programs: 1))
        if !fromNothing { try Self.apply(first, to: start) }
        let goal = MemoryStore(try start.observe())
        try Self.apply(second, to: goal)
        let plan = try Self.plan(second, start)
        #expect(plan.steps.count > 20)
        for k in plan.steps.indices {
            let store = MemoryStore(try start.observe())
            let outcome = Executor.apply(plan, to: FailingStore(store, after: k))
            #expect(try #require(outcome.failures.first).step == plan.steps[k])
            try Self.apply(second, to: store)
            #expect(store.observation.image == goal.observation.image)
            #expect(store.observation.attachments == goal.observation.attachments)
            #expect(Set(store.observation.devices) == Set(goal.observation.devices))
        }
    }

    @Test("whatever fails alone, the rest is done, nothing leads to what is missing, and later nothing is", arguments: [false, true])
    func alone(fromNothing: Bool) throws {
        let (first, second) = try (Commits.first(), Commits.second())
        let start = MemoryStore(Observation(interfaces: Commits.interfaces, programs: 1))
        if !fromNothing { try Self.apply(first, to: start) }
        let goal = MemoryStore(try start.observe())
        try Self.apply(second, to: goal)
        let plan = try Self.plan(second, start)
        let alone = plan.steps.filter(\.mayFailAlone)
        #expect(alone.count >= 5)
        for subset in 1..<(1 << min(alone.count, 12)) {
            let refused = Set(alone.indices.filter { subset & 1 << $0 != 0 }.map { alone[$0] })
            let store = MemoryStore(try start.observe())
            let outcome = Executor.apply(plan, to: RefusingStore(store) { refused.contains($0) })
            try #require(outcome.failed == nil, "\(refused.map(\.subject))")
            // What needs another that failed is not even tried.
            #expect(Set(outcome.failedAlone.map(\.step)).isSubset(of: refused))
            #expect(refused.subtracting(outcome.failedAlone.map(\.step)).isSubset(of: outcome.leftOut))
            #expect(outcome.leftOut.allSatisfy { !$0.needs.isEmpty })
            let image = store.observation.image
            try #require(PlanCheck.incoherences(image) == [], "\(refused.map(\.subject))")
            #expect(image.applied == goal.observation.image.applied)
            let attached = Set(store.observation.attachments.filter { $0.point == .port }.map(\.ifindex))
            for (key, row) in image.endpoints where row.kind == .local && row.ifindex != 0 {
                #expect(attached.contains(row.ifindex), "\(key.address) leads to an interface without a program")
            }
            try Self.apply(second, to: store)
            try #require(store.observation.image == goal.observation.image)
            #expect(store.observation.attachments == goal.observation.attachments)
        }
    }

    @Test("on the real kernel, from one commit to another, at every step", .enabled(if: NetworkNamespace.isAvailable))
    func kernel() async throws {
        try await NetworkNamespace.run { host in
            let (first, second) = try (Commits.first(), Commits.second())
            for interface in Commits.interfaces {
                try host.command(
                    "ip", "link", "add", interface.name, "type", "veth", "peer", "name", "\(interface.name)p")
            }
            try host.command("ip", "address", "add", "172.16.0.1/24", "dev", "eth0")
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            try Self.apply(second, to: store)
            let goal = try store.observe()
            #expect(goal.programsUsePinnedMaps && goal.attachments.count == 8 && goal.devices.count == 2)
            try Self.apply(first, to: store)
            let count = try Self.plan(second, store).steps.count
            for k in 0..<count {
                let plan = try Self.plan(second, store)
                #expect(plan.steps.count == count)
                let outcome = Executor.apply(plan, to: FailingStore(store, after: k))
                #expect(try #require(outcome.failures.first).step == plan.steps[k])
                try Self.apply(second, to: KernelStore(directory: host.bpffs, forWriting: true))
                let seen = try store.observe()
                #expect(seen.image == goal.image)
                #expect(seen.attachments == goal.attachments)
                #expect(seen.devices == goal.devices)
                try Self.apply(first, to: store)
            }
        }
    }

    private static func plan(_ topology: Topology, _ store: some MapStore) throws -> Plan {
        try #require(
            Planner.plan(topology, host: "h1", commit: "", observation: store.observe(), through: .remove))
    }

    /// Applies, and plans again: no changes.
    private static func apply(_ topology: Topology, to store: some MapStore) throws {
        let outcome = Executor.apply(try plan(topology, store), to: store)
        if let failed = outcome.failures.first { Issue.record("\(failed.step.subject): \(failed.error)") }
        let again = try plan(topology, store)
        #expect(again.steps.isEmpty, "\(again.steps.map(\.subject))")
    }
}

/// Two commits of which the second moves, adds and removes. One host endpoint gets another address in place, another
/// takes the place of one with its address.
private enum Commits {
    static let interfaces = ["eth0", "v-1", "v-2", "v-3"].enumerated().map {
        Interface(
            name: $1, ifindex: UInt32(2 + $0), driver: "veth", addresses: $0 == 0 ? [IPAddress(v4: 0xac10_0001)] : [])
    }

    private static let hosts = """
        apiVersion: mizar/v1
        kind: Cluster
        name: lab
        settle: 0s
        ---
        {apiVersion: mizar/v1, kind: Host, name: h1, address: 172.16.0.1, interface: eth0, datapath: DATAPATH}
        ---
        {apiVersion: mizar/v1, kind: Host, name: h2, address: 172.16.0.2, interface: eth0}
        ---
        {apiVersion: mizar/v1, kind: Tenant, name: acme}
        ---
        {apiVersion: mizar/v1, kind: VPC, name: acme/prod, vni: 4097, cidrs: [10.0.0.0/16, "fd00:1::/48"]}
        ---
        {apiVersion: mizar/v1, kind: VPC, name: acme/test, vni: 4098, cidrs: [10.1.0.0/16]}
        ---
        {apiVersion: mizar/v1, kind: Network, name: acme/test/net, cidrs: [10.1.1.0/24], endpoints: {MANAGER: {type: host, ip: 10.1.1.20, host: h1}}}
        ---

        """

    static func first() throws -> Topology {
        try read(
            hosts.replacing("DATAPATH", with: "tc").replacing("MANAGER", with: "mgmt-2") + """
                apiVersion: mizar/v1
                kind: Network
                name: acme/prod/web
                cidrs: [10.0.1.0/24, "fd00:1:0:1::/64"]
                endpoints:
                  web-1: {ips: [10.0.1.10, "fd00:1:0:1::10"], host: h1, interface: v-1}
                  web-2: {ip: 10.0.1.11, host: h1, interface: v-2}
                  web-3: {ip: 10.0.1.12, host: h2, interface: v-3}
                  mgmt-1: {type: host, ips: [10.0.1.20, "fd00:1:0:1::20"], host: h1, interface: mgmt0}
                """)
    }

    static func second() throws -> Topology {
        try read(
            hosts.replacing("DATAPATH", with: "xdp").replacing("MANAGER", with: "mgmt-3") + """
                apiVersion: mizar/v1
                kind: Network
                name: acme/prod/web
                cidrs: [10.0.1.0/24, "fd00:1:0:1::/64"]
                endpoints:
                  web-1: {ips: [10.0.1.10, "fd00:1:0:1::10"], host: h2, interface: v-1}
                  web-2: {ip: 10.0.1.11, host: h1, interface: v-2, mac: "02:00:00:00:00:11"}
                  web-4: {ip: 10.0.1.13, host: h2, interface: v-4}
                  mgmt-1: {type: host, ips: ["fd00:1:0:1::20", 10.0.1.21], host: h1, interface: mgmt0}
                ---
                apiVersion: mizar/v1
                kind: Network
                name: acme/prod/db
                cidrs: [10.0.2.0/24]
                endpoints:
                  db-1: {ip: 10.0.2.10, host: h1, interface: v-3}
                """)
    }

    private static func read(_ text: String) throws -> Topology {
        let result = TopologyReader.read(SourceTree(files: [SourceFile(path: "all.yaml", bytes: Array(text.utf8))]))
        return try #require(result.topology, "\(result.diagnostics)")
    }
}
