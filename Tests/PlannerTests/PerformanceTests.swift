import Foundation
import Planner
import TestSupport
import Testing
import Topology

/// Printed, not asserted: a time that doubles with the size says enough, one that goes with its square says more.
@Suite("how long a plan takes")
struct PerformanceTests {
    @Test(
        "hosts and networks", arguments: ProcessInfo.processInfo.environment["MIZAR_BENCH"] == "1" ? [2_500, 5_000, 10_000] : [250, 500])
    func plan(networks: Int) throws {
        let hosts = networks / 100
        for vpcs in [1, networks / 50] {
            var builder = TopologyBuilder()
            for number in 0..<hosts { builder.host("h\(number)", UInt32(number + 1), zone: "az-\(number % 3)") }
            for number in 0..<vpcs {
                builder.vpcs.append(
                    VPC(
                        name: "t/v\(number)", vni: UInt32(number + 1),
                        cidrs: [CIDR(containing: IPAddress(v4: 0x0a00_0000), length: 8)], at: builder.place("v.yaml", number)))
            }
            for number in 0..<networks {
                let block = CIDR(containing: IPAddress(v4: 0x0a00_0000 + UInt32(number / vpcs) << 8), length: 24)
                let name = "t/v\(number % vpcs)/n\(number)"
                builder.networks.append(
                    Network(
                        name: name, vpc: "t/v\(number % vpcs)", cidrs: [block], gateways: [IPAddress(bits: block.first.bits + 1)],
                        at: builder.place("n.yaml", number)))
                for endpoint in 0..<4 {
                    builder.endpoints.append(
                        Endpoint(
                            name: "\(name)/e\(endpoint)", network: name,
                            addresses: [IPAddress(bits: block.first.bits + UInt128(endpoint + 2))],
                            // Half of all on one host, which is the hard one.
                            host: endpoint < 2 ? "h0" : "h\((number + endpoint) % hosts)", interface: "v\(number)-\(endpoint)",
                            at: builder.place("e.yaml", 4 * number + endpoint)))
                }
            }
            let before = builder.build()
            builder.host("new", 5000, zone: "az-1")
            let after = builder.build()
            let clock = ContinuousClock()
            var machine = PlanSimulator(name: "h0")
            machine.interfaces = [Interface(name: "eth0", ifindex: 2)]
            for (number, endpoint) in before.endpoints.filter({ $0.host == "h0" }).enumerated() {
                machine.interfaces.append(Interface(name: endpoint.interface, ifindex: UInt32(number + 3)))
            }
            var times: [String] = []
            func timed<T>(_ what: String, _ work: () throws -> T) rethrows -> T {
                let start = clock.now
                let result = try work()
                times.append("\(what) \((clock.now - start).formatted(.units(allowed: [.milliseconds], fractionalPart: .hide)))")
                return result
            }
            let placement = timed("placement") { Placement(before) }
            #expect(placement.bouncers.count == networks)
            let first = try #require(
                timed("first plan") { Planner.plan(before, host: "h0", commit: "", observation: machine.observation) })
            timed("check") { #expect(PlanCheck.violations(first, on: machine.observation).isEmpty) }
            try timed("apply") { try machine.apply(first) }
            let second = try #require(
                timed("a host joins") {
                    Planner.plan(after, base: before, host: "h0", commit: "", observation: machine.observation)
                })
            try machine.apply(second)
            let third = try #require(
                timed("no change") { Planner.plan(after, base: after, host: "h0", commit: "", observation: machine.observation) })
            #expect(third.steps.isEmpty)
            print(
                "\(networks) networks of \(vpcs) VPCs, \(hosts) hosts: \(times.joined(separator: ", ")); \(first.steps.count) steps, then \(second.steps.count) and \(second.waiting.count) waiting"
            )
        }
    }
}
