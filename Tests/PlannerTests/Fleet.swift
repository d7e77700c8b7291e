import Foundation
import Planner
import TestSupport
import Testing
import Topology

enum Rounds {
    static let count = ProcessInfo.processInfo.environment["MIZAR_ROUNDS"].flatMap { Int($0) } ?? 1
}

/// Simulated hosts by name, each with the interfaces that every topology so far has named.
struct Fleet {
    var hosts: [String: PlanSimulator] = [:]

    init(_ topology: Topology) {
        for host in topology.hosts { join(host.name, topology) }
    }

    subscript(_ name: String) -> PlanSimulator { hosts[name] ?? PlanSimulator(name: name) }

    mutating func join(_ name: String, _ topology: Topology) {
        hosts[name, default: PlanSimulator(name: name)].makeInterfaces(topology, driver: name.hasSuffix("3") ? "veth" : "virtio_net")
    }

    func plan(_ name: String, _ topology: Topology, base: Topology?, commit: Int, through: Phase? = nil) throws -> Plan {
        let observation = self[name].observation
        let plan = try #require(
            Planner.plan(
                topology, base: base, host: name, commit: Self.commit(commit), observation: observation, through: through))
        #expect(PlanCheck.violations(plan, on: observation) == [])
        return plan
    }

    @discardableResult
    mutating func planAndApply(
        _ name: String, _ topology: Topology, base: Topology?, commit: Int, through: Phase? = nil, note: String
    ) throws -> Plan {
        let observation = self[name].observation
        let plan = try #require(
            Planner.plan(
                topology, base: base, host: name, commit: Self.commit(commit), observation: observation, through: through))
        let violations = PlanCheck.violations(plan, on: observation)
        #expect(violations.isEmpty, "\(note), host \(name): \(violations)")
        do {
            try hosts[name]?.apply(plan)
        } catch {
            Issue.record("\(note), host \(name): \(error)")
        }
        return plan
    }

    /// Every host at `topology`, whatever the clock says.
    mutating func converge(to topology: Topology, base: Topology?, seed: Int) throws -> Topology {
        for host in topology.hosts {
            join(host.name, topology)
            try planAndApply(host.name, topology, base: base, commit: 0, through: .remove, note: "seed \(seed), first")
        }
        return topology
    }

    /// The host holds exactly what an empty one with the same interfaces would make.
    func expectFresh(_ name: String, _ topology: Topology, note: String) {
        let made = Set(self[name].devices.flatMap { [$0.ifindex, $0.portIndex] })
        var fresh = PlanSimulator(name: name, interfaces: self[name].interfaces.filter { !made.contains($0.ifindex) })
        let plan = Planner.plan(topology, host: name, commit: "", observation: fresh.observation, through: .remove)
        guard let plan else {
            Issue.record("no host \(name)")
            return
        }
        do { try fresh.apply(plan) } catch { Issue.record("\(note): \(error)") }
        var image = self[name].image
        image.applied = fresh.image.applied
        image.waits = [:]
        // A learned MAC is the port's own word.
        for (ifindex, port) in image.ports where !port.macFixed && image.portMACs[ifindex] != nil {
            image.portMACs[ifindex] = fresh.image.portMACs[ifindex]
        }
        if image != fresh.image { Issue.record("\(note), host \(name): \(Self.difference(image, fresh.image))") }
        let attachments = self[name].attachments
        #expect(attachments == fresh.attachments, "\(note), host \(name)")
        #expect(Set(self[name].devices) == Set(fresh.devices), "\(note), host \(name)")
    }

    static func difference(_ left: Image, _ right: Image) -> String {
        func parts(_ image: Image) -> Set<String> {
            var result: Set<String> = []
            result.insert("config \(String(describing: image.config)) \(String(describing: image.datapath))")
            for (key, row) in image.hosts { result.insert("\(key) \(row)") }
            for (key, row) in image.vpcs { result.insert("\(key) \(row)") }
            for (key, row) in image.networks { result.insert("\(key) \(row)") }
            for (key, row) in image.endpoints { result.insert("\(key) \(row)") }
            for (key, row) in image.ports { result.insert("\(key) \(row)") }
            for (key, row) in image.portMACs { result.insert("\(key) \(row)") }
            for (vni, capacity) in image.direct { result.insert("direct \(vni) \(capacity)") }
            return result
        }
        return "only here \(parts(left).subtracting(parts(right)).sorted()), missing \(parts(right).subtracting(parts(left)).sorted())"
    }

    static func commit(_ number: Int) -> String { String(repeating: "\(number % 10)", count: 40) }
}
