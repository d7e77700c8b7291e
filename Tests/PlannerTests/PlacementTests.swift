import Foundation
@testable import Planner
import TestSupport
import Testing
import Topology

/// Judged by what docs/placement.md promises, by a validator that knows nothing of scores.
@Suite("placement")
struct PlacementTests {
    static func fleet(zones: Int, perZone: Int, weight: (Int) -> Int = { _ in 100 }, networks: Int, bouncers: Int) -> TopologyBuilder {
        var builder = TopologyBuilder()
        for number in 0..<(zones * perZone) {
            builder.host("h\(number)", UInt32(number + 1), zone: "az-\(number % zones)", weight: weight(number))
        }
        builder.vpc("t/v", vni: 1)
        for number in 0..<networks { builder.network("t/v/n\(number)", of: "t/v", UInt32(number % 256), bouncers: bouncers) }
        return builder
    }

    /// Names of the bouncers of each network; checks what holds of every placement.
    static func place(_ builder: TopologyBuilder) -> [String: Set<String>] {
        let topology = builder.build()
        let placement = Placement(topology)
        let eligible = topology.hosts.filter { $0.state == .active && $0.weight > 0 }
        var result: [String: Set<String>] = [:]
        for network in topology.networks {
            let hosts = (placement.bouncers[network.name] ?? []).map { topology.hosts[$0] }
            let names = Set(hosts.map(\.name))
            result[network.name] = names
            if names.count != hosts.count || names.count != min(network.bouncers, 64, eligible.count) {
                Issue.record("\(network.name): \(hosts.count) bouncers of \(network.bouncers)")
            }
            if !hosts.allSatisfy({ $0.state == .active && $0.weight > 0 }) { Issue.record("\(network.name): not eligible") }
            // Zones first: nobody gets one more than another zone that has hosts left.
            let used = Dictionary(grouping: hosts, by: \.zone).mapValues(\.count)
            let size = Dictionary(grouping: eligible, by: \.zone).mapValues(\.count)
            for (zone, count) in used {
                for (other, all) in size where (used[other] ?? 0) < all && (used[other] ?? 0) + 1 < count {
                    Issue.record("\(network.name): \(zone) has \(count), \(other) \(used[other] ?? 0) of \(all)")
                }
            }
        }
        return result
    }

    static func share(_ placed: [String: Set<String>]) -> [String: Int] {
        var result: [String: Int] = [:]
        for name in placed.values.joined() { result[name, default: 0] += 1 }
        return result
    }

    @Test("in proportion to weight within a zone")
    func proportion() {
        let weights = [1, 50, 100, 200, 300, 349]
        let count = 6000
        let share = Self.share(Self.place(Self.fleet(zones: 1, perZone: 6, weight: { weights[$0] }, networks: count, bouncers: 1)))
        var chi = 0.0
        for (number, weight) in weights.enumerated() {
            let expected = Double(count * weight) / 1000
            let difference = Double(share["h\(number)"] ?? 0) - expected
            chi += difference * difference / expected
        }
        // 5 degrees of freedom: above 20.5 by chance once in a thousand; the hash is fixed, so this never wavers.
        #expect(chi < 20.5, "\(share)")
    }

    @Test("in proportion in each of three zones, one bouncer in each")
    func zones() {
        let share = Self.share(Self.place(Self.fleet(zones: 3, perZone: 4, weight: { [100, 300][$0 / 6] }, networks: 4000, bouncers: 3)))
        var chi = 0.0
        for number in 0..<12 {
            let expected = number / 6 == 0 ? 500.0 : 1500.0
            let difference = Double(share["h\(number)"] ?? 0) - expected
            chi += difference * difference / expected
        }
        #expect(chi < 27.9, "9 degrees of freedom: \(share)")
    }

    @Test("a host that comes, goes, drains or returns moves its own roles only", arguments: [1, 2, 3, 5, 64, 100])
    func minimalMovement(bouncers: Int) {
        for (zones, perZone) in [(1, 7), (3, 4), (5, 2)] {
            let builder = Self.fleet(zones: zones, perZone: perZone, weight: { 50 + 37 * $0 }, networks: 150, bouncers: bouncers)
            let all = Self.place(builder)
            for victim in [0, 3, builder.hosts.count - 1] {
                let name = builder.hosts[victim].name
                var without = builder
                without.hosts.remove(at: victim)
                var drained = builder
                drained.hosts[victim].state = .draining
                var weightless = builder
                weightless.hosts[victim].weight = 0
                let fewer = Self.place(without)
                #expect(Self.place(drained) == fewer)
                #expect(Self.place(weightless) == fewer)
                for (network, before) in all {
                    let after = fewer[network] ?? []
                    if before.contains(name) {
                        let lost = before.subtracting(after)
                        if lost != [name] || after.subtracting(before).count > 1 {
                            Issue.record("\(network): \(before.sorted()) without \(name): \(after.sorted())")
                        }
                    } else if before != after {
                        Issue.record("\(network) changes with \(name), which it did not have")
                    }
                }
            }
        }
    }

    @Test("a host of a new zone takes one place of a network at most")
    func newZone() {
        var builder = Self.fleet(zones: 2, perZone: 4, networks: 300, bouncers: 3)
        let before = Self.place(builder)
        builder.host("new", 99, zone: "az-new")
        for (network, after) in Self.place(builder) {
            let gained = after.subtracting(before[network] ?? [])
            let lost = (before[network] ?? []).subtracting(after)
            #expect(gained == ["new"] && lost.count == 1, "two zones and three bouncers: the third goes to the new zone")
        }
    }

    @Test("fewer eligible than asked: all; more than a row takes: 64")
    func bounds() {
        let few = Self.place(Self.fleet(zones: 2, perZone: 2, networks: 5, bouncers: 9))
        #expect(few.values.allSatisfy { $0.count == 4 })
        let many = Self.place(Self.fleet(zones: 2, perZone: 40, networks: 5, bouncers: 1000))
        #expect(many.values.allSatisfy { $0.count == 64 })
        var none = Self.fleet(zones: 1, perZone: 2, networks: 3, bouncers: 2)
        for index in none.hosts.indices { none.hosts[index].state = .down }
        let nobody = Self.place(none)
        #expect(nobody.values.allSatisfy { $0.isEmpty })
    }

    @Test("the vectors of docs/placement.md")
    func vectors() throws {
        let file = GoldenTests.schema.appendingPathComponent("docs/placement.md")
        let text = try String(contentsOf: file, encoding: .utf8)
        var count = 0
        for line in text.split(separator: "\n") where line.hasPrefix("| ") && line.hasSuffix("` |") {
            let cells = line.split(separator: "|", omittingEmptySubsequences: true)
                .map { $0.trimmingCharacters(in: .whitespaces).trimmingCharacters(in: ["`"]) }
            let expected = try #require(cells.last.flatMap { UInt64($0, radix: 16) })
            count += 1
            switch cells.count {
            case 2 where cells[0].hasPrefix("0x"):
                let number = try #require(UInt64(cells[0].dropFirst(2), radix: 16))
                #expect(Placement.Score.negativeLog2(number) == expected, "\(line)")
            case 2: #expect(StableHash.id(cells[0]) == expected, "\(line)")
            default:
                let role: Placement.Role = cells[0] == "bouncer" ? .bouncer : .divider
                var hash = StableHash()
                hash.combine(role.rawValue)
                hash.combine(cells[1])
                let candidate = Placement.Ranking.Candidate(
                    index: 0, name: cells[2], zone: 0, weight: 1, id: StableHash.id(cells[2]))
                #expect(Placement.Score(seed: hash.value, candidate: candidate).cost == expected, "\(line)")
            }
        }
        #expect(count == 18)
    }

    @Test("the logarithm in fixed point is the one in floating point")
    func logarithm() {
        var random = SeededGenerator(seed: 1)
        var numbers: [UInt64] = [0, 1, 2, 3, .max - 1, .max, 1 << 63, 1 << 63 - 1, 1 << 32]
        for _ in 0..<20_000 { numbers.append(random.next() >> UInt64.random(in: 0..<64, using: &random)) }
        for number in numbers {
            let exact = 64 - log2(Double(number) + 1)
            let fixed = Double(Placement.Score.negativeLog2(number)) / 4_294_967_296
            // 2^-32 of truncation, and what a Double of 64 bits loses.
            #expect(abs(exact - fixed) < 2e-9, "\(number): \(fixed), \(exact)")
        }
        for (small, large) in zip(numbers.sorted(), numbers.sorted().dropFirst()) {
            #expect(Placement.Score.negativeLog2(small) >= Placement.Score.negativeLog2(large))
        }
    }
}
