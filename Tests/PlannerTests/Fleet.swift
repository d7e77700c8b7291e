import Foundation
@testable import Planner
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

    func plan(
        _ name: String, _ topology: Topology, base: Topology?, skipped: [Topology] = [], commit: Int, through: Phase? = nil
    ) throws -> Plan {
        let observation = self[name].observation
        let owners = Set(skipped.flatMap(\.vpcs).map { VNIOwner(vni: $0.vni, vpc: $0.name) })
        let plan = try #require(
            Planner.plan(
                topology, base: base, skipped: owners, host: name, commit: Self.commit(commit), observation: observation,
                through: through))
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
        let own = self[name].renumbered(like: fresh)
        var image = own.image
        image.applied = fresh.image.applied
        image.waits = [:]
        // A learned MAC is the port's own word.
        for (ifindex, port) in image.ports where !port.macFixed && image.portMACs[ifindex] != nil {
            image.portMACs[ifindex] = fresh.image.portMACs[ifindex]
        }
        // That a VNI was another's, an empty host cannot know.
        for vni in image.vpcs.keys { image.vpcs[vni]?.handedOver = false }
        if image != fresh.image { Issue.record("\(note), host \(name): \(Self.difference(image, fresh.image))") }
        #expect(own.attachments == fresh.attachments, "\(note), host \(name)")
        #expect(Set(own.devices) == Set(fresh.devices), "\(note), host \(name)")
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
            for (id, text) in image.names { result.insert("name \(id) \(text)") }
            for (vni, capacity) in image.direct { result.insert("direct \(vni) \(capacity)") }
            return result
        }
        return "only here \(parts(left).subtracting(parts(right)).sorted()), missing \(parts(right).subtracting(parts(left)).sorted())"
    }

    static func commit(_ number: Int) -> String { String(repeating: "\(number % 10)", count: 40) }
}

extension PlanSimulator {
    /// With the indices of another one's devices: one that was renamed keeps those that its first name chose.
    fileprivate func renumbered(like other: PlanSimulator) -> PlanSimulator {
        var numbers: [UInt32: UInt32] = [:]
        var copy = self
        for index in copy.devices.indices {
            guard let twin = other.devices.first(where: { $0.endpoint == copy.devices[index].endpoint }) else { continue }
            numbers[copy.devices[index].ifindex] = twin.ifindex
            numbers[copy.devices[index].portIndex] = twin.portIndex
            (copy.devices[index].ifindex, copy.devices[index].portIndex) = (twin.ifindex, twin.portIndex)
        }
        func number(_ ifindex: UInt32) -> UInt32 { numbers[ifindex] ?? ifindex }
        copy.image.ports = Dictionary(uniqueKeysWithValues: image.ports.map { (number($0), $1) })
        copy.image.portMACs = Dictionary(uniqueKeysWithValues: image.portMACs.map { (number($0), $1) })
        // What interfaces are called is noted by their index.
        for old in numbers.keys { copy.image.names[InterfaceNote.id(old)] = nil }
        for (old, new) in numbers { copy.image.names[InterfaceNote.id(new)] = image.names[InterfaceNote.id(old)] }
        copy.image.endpoints = image.endpoints.mapValues { row in
            var row = row
            row.ifindex = number(row.ifindex)
            return row
        }
        copy.attachments = Set(
            attachments.map { Attachment(ifindex: number($0.ifindex), interface: $0.interface, point: $0.point) })
        return copy
    }
}
