import Glibc
import TestSupport
import Testing

/// `apply` killed at random times under traffic: the next one converges, and nothing of the killed one is left.
@Suite(.needsRoot) struct KillTests {
    /// The same delays for the same seed: MIZAR_SEED repeats a run.
    struct Delays {
        var state: UInt64

        init() {
            state = getenv("MIZAR_SEED").flatMap { UInt64(String(cString: $0)) } ?? UInt64.random(in: 1...UInt64.max)
            print("MIZAR_SEED=\(state)")
        }

        /// Milliseconds, by SplitMix64.
        mutating func next(below limit: Int) -> Int {
            state &+= 0x9e37_79b9_7f4a_7c15
            var value = state
            value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
            value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
            return Int((value ^ value >> 31) % UInt64(limit))
        }
    }

    @Test(arguments: datapaths)
    func theNextApplyConverges(datapath: String) async throws {
        var delays = Delays()
        var small = ScenarioTests.twoTenants(datapath, hosts: 2)
        small.settle = "0s"  // here nobody runs phases
        small.hostEndpoint("acme/prod/web/m", 20, on: "h1")
        var fleets = [Self.onTwoHosts(small)]
        // Most of it comes and goes with each commit.
        fleets[0].guards = "{destroy: 100%}"
        fleets.append(fleets[0])
        // The host's own address changes.
        fleets[1].remove("acme/prod/web/m")
        fleets[1].hostEndpoint("acme/prod/web/m", 21, on: "h1")
        // Between the two: a VPC, a network, roles, and more rows than the maps have room for.
        fleets[1].remove(vpc: "globex/prod")
        for number in 30..<100 { fleets[1].endpoint("acme/prod/web/n\(number)", number, on: number % 2 == 0 ? "h1" : "h2") }
        fleets[1].roles(on: "h2")
        try await LabFixture.with(fleets[0]) { lab in
            var interrupted = 0
            let reports = try await lab.underTraffic([("acme/prod/web/a", "acme/prod/web/b")], of: fleets[0]) {
                for round in 1...12 {
                    // The lab's interfaces stay: endpoints without one are pending.
                    let fleet = fleets[round % 2]
                    try await lab.commit(fleet)
                    let clock = ContinuousClock()
                    let start = clock.now
                    #expect(try await lab.apply("h2").succeeded)
                    let whole = max(20, Int((clock.now - start) / .milliseconds(1)))
                    let delay = delays.next(below: whole)
                    let outcome = try await Self.applyKilled(lab, "h1", after: delay)
                    if outcome == 137 { interrupted += 1 }
                    let next = try await lab.apply("h1")
                    #expect(next.succeeded, "round \(round), killed after \(delay) ms: \(next.output)\(next.error)")
                    let unfinished = try await lab.unfinished(fleet)
                    #expect(unfinished == [], "round \(round), killed after \(delay) ms")
                    try await Self.expectNoRemains(lab, "round \(round), killed after \(delay) ms")
                }
            }
            print("\(datapath): \(interrupted) of 12 were killed; \(reports)")
            #expect(interrupted > 0)
            for report in reports { #expect(report.error == nil && report.turns > 0, "\(report)") }
            // A kill may leave a host for some milliseconds between two states, never without its programs.
            for report in reports { #expect(report.udpGap < 2, "\(report)") }
            try await lab.commit(fleets[0])
            for host in ["h1", "h2"] { #expect(try await lab.apply(host).succeeded) }
            try await ScenarioTests.holds(lab, fleets[0])
        }
    }

    /// From nothing, each time killed a little later: the programs' first load, attaching, pinning.
    @Test(arguments: datapaths)
    func theFirstApplyKilled(datapath: String) async throws {
        var delays = Delays()
        let fleet = ApplyTests.twoHosts(datapath)
        try await LabFixture.with(fleet) { lab in
            #expect(try await lab.detach("h1").succeeded)
            let clock = ContinuousClock()
            let start = clock.now
            #expect(try await lab.apply("h1").succeeded)
            let whole = max(50, Int((clock.now - start) / .milliseconds(1)))
            for round in 1...8 {
                #expect(try await lab.detach("h1").succeeded)
                let delay = delays.next(below: whole)
                _ = try await Self.applyKilled(lab, "h1", after: delay)
                if round % 4 == 0 {
                    // What a killed apply leaves can also be taken off.
                    #expect(try await lab.detach("h1").succeeded)
                    #expect(try await lab.attached("h1") == [], "killed after \(delay) ms")
                }
                let next = try await lab.apply("h1")
                #expect(next.succeeded, "killed after \(delay) ms: \(next.output)\(next.error)")
                #expect(try await lab.unfinished(fleet) == [], "killed after \(delay) ms")
                try await Self.expectNoRemains(lab, "killed after \(delay) ms")
            }
            try await ScenarioTests.holds(lab, fleet)
        }
    }

    /// Before calls that may take something off; what only reads leaves no state of its own.
    @Test func detachKilledBeforeEveryCall() async throws {
        var fleet = ScenarioTests.oneNetwork("xdp", hosts: 2)
        fleet.hostEndpoint("acme/prod/web/m", 20, on: "h1")
        try await LabFixture.with(fleet) { lab in
            let words = ["detach", "--host", "h1", "--bpffs", lab.bpffs("h1")]
            /// - Returns: whether it came to that call.
            func isKilled(before call: String, _ number: Int) async throws -> Bool {
                guard try await lab.kill(on: "h1", at: number, of: call, words) else { return false }
                let again = try await lab.detach("h1")
                #expect(again.succeeded, "killed before \(call) \(number): \(again.error)")
                #expect(try await lab.remains(on: "h1") == [], "killed before \(call) \(number)")
                #expect(try await lab.apply("h1").succeeded, "killed before \(call) \(number)")
                return true
            }
            let detaches = try await lab.calls("BPF_PROG_DETACH", on: "h1", words)
            #expect(try await lab.apply("h1").succeeded)
            for number in detaches { #expect(try await isKilled(before: "bpf", number)) }
            // Most calls of each are alike, and each costs a killed run and a new apply.
            for (call, step) in [("sendto", 3), ("/^unlink", 13), ("/^rmdir", 1), ("write", 3)] {
                var number = 1
                while try await isKilled(before: call, number) { number += step }
                print("detach, killed before one in \(step) of \(number - 1) calls of \(call)")
                #expect(number > 1 || call == "/^rmdir", "\(call) is a call that detach makes")
                #expect(try await lab.remains(on: "h1") == [], "not killed")
                #expect(try await lab.apply("h1").succeeded)
            }
            try await ScenarioTests.holds(lab, fleet)
        }
    }

    /// A host endpoint with other addresses, there and back, before each request that changes its device.
    @Test func aDeviceChangedKilledBeforeEveryRequest() async throws {
        var small = ScenarioTests.oneNetwork("tc", hosts: 2)
        small.settle = "0s"  // here nobody runs phases
        let fleets = [20, 21].map { number in
            var fleet = small
            fleet.hostEndpoint("acme/prod/web/m", number, on: "h1")
            return fleet
        }
        try await LabFixture.with(fleets[0]) { lab in
            let words = ["apply", "--quiet"] + lab.arguments("h1")
            var number = 0
            var wasKilled = true
            while wasKilled {
                number += 1
                let fleet = fleets[number % 2]
                try await lab.commit(fleet)
                wasKilled = try await lab.kill(on: "h1", at: number, of: "sendto", words)
                let next = try await lab.apply("h1")
                #expect(next.succeeded, "killed before request \(number): \(next.error)")
                for host in ["h1", "h2"] { #expect(try await lab.apply(host).succeeded) }
                #expect(try await lab.unfinished(fleet) == [], "killed before request \(number)")
                try await Self.expectNoRemains(lab, "killed before request \(number)")
            }
            print("a device changed, killed before each of \(number - 1) requests")
            #expect(number > 10)
            try await ScenarioTests.holds(lab, fleets[number % 2])
        }
    }

    /// The first apply, before each call that attaches: the next one converges, and so does taking all of it off.
    @Test func theFirstApplyKilledBeforeEveryAttachment() async throws {
        var fleet = ScenarioTests.oneNetwork("xdp", hosts: 2)
        fleet.hostEndpoint("acme/prod/web/m", 20, on: "h1")
        try await LabFixture.with(fleet) { lab in
            let words = ["apply", "--quiet"] + lab.arguments("h1")
            /// - Returns: whether it came to that call.
            func isKilled(before call: String, _ number: Int) async throws -> Bool {
                guard try await lab.kill(on: "h1", at: number, of: call, words) else { return false }
                #expect(try await lab.detach("h1").succeeded)
                #expect(try await lab.remains(on: "h1") == [], "killed before \(call) \(number)")
                _ = try await lab.kill(on: "h1", at: number, of: call, words)
                #expect(try await lab.apply("h1").succeeded, "killed before \(call) \(number)")
                #expect(try await lab.unfinished(fleet) == [], "killed before \(call) \(number)")
                #expect(try await lab.forwardsOnLoopback("h1"), "killed before \(call) \(number)")
                #expect(try await lab.detach("h1").succeeded)
                return true
            }
            #expect(try await lab.detach("h1").succeeded)
            let attaches = try await lab.calls("BPF_PROG_ATTACH", on: "h1", words)
            #expect(try await lab.detach("h1").succeeded)
            for number in attaches { #expect(try await isKilled(before: "bpf", number)) }
            print("first apply, killed before each of \(attaches.count) attachments")
            for (call, step) in [("sendto", 4), ("write", 5)] {
                #expect(try await lab.detach("h1").succeeded)
                var number = 1
                while try await isKilled(before: call, number) { number += step }
                print("first apply, killed before one in \(step) of \(number - 1) calls of \(call)")
                #expect(number > 1, "\(call) is a call that apply makes")
            }
            try await ScenarioTests.holds(lab, fleet)
        }
    }

    /// - Returns: 137 if it was killed before its end.
    static func applyKilled(_ lab: LabFixture, _ host: String, after milliseconds: Int) async throws -> Int32 {
        let command =
            ["timeout", "--foreground", "-s", "KILL", "\(Double(max(1, milliseconds)) / 1000)"]
            + ["nsenter", "--net=/run/netns/\(lab.namespace(host: host))", "--", Tool().path, "apply", "--quiet"]
            + lab.arguments(host)
        return try await Tool.execute(command).status
    }

    /// One pin a table, none of a copy; one filter a place.
    static func expectNoRemains(_ lab: LabFixture, _ comment: Comment, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let attached = try await lab.attached("h1")
        // Of one generation.
        let names = attached.map { $0.hasPrefix("pin ") ? "pin \($0.split(separator: "/").last ?? "")" : $0 }
        #expect(Set(names).count == names.count, comment, sourceLocation: sourceLocation)
        #expect(attached.filter { $0.hasSuffix("_next") } == [], comment, sourceLocation: sourceLocation)
    }

    static func onTwoHosts(_ fleet: Fleet) -> Fleet {
        var fleet = fleet
        for index in fleet.endpoints.indices where fleet.endpoints[index].host == "h3" { fleet.endpoints[index].host = "h2" }
        fleet.roles(on: "h1", "h2", shards: 2)
        return fleet
    }
}
