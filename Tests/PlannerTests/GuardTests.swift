import Testing
import Topology

@testable import Planner

/// What guards refuse, and what clears it: from topologies alone.
@Suite("guards")
struct GuardTests {
    /// Tenants with so many endpoints each, in one VPC a tenant, and so many hosts.
    struct Made {
        var tenants: [String: Int] = ["acme": 100]
        var hosts = 20
        var down = 0
        var guards = Cluster.Guards()
        var protects: Set<String> = []
        var vpc = "prod"
        var addressOf: (Int) -> [IPAddress] = { [IPAddress(v4: 0x0a00_0002 + UInt32($0))] }
        var onHost = "h0"

        var topology: Topology {
            let at = SourceLocation(file: "t.yaml", line: 1, column: 1)
            var topology = Topology(cluster: Cluster(guards: guards))
            var endpoints: [Endpoint] = []
            for (tenant, count) in tenants.sorted(by: { $0.key < $1.key }) {
                let (vpc, network) = ("\(tenant)/\(vpc)", "\(tenant)/\(vpc)/web")
                topology.tenants.append(Tenant(name: tenant, protect: protects.contains(tenant), at: at))
                topology.vpcs.append(VPC(name: vpc, vni: 1, cidrs: [], protect: protects.contains(vpc), at: at))
                topology.networks.append(
                    Network(name: network, vpc: vpc, cidrs: [], gateways: [], protect: protects.contains(network), at: at))
                for number in 0..<count {
                    endpoints.append(
                        Endpoint(
                            name: "\(network)/e\(number)", network: network, addresses: addressOf(number), host: onHost,
                            interface: "v\(number)", at: at))
                }
            }
            topology.endpoints = endpoints
            topology.hosts = (0..<hosts).map {
                Host(
                    name: "h\($0)", address: IPAddress(v4: 0xac10_0001 + UInt32($0)), interface: "eth0",
                    state: $0 < down ? .down : .active, at: at)
            }
            return topology
        }

        init(_ change: (inout Made) -> Void = { _ in }) { change(&self) }
    }

    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let before: Topology
        let after: Topology
        /// `scope taken/total` and `protected kind name`; empty: it passes.
        let refused: [String]

        init(_ words: String, _ before: Made, _ after: Made, _ refused: String...) {
            (testDescription, self.before, self.after, self.refused) = (words, before.topology, after.topology, refused)
        }

        /// From the one that all cases begin with.
        init(_ words: String, to after: Made, _ refused: String...) {
            (testDescription, self.before, self.after, self.refused) = (words, Made().topology, after.topology, refused)
        }
    }

    static let cases = [
        Case("nothing changes", to: Made()),
        Case("10% is not more than 10%", to: Made { $0.tenants = ["acme": 90] }),
        Case("more than 10% and more than 5", to: Made { $0.tenants = ["acme": 89] }, "endpoints 11/100", "tenant acme 11/100"),
        Case("5 of a few are not more than `least`", Made { $0.tenants = ["acme": 5] }, Made { $0.tenants = [:] }),
        Case("6 of 6 are", Made { $0.tenants = ["acme": 6] }, Made { $0.tenants = [:] }, "endpoints 6/6", "tenant acme 6/6"),
        Case(
            "a tenant of many", Made { $0.tenants = ["acme": 1000, "b": 20] }, Made { $0.tenants = ["acme": 1000, "b": 10] },
            "tenant b 10/20"),
        Case(
            "a share of nobody's own, of all", Made { $0.tenants = ["a": 5, "b": 5, "c": 5] }, Made { $0.tenants = ["a": 5] },
            "endpoints 10/15"),
        Case("a move is none", to: Made { $0.onHost = "h7" }),
        Case("a renamed network is none, as addresses stay", to: Made { $0.tenants = ["acme": 100] }),
        Case("a renamed VPC", to: Made { $0.vpc = "live" }, "endpoints 100/100", "tenant acme 100/100"),
        Case("a renamed tenant", to: Made { $0.tenants = ["acme-2": 100] }, "endpoints 100/100", "tenant acme 100/100"),
        Case(
            "other addresses", to: Made { $0.addressOf = { [IPAddress(v4: 0x0a01_0002 + UInt32($0))] } }, "endpoints 100/100",
            "tenant acme 100/100"),
        Case(
            "one family of two",
            Made { $0.addressOf = { [IPAddress(v4: 0x0a00_0002 + UInt32($0)), IPAddress(bits: 0xfd00 << 112 + UInt128($0))] } },
            Made(), "endpoints 100/100", "tenant acme 100/100"),
        Case(
            "an address more",
            to: Made { $0.addressOf = { [IPAddress(v4: 0x0a00_0002 + UInt32($0)), IPAddress(bits: 0xfd00 << 112 + UInt128($0))] } }),
        Case("hosts", to: Made { $0.hosts = 14 }, "hosts 6/20"),
        Case("hosts down", to: Made { $0.down = 6 }, "hosts 6/20"),
        Case("5 hosts", to: Made { $0.hosts = 15 }),
        Case("hosts that were down already", Made { $0.down = 20 }, Made { $0.hosts = 0 }),
        Case("hosts that come up", Made { $0.down = 20 }, Made()),
        Case("100% lets all pass", Made { $0.guards = Cluster.Guards(destroy: 100) }, Made { ($0.tenants, $0.hosts) = ([:], 0) }),
        Case(
            "the parent's guards count", to: Made { ($0.tenants, $0.guards) = ([:], Cluster.Guards(destroy: 100)) }, "endpoints 100/100",
            "tenant acme 100/100"),
        Case(
            "0% and 0", Made { $0.guards = Cluster.Guards(destroy: 0, least: 0) }, Made { $0.tenants = ["acme": 99] },
            "endpoints 1/100", "tenant acme 1/100"),
        Case(
            "a protected tenant without endpoints", Made { ($0.tenants, $0.protects) = (["a": 0], ["a"]) }, Made { $0.tenants = [:] },
            "protected tenant a"),
        Case(
            "a protected VPC renamed", Made { ($0.tenants, $0.protects) = (["a": 1], ["a/prod"]) },
            Made { ($0.tenants, $0.vpc) = (["a": 1], "live") }, "protected vpc a/prod"),
        Case(
            "a protected network", Made { ($0.tenants, $0.protects) = (["a": 1], ["a/prod/web"]) }, Made { $0.tenants = [:] },
            "protected network a/prod/web"),
        Case("protect alone removed", Made { ($0.tenants, $0.protects) = (["a": 1], ["a"]) }, Made { $0.tenants = ["a": 1] }),
        Case(
            "100% lifts no protection", Made { ($0.guards, $0.protects) = (Cluster.Guards(destroy: 100), ["acme"]) },
            Made { $0.tenants = [:] }, "protected tenant acme"),
    ]

    static func words(_ refusal: RefusedCommit?) -> [String] {
        guard let refusal else { return [] }
        return refusal.shares.map { "\($0.scope.rawValue) \($0.tenant.map { $0 + " " } ?? "")\($0.taken)/\($0.total)" }
            + refusal.protected.map { "protected \($0.kind.rawValue) \($0.name)" }
    }

    @Test("a change against the guards of what was before", arguments: cases) func judged(example: Case) {
        let (before, after) = (Inventory(example.before), Inventory(example.after))
        let refusal = RefusedCommit.judge(.commit, from: before, "a", to: after, "b") { false }
        #expect(Self.words(refusal) == example.refused)
        let allowed = RefusedCommit.judge(.commit, from: before, "a", to: after, "b") { true }
        #expect(Self.words(allowed) == example.refused.filter { $0.hasPrefix("protected") }, "a trailer lifts no protection")
    }

    @Test("the trailer is looked up only if it matters") func laziness() {
        let inventory = Inventory(Made().topology)
        let refusal = RefusedCommit.judge(.commit, from: inventory, "a", to: inventory, "b") {
            Issue.record("nobody needs to know")
            return false
        }
        #expect(refusal == nil)
    }

    // MARK: A line of commits

    /// Shows endpoints of acme, one number a commit; `!` has the trailer.
    private func gate(_ counts: String...) -> Gate {
        var gate = Gate()
        for (number, word) in counts.enumerated() {
            let count = Int(word.filter(\.isNumber)) ?? 0
            gate.show("c\(number)", Inventory(Made { $0.tenants = ["acme": count] }.topology)) { word.hasSuffix("!") }
        }
        return gate
    }

    @Test("the newest commit without a refused one before it") func lines() {
        #expect(Gate().taken == nil)
        #expect(gate("0").taken == "c0")
        #expect(gate("72", "70", "71").taken == "c2")
        let deleted = gate("72", "71", "0", "0")
        #expect(deleted.taken == "c1" && deleted.refused.map(\.commit) == ["c2"])
        #expect(deleted.refused.first?.base == "c1")
        #expect(gate("72", "71", "0!", "1").taken == "c3")
        #expect(gate("72", "71", "0", "71").taken == "c3", "given back")
        #expect(gate("72", "71", "0", "70").taken == "c3", "given back but for what may go")
        let twice = gate("72", "0", "72", "0")
        #expect(twice.taken == "c2" && twice.refused.map(\.commit) == ["c3"])
        #expect(gate("72", "0", "72", "0!").taken == "c3", "revert, and once more with the trailer")
        let later = gate("72", "0", "0!")
        #expect(later.taken == "c0", "a trailer of a later commit is about another change")
        let both = gate("72", "40", "0")
        #expect(both.taken == "c0" && both.refused.map(\.commit) == ["c1", "c2"])
        #expect(gate("72", "40", "0", "40").refused.map(\.commit) == ["c1"])
        #expect(gate("72", "40", "0", "72").taken == "c3")
        // Little by little is what an operator can see coming.
        #expect(gate("72", "67", "62", "57", "52").taken == "c4")
    }

    @Test("what a host has rows of stands in for a commit that is not known") func rows() {
        let before = Made { $0.tenants = ["acme": 30] }
        let index = TopologyIndex(before.topology)
        var image = Image()
        let vpc = StableHash.id("acme/prod")
        image.vpcs[1] = VPCRow(vpc: vpc, held: true, dividers: [], lengths4: [], lengths6: [])
        image.names[vpc] = "acme/prod"
        for endpoint in index.topology.endpoints {
            for address in endpoint.addresses {
                image.endpoints[EndpointKey(vni: 1, address: address)] = EndpointRow(
                    kind: .remote, host: IPAddress(v4: 1), network: StableHash.id(endpoint.network))
            }
        }
        image.endpoints[EndpointKey(vni: 1, address: IPAddress(v4: 0x0a00_0001))] = EndpointRow(
            kind: .gateway, host: IPAddress(v4: 0), network: 1)
        for host in index.topology.hosts { image.hosts[host.address] = HostRow(host: StableHash.id(host.name)) }
        func judge(_ after: Made) -> [String] {
            Self.words(
                RefusedCommit.judge(.rows, from: Inventory(image, guards: Cluster.Guards()), "", to: Inventory(after.topology), "") {
                    false
                })
        }
        #expect(judge(before) == [])
        #expect(judge(Made { $0.tenants = ["acme": 24] }) == ["endpoints 6/30", "tenant acme 6/30"])
        #expect(judge(Made { ($0.tenants, $0.vpc) = (["acme": 30], "live") }) == ["endpoints 30/30", "tenant acme 30/30"])
        #expect(judge(Made { ($0.tenants, $0.hosts) = (["acme": 30], 10) }) == ["hosts 10/20"])
        #expect(judge(Made { ($0.tenants, $0.down) = (["acme": 30], 6) }) == ["hosts 6/20"])
    }

    @Test("it says what would go, beyond which bound, and how to allow just this one") func text() throws {
        let after = Made { ($0.tenants, $0.hosts) = (["acme": 60], 10) }
        let refusal = try #require(
            RefusedCommit.judge(
                .commit, from: Inventory(Made().topology), "aaaaaaaaaaaaaaaa", to: Inventory(after.topology), "bbbbbbbbbbbbbbbb"
            ) { false })
        #expect(
            refusal.sentence
                == "commit bbbbbbbbbbbb takes away 40 of 100 endpoints (40%), 40 of 100 endpoints of tenant acme (40%), 10 of 20 hosts "
                + "(50%), and the guards of its parent aaaaaaaaaaaa let 10% or 5 go")
        #expect(refusal.remedy.contains("git commit --amend --trailer \"Mizar-Allow: destroy\""))
        #expect(refusal.remedy.contains("apply --allow-destroy") && refusal.remedy.contains("git revert bbbbbbbbbbbb"))
        #expect(refusal.lines(most: 12).first == "  - host h10  (t.yaml:1:1)")
        #expect(
            refusal.lines(most: 12).dropFirst(10).map(\.self) == [
                "  - endpoint acme/prod/web/e60  (t.yaml:1:1)", "  - endpoint acme/prod/web/e61  (t.yaml:1:1)", "  … and 38 more",
            ])
    }
}
