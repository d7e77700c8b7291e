import Planner
import TestSupport
import Testing
import Topology

/// What `trace` answers, offline.
@Suite("the way of a packet")
struct TraceTests {
    /// h4 and h5 hold the tables; web is on h1 and h2, db on h3, and an endpoint of each on h4 and h6, which is down.
    static let topology: Topology = {
        var builder = TopologyBuilder()
        builder.tenants = [Tenant(name: "acme", at: builder.place("tenants.yaml", 3))]
        for number in UInt32(1)...3 { builder.host("h\(number)", number, weight: 0, mtu: number == 1 ? 1500 : nil) }
        for number in UInt32(4)...5 { builder.host("h\(number)", number, zone: "az-\(number)") }
        builder.host("h6", 6, state: .down)
        builder.vpc("acme/prod", vni: 4097)
        builder.network("acme/prod/web", of: "acme/prod", 1, six: true)
        builder.network("acme/prod/db", of: "acme/prod", 2, bouncers: 1)
        builder.endpoint("acme/prod/web/web-1", of: "acme/prod/web", 10, on: "h1", interface: "v-web-1")
        builder.endpoint("acme/prod/web/web-2", of: "acme/prod/web", 11, on: "h2", interface: "v-web-2")
        builder.endpoint("acme/prod/web/web-3", of: "acme/prod/web", 12, on: "h1", interface: "v-web-3")
        builder.endpoint("acme/prod/web/web-6", of: "acme/prod/web", 16, on: "h6", interface: "v-web-6")
        builder.endpoint("acme/prod/db/db-1", of: "acme/prod/db", 10, on: "h3", interface: "v-db-1")
        builder.vpc("acme/test", vni: 4098)
        builder.network("acme/test/web", of: "acme/test", 1)
        builder.endpoint("acme/test/web/web-1", of: "acme/test/web", 20, on: "h2", interface: "v-test-1")
        return builder.build()
    }()

    struct Case: Sendable, CustomTestStringConvertible {
        var to: String
        var expected: String
        /// Hosts of the first way and of the last.
        var hosts: [[String]]
        var change: @Sendable (inout TraceQuestion) -> Void

        init(
            _ to: String, _ expected: String, _ hosts: [[String]] = [],
            _ change: @escaping @Sendable (inout TraceQuestion) -> Void = { _ in }
        ) {
            (self.to, self.expected, self.hosts, self.change) = (to, expected, hosts, change)
        }

        var testDescription: String { "\(to): \(expected)" }

        func question(from: String = "acme/prod/web/web-1") -> TraceQuestion {
            var question = TraceQuestion(from: from, to: to)
            change(&question)
            return question
        }
    }

    static func trace(_ question: TraceQuestion) throws -> Trace {
        try Trace(question, topology: topology, commit: Examples.commit("a"))
    }

    static let cases = [
        Case("acme/prod/web/web-3", "Delivered: acme/prod/web/web-3 on h1, interface v-web-3.", [["h1"]]),
        Case("10.0.1.10", "Delivered: acme/prod/web/web-1 on h1, interface v-web-1.", [["h1"]]),
        Case("acme/prod/web/web-2", "Delivered: acme/prod/web/web-2 on h2, interface v-web-2.", [["h1", "h4", "h2"], ["h1", "h2"]]) {
            $0.sourcePort = 1
        },
        Case("acme/prod/web/web-2", "Delivered: acme/prod/web/web-2 on h2, interface v-web-2.", [["h1", "h5", "h2"], ["h1", "h2"]]) {
            $0.sourcePort = 2
        },
        Case("acme/prod/db/db-1", "Delivered: acme/prod/db/db-1 on h3, interface v-db-1.", [["h1", "h5", "h3"], ["h1", "h3"]]) {
            $0.hops = 2
        },
        Case("acme/prod/db/db-1", "Dropped at h1 (time-exceeded)", [["h1"]]) { $0.hops = 1 },
        // In one network nobody routes.
        Case("acme/prod/web/web-2", "Delivered", [["h1", "h4", "h2"], ["h1", "h2"]]) { $0.hops = 1 },
        Case("acme/prod/web/web-2", "Delivered", [["h1", "h4", "h2"], ["h1", "h2"]]) { $0.size = 1438 },
        Case("acme/prod/web/web-2", "Dropped at h1 (too-big): 1439 bytes do not fit", [["h1"]]) { $0.size = 1439 },
        Case("acme/prod/web/web-3", "Delivered", [["h1"]]) { $0.size = 9000 },
        Case("10.0.1.1", "Answered: the gateway 10.0.1.1, at h1 itself.", [["h1"]]),
        Case("fd00:0:1::1", "Answered", [["h1"]]),
        Case("10.0.1.1", "Dropped at h1 (gateway)", [["h1"]]) { $0.port = 22 },
        Case("10.0.2.1", "Dropped at h1 (no-endpoint): 10.0.2.1 is the gateway of acme/prod/db", [["h1", "h5"], ["h1"]]),
        Case("10.0.1.77", "Dropped at h1 (no-endpoint): no endpoint of acme/prod/web has 10.0.1.77", [["h1", "h5"], ["h1"]]),
        Case("10.0.9.9", "Dropped at h1 (no-endpoint): no network of acme/prod has 10.0.9.9", [["h1", "h4"], ["h1"]]),
        Case("8.8.8.8", "Dropped at h1 (no-endpoint): 8.8.8.8 is outside of acme/prod", [["h1", "h5"], ["h1"]]),
        Case(
            "10.0.2.255", "Dropped at h1 (no-endpoint): 10.0.2.255 is the network or the broadcast address of acme/prod/db",
            [["h1", "h5"], ["h1"]]),
        Case("10.0.1.255", "Dropped at h1 (broadcast)", [["h1"]]),
        Case("255.255.255.255", "Dropped at h1 (broadcast)", [["h1"]]),
        Case("224.0.0.251", "Dropped at h1 (multicast)", [["h1"]]),
        Case("ff02::1", "Dropped at h1 (multicast)", [["h1"]]),
        Case("acme/prod/web/web-6", "Dropped at h1 (host-down): h6, where acme/prod/web/web-6 is, is down", [["h1", "h4"], ["h1"]]),
        // Of another VPC: nobody has its address here.
        Case("acme/test/web/web-1", "Dropped at h1 (no-endpoint)", [["h1", "h5"], ["h1"]]),
    ]

    @Test("every question has its answer", arguments: cases)
    func answers(_ test: Case) throws {
        let trace = try Self.trace(test.question())
        #expect(trace.closing.hasPrefix(test.expected), "\(trace.text)")
        // Which of h4 and h5 serves a flow, and whether the divider is the bouncer, is the hash's affair.
        func shape(_ hosts: [String]) -> [String] {
            hosts.map { ["h4", "h5"].contains($0) ? "table" : $0 }.reduce(into: []) { if $0.last != $1 { $0.append($1) } }
        }
        #expect(trace.ways.map { shape($0.hops.map(\.host)) } == test.hosts.map(shape), "\(trace.text)")
        #expect(trace.arrives == ["Del", "Ans"].contains(String(test.expected.prefix(3))))
        for hop in trace.ways.flatMap(\.hops) where !(["multicast"].contains(hop.action.reason?.rawValue)) {
            #expect(hop.lookups.contains { $0.isFound }, "a row decides: \(trace.text)")
        }
    }

    @Test(
        "what nobody can answer is said in a sentence",
        arguments: [
            ("acme/prod/web/web-1", "acme/prod/web/web-22", "did you mean “acme/prod/web/web-2”?"),
            ("acme/prod/web/wbe-1", "10.0.1.10", "did you mean “acme/prod/web/web-1”?"),
            ("acme/prod/web/web-1", "web-2", "write tenant/vpc/network/endpoint"),
            ("acme/prod/web/web-1", "010.0.0.1", "write tenant/vpc/network/endpoint"),
            ("acme/prod/db/db-1", "fd00:0:1::a", "it has 10.0.2.10"),
        ])
    func refusals(from: String, to: String, hint: String) throws {
        let refusal = #expect(throws: TraceQuestion.Refusal.self) { try Self.trace(TraceQuestion(from: from, to: to)) }
        #expect(refusal?.hint?.contains(hint) == true, "\(String(describing: refusal))")
    }

    @Test(
        "words that contradict one another are refused",
        arguments: [
            Case("10.0.1.11", "is no IPv6 address") { $0.family = .ipv6 },
            Case("acme/prod/db/db-1", "has no IPv6 address") { $0.family = .ipv6 },
            Case("10.0.1.11", "has no ports") { ($0.protocolWord, $0.port) = ("icmp", 80) },
            Case("10.0.1.11", "protocol 47 has no ports") { ($0.protocolWord, $0.sourcePort) = ("47", 80) },
            Case("10.0.1.11", "is no protocol") { $0.protocolWord = "256" },
        ])
    func contradictions(_ test: Case) throws {
        let refusal = #expect(throws: TraceQuestion.Refusal.self) { try Self.trace(test.question()) }
        #expect(refusal?.message.contains(test.expected) == true, "\(String(describing: refusal))")
    }

    @Test("the packet is what was asked for") func packet() throws {
        var question = TraceQuestion(from: "acme/prod/web/web-1", to: "acme/prod/web/web-2")
        #expect(try Self.trace(question).packet.name == "icmp")
        question.family = .ipv6
        (question.protocolWord, question.flowLabel) = ("udp", 5)
        let labelled = try Self.trace(question)
        #expect(labelled.packet.name == "udp" && labelled.packet.destinationPort == 80 && labelled.packet.sourcePort == 49152)
        #expect(labelled.packet.flowLabel == 5 && !labelled.from.address.isIPv4)
        question.flowLabel = 0
        #expect(try Self.trace(question).packet.flow != labelled.packet.flow)
        question.family = nil
        question.flowLabel = 5
        #expect(try Self.trace(question).packet.flowLabel == nil, "IPv4 has none")
    }

    static let golden: [String: TraceQuestion] = [
        "trace-bouncer": TraceQuestion(from: "acme/prod/web/web-1", to: "acme/prod/web/web-2"),
        "trace-divider": {
            var question = TraceQuestion(from: "acme/prod/web/web-1", to: "acme/prod/db/db-1")
            question.port = 5432
            return question
        }(),
        "trace-nobody": TraceQuestion(from: "acme/prod/web/web-1", to: "10.0.1.77"),
        "trace-gateway": TraceQuestion(from: "acme/prod/web/web-1", to: "10.0.1.1"),
        "trace-other-vpc": TraceQuestion(from: "acme/prod/web/web-1", to: "acme/test/web/web-1"),
    ]

    @Test("the forms", arguments: golden.keys.sorted())
    func forms(name: String) throws {
        let trace = try Self.trace(try #require(Self.golden[name]))
        try GoldenTests.compare(trace.text, "\(name).txt")
        try GoldenTests.compare(try GoldenTests.json(trace), "\(name).json")
    }

    @Test("the JSON is what docs/schema/trace.schema.json says") func schema() throws {
        let traces = try Self.cases.map { try GoldenTests.json(Self.trace($0.question())) }
        let live = try [true, false].map { try GoldenTests.json(Self.live(agrees: $0)) }
        try GoldenTests.check(traces + live, by: "trace.schema.json")
    }

    /// A trace with what h4 is said to have done; its rows are those of the commit.
    static func live(agrees: Bool) throws -> Trace {
        var question = TraceQuestion(from: "acme/prod/web/web-1", to: "acme/prod/web/web-2")
        question.sourcePort = 1
        (question.protocolWord, question.size) = ("udp", 100)
        var trace = try Self.trace(question)
        let host = try #require(trace.ways.first?.hops.dropFirst().first?.host)
        var machine = PlanSimulator(name: host)
        machine.makeInterfaces(topology)
        let plan = try #require(
            Planner.plan(topology, host: host, commit: Examples.commit("b"), observation: machine.observation, through: .remove))
        try machine.apply(plan)
        let probes = trace.probes(at: host)
        #expect(probes.count == 1)
        let to = try #require(IPAddress(agrees ? "172.16.0.2" : "172.16.0.3"))
        trace.add(
            Forwarder(machine.image), of: host, in: topology,
            interfaces: Dictionary(uniqueKeysWithValues: machine.interfaces.map { ($0.ifindex, $0.name) }),
            answers: probes.map { ($0, TraceProbe.Answer(.send(to: to, stage: .host))) })
        return trace
    }

    @Test("a program that does not do what the rows say is shown loudly") func disagreement() throws {
        let right = try Self.live(agrees: true)
        #expect(right.live?.agrees == true && right.text.contains("program: to h2, asked as host") && !right.text.contains("DISAGREE"))
        #expect(right.text.contains("with commit \(Examples.commit("b").prefix(12)) applied"))
        let wrong = try Self.live(agrees: false)
        #expect(wrong.live?.agrees == false)
        #expect(wrong.text.contains("program: to h3, asked as host") && wrong.text.contains("DISAGREE"), "\(wrong.text)")
        #expect(wrong.text.contains("by the commit: to h2, asked as host"), "\(wrong.text)")
    }

    /// TestSupport's second writing of the rule says what can become of a packet for every choice that hashes may make.
    @Test("of random topologies, every pair ends as the rule says", arguments: 0..<(20 * Rounds.count))
    func random(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(30_000 + seed))
        let topology = TopologyBuilder.random(using: &random, hosts: 2...7, endpoints: 1...3).build()
        var fleet = Fleet(topology)
        _ = try fleet.converge(to: topology, base: nil, seed: seed)
        let world = World(fleet, Glossary([topology]))
        let strangers = ["10.0.0.99", "10.9.9.9", "8.8.8.8", "fd00:0:1::99", "fd00:99::1"].compactMap { IPAddress($0) }
        for from in topology.endpoints {
            for destination in world.glossary.destinations + strangers {
                guard from.addresses.contains(where: { $0.isIPv4 == destination.isIPv4 }) else { continue }
                let question = TraceQuestion(from: from.name, to: "\(destination)")
                let trace = try Trace(question, topology: topology, commit: "")
                let possible = world.outcomes(from: from.name, trace.from.address, to: destination)
                for way in trace.ways where way.kind == .tables {
                    #expect(possible.contains(Self.word(way.outcome)), "seed \(seed): \(possible) but\n\(trace.text)")
                }
                // Whatever the first packet does, the later ones do.
                for way in trace.ways.dropFirst() {
                    #expect(
                        way.outcome.kind == trace.ways[0].outcome.kind && way.outcome.reason == trace.ways[0].outcome.reason,
                        "\(trace.text)")
                    #expect(way.outcome.interface == trace.ways[0].outcome.interface, "\(trace.text)")
                }
            }
        }
    }

    private static func word(_ outcome: Trace.Outcome) -> String {
        switch outcome.kind {
        case .delivered: "delivered \(outcome.endpoint ?? "")"
        case .answered: "gateway"
        case .dropped: outcome.reason == .gateway ? "gateway" : "dropped"
        case .lost: "lost"
        }
    }
}

extension World {
    /// What can become of a packet, in words.
    fileprivate func outcomes(from name: String, _ source: IPAddress, to destination: IPAddress) -> Set<String> {
        guard let port = ports[name]?.first else { return [] }
        return Set(
            reachability.send(from: port.host, port: port.ifindex, source: source, to: destination).map { outcome in
                switch outcome {
                case .delivered(_, _, let endpoint): "delivered \(glossary.entries[endpoint]?.name ?? "")"
                case .gateway: "gateway"
                case .dropped: "dropped"
                }
            })
    }
}
