import CBPF
import Glibc
import Planner
// Testing has an Attachment too.
import struct Planner.Attachment
import TestSupport
import Testing
import Topology

@testable import Applier

@Suite(.enabled(if: NetworkNamespace.isAvailable))
struct AttachTests {
    /// Those that this kernel has.
    static let hooks: [Hook] = Hook.ofKernel == .tcx ? [.tcx, .clsact] : [.clsact]

    @Test("programs go on, come off one by one, and may be put on or taken off again", arguments: hooks)
    func onAndOff(_ hook: Hook) async throws {
        try await NetworkNamespace.run { host in
            let places = try host.makePorts()
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            store.hook = hook
            let on = places.map { Samples.attach($0) }
            try store.succeed(Samples.base() + on)
            // A second time they are ours already.
            try store.succeed(on)
            #expect(try store.observe().attachments == Set(places))
            #expect(try host.command("tc", "qdisc", "show", "dev", "up0").contains("clsact") == (hook == .clsact))
            #expect(try host.command("tc", "qdisc", "show", "dev", "port0").contains("clsact"))
            for (index, place) in places.enumerated() {
                try store.succeed([Samples.detach(place), Samples.detach(place)])
                #expect(try store.observe().attachments == Set(places[(index + 1)...]))
            }
            #expect(try !host.command("tc", "qdisc", "show").contains("clsact"))
            #expect(try !host.command("ip", "link", "show", "up0").contains("xdp"))
        }
    }

    @Test("an interface made again is another one: the old attachment has gone, the new one is wanted", arguments: hooks)
    func recreation(_ hook: Hook) async throws {
        try await NetworkNamespace.run { host in
            let places = try host.makePorts()
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            store.hook = hook
            try store.succeed(Samples.base() + places.map { Samples.attach($0) })
            try host.command("ip", "link", "delete", "port0")
            #expect(try store.observe().attachments == Set(places.filter { $0.interface != "port0" }))
            try store.succeed([Samples.detach(places[0])])
            let failed = try #require(
                Executor.apply(Samples.plan([Samples.attach(places[0])]), to: store).failures.first)
            #expect(failed.error.cause == .errno(ENODEV))

            try host.command("ip", "link", "add", "port0", "type", "veth", "peer", "name", "port0p")
            let new = try #require(try store.observe().interface("port0"))
            #expect(new.ifindex != places[0].ifindex)
            let again = Attachment(ifindex: new.ifindex, interface: "port0", point: .port)
            try store.succeed([Samples.attach(again)])
            #expect(try store.observe().attachments.contains(again))
        }
    }

    @Test("somebody else's filter and XDP program stay, and are named")
    func foreign() async throws {
        try await NetworkNamespace.run { host in
            let places = try host.makePorts()
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            store.hook = .clsact
            try store.succeed(Samples.base())
            try host.command("tc", "qdisc", "add", "dev", "port0", "clsact")
            let filter = try ForeignProgram(BPF_PROG_TYPE_SCHED_CLS, "neighbour")
            try filter.attachFilter(places[0].ifindex)
            let foreign = try ForeignProgram(BPF_PROG_TYPE_XDP, "somebody")
            try foreign.attachXDP(places[4].ifindex)

            let seen = try store.observe()
            #expect(try #require(seen.interface("up0")).foreignXDP)
            #expect(seen.attachments.isEmpty)
            for place in [places[0], places[4]] {
                let failed = try #require(Executor.apply(Samples.plan([Samples.attach(place)]), to: store).failures.first)
                guard case .occupied(let holder) = failed.error.cause else {
                    Issue.record("\(failed.error)")
                    continue
                }
                #expect(holder.contains(place.point == .xdp ? "somebody" : "neighbour"))
            }
            try store.succeed([Samples.attach(places[1]), Samples.detach(places[0]), Samples.detach(places[4])])
            _ = try Detach.run(directory: host.bpffs)
            #expect(try NetlinkSocket().filters(places[0].ifindex, .ingress).contains { $0.program == filter.id })
            #expect(try NetlinkSocket().links().first { $0.ifindex == places[4].ifindex }?.xdp == foreign.id)
        }
    }

    @Test("by tcx ours go before somebody else's programs, which stay where they are", .enabled(if: Hook.ofKernel == .tcx))
    func neighbours() async throws {
        try await NetworkNamespace.run { host in
            let places = try host.makePorts()
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            try store.succeed(Samples.base())
            let foreign = try ForeignProgram(BPF_PROG_TYPE_SCHED_CLS, "neighbour")
            let (place, uplink) = (places[2], places[2].ifindex)
            try foreign.attachTCX(uplink)
            try host.command("tc", "qdisc", "add", "dev", "up0", "clsact")
            try foreign.attachFilter(uplink)

            for _ in 0..<2 {
                try store.succeed([Samples.attach(place)])
                let programs = try TCX.programs(uplink, .ingress)
                #expect(programs.count == 2 && programs.last == foreign.id)
                #expect(try store.observe().attachments == [place])
            }
            // The programs are replaced where they are.
            try store.succeed([Samples.capacity(.endpoints, from: 64, to: 128), Samples.programs])
            #expect(try store.observe().attachments == [place])
            #expect(try TCX.programs(uplink, .ingress).last == foreign.id)
            try store.succeed([Samples.detach(place), Samples.attach(place)])
            _ = try Detach.run(directory: host.bpffs)
            #expect(try TCX.programs(uplink, .ingress) == [foreign.id])
            #expect(try NetlinkSocket().filters(uplink, .ingress).contains { $0.program == foreign.id })
        }
    }

    @Test("whoever puts a program before ours finds ours before it again, at a port as at the uplink", .enabled(if: Hook.ofKernel == .tcx))
    func order() async throws {
        try await NetworkNamespace.run { host in
            let places = try host.makePorts()
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            try store.succeed(Samples.base() + places.map { Samples.attach($0) })
            #expect(try store.observe().attachments == Set(places))
            for place in [places[0], places[2]] {
                let foreign = try ForeignProgram(BPF_PROG_TYPE_SCHED_CLS, "neighbour")
                try foreign.attachTCX(place.ifindex)
                #expect(try TCX.programs(place.ifindex, .ingress).first == foreign.id)
                #expect(try store.observe().attachments == Set(places).subtracting([place]), "\(place.point)")
                try store.succeed([Samples.attach(place)])
                #expect(try TCX.programs(place.ifindex, .ingress).last == foreign.id)
                #expect(try store.observe().attachments == Set(places))
                // Again, now that ours is there by tcx.
                let other = try ForeignProgram(BPF_PROG_TYPE_SCHED_CLS, "another")
                try other.attachTCX(place.ifindex)
                #expect(try store.observe().attachments == Set(places).subtracting([place]))
                try store.succeed([Samples.attach(place)])
                #expect(try Array(TCX.programs(place.ifindex, .ingress).dropFirst()) == [other.id, foreign.id])
                #expect(try store.observe().attachments == Set(places))
            }
            // The programs are replaced where they are.
            try store.succeed([Samples.capacity(.endpoints, from: 64, to: 128), Samples.programs])
            #expect(try store.observe().attachments == Set(places))
            _ = try Detach.run(directory: host.bpffs)
            #expect(try TCX.programs(places[0].ifindex, .ingress).count == 2, "theirs stay")
            #expect(try !host.command("tc", "qdisc", "show").contains("clsact"))
        }
    }

    @Test("where somebody's filter took the place of ours, ours goes before it by tcx", .enabled(if: Hook.ofKernel == .tcx))
    func replacedFilter() async throws {
        try await NetworkNamespace.run { host in
            let places = try host.makePorts()
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            let place = places[0]
            try store.succeed(Samples.base() + [Samples.attach(place)])
            #expect(try store.status().hooks[place] == "clsact")
            let foreign = try ForeignProgram(BPF_PROG_TYPE_SCHED_CLS, "neighbour")
            try foreign.attachFilter(place.ifindex, replace: true)
            #expect(try store.observe().attachments.isEmpty)
            for _ in 0..<2 {
                try store.succeed([Samples.attach(place)])
                #expect(try store.observe().attachments == [place])
                #expect(try NetlinkSocket().filters(place.ifindex, .ingress).contains { $0.program == foreign.id })
            }
            #expect(try store.status().hooks[place] == "tcx")
            // Both at once.
            let other = try ForeignProgram(BPF_PROG_TYPE_SCHED_CLS, "another")
            try other.attachTCX(place.ifindex)
            #expect(try store.observe().attachments.isEmpty)
            try store.succeed([Samples.attach(place)])
            #expect(try store.observe().attachments == [place])
            _ = try Detach.run(directory: host.bpffs)
            #expect(try TCX.programs(place.ifindex, .ingress) == [other.id])
            #expect(try NetlinkSocket().filters(place.ifindex, .ingress).contains { $0.program == foreign.id })
        }
    }

    @Test("below somebody's ingress qdisc a port is attached once, and detach leaves the qdisc without our program")
    func ingressQdisc() async throws {
        try await NetworkNamespace.run { host in
            let places = try host.makePorts()
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            try host.command("tc", "qdisc", "add", "dev", places[0].interface, "ingress")
            try store.succeed(Samples.base() + [Samples.attach(places[0])])
            #expect(try store.observe().attachments == [places[0]])
            try store.succeed([Samples.detach(places[0])])
            #expect(try NetlinkSocket().filters(places[0].ifindex, .ingress).allSatisfy { $0.program == 0 })
            try store.succeed([Samples.attach(places[0])])
            _ = try Detach.run(directory: host.bpffs)
            #expect(try NetlinkSocket().filters(places[0].ifindex, .ingress).allSatisfy { $0.program == 0 })
            #expect(try host.command("tc", "qdisc", "show", "dev", places[0].interface).contains("ingress"))
        }
    }

    @Test("what an earlier version attached by filters is replaced, and what was half replaced is", .enabled(if: Hook.ofKernel == .tcx))
    func replacement() async throws {
        try await NetworkNamespace.run { host in
            let places = try host.makePorts()
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            let on = places.map { Samples.attach($0) }
            store.hook = .clsact
            try store.succeed(Samples.base() + on)

            store.hook = .tcx
            let stay = [places[0], places[1], places[4]]
            #expect(try store.observe().attachments == Set(stay))
            // Killed between the one and the other.
            let pinned = try store.needProgram(.guardEntry)
            try TCX.attach(pinned.raw, places[3].ifindex, .egress, inPlaceOf: nil, "up0")
            #expect(try store.observe().attachments == Set(stay))
            try store.succeed(on)
            #expect(try store.observe().attachments == Set(places))
            #expect(try !host.command("tc", "qdisc", "show", "dev", "up0").contains("clsact"))

            // Either kind goes with the host's tables.
            store.hook = .clsact
            try store.succeed([Samples.attach(places[3])])
            _ = try Detach.run(directory: host.bpffs)
            for direction in Filter.Direction.allCases { #expect(try TCX.programs(places[3].ifindex, direction) == []) }
            #expect(try !host.command("tc", "qdisc", "show").contains("clsact"))
        }
    }

    @Test("a driver without native XDP falls back if the plan says how, and else says why")
    func refusal() async throws {
        try await NetworkNamespace.run { host in
            try host.command("ip", "link", "add", "br0", "type", "bridge")
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            try store.succeed(Samples.base())
            let interface = try #require(try store.observe().interface("br0"))
            let place = Attachment(ifindex: interface.ifindex, interface: "br0", point: .xdp)
            let failed = try #require(Executor.apply(Samples.plan([Samples.attach(place)]), to: store).failures.first)
            #expect(failed.error.description.contains("the driver refuses native XDP"))

            let instead = DatapathRow(programs: 1, uplink: interface.ifindex, mode: .tc, reason: .refused)
            let wanted = DatapathRow(programs: 1, uplink: interface.ifindex, mode: .xdp, reason: .native)
            let steps = [Samples.attach(place, orElse: instead), Samples.row(nil, .datapath(wanted))]
            let outcome = Executor.apply(Samples.plan(steps), to: store)
            #expect(outcome.fellBack == instead)
            #expect(try store.observe().image.datapath == instead)
        }
    }

    @Test("the loopback forwards for as long as its program is there, and is no place of ours if somebody ends that")
    func forwarding() async throws {
        try await NetworkNamespace.run { host in
            let place = try host.makePorts()[5]
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            let path = "/proc/sys/net/ipv4/conf/lo/forwarding"
            // Namespaces begin as the machine is.
            try host.command("sysctl", "-qw", "net.ipv4.ip_forward=1")
            try host.command("sysctl", "-qw", "net.ipv4.ip_forward=0")
            try store.succeed(Samples.base() + [Samples.attach(place)])
            #expect(try host.command("cat", path) == "1\n")

            try host.command("sysctl", "-qw", "net.ipv4.ip_forward=1")
            try host.command("sysctl", "-qw", "net.ipv4.ip_forward=0")
            #expect(try store.observe().attachments.isEmpty)
            try store.succeed([Samples.attach(place)])
            #expect(try host.command("cat", path) == "1\n")
            #expect(try store.observe().attachments == [place])
            try store.succeed([Samples.detach(place)])
            #expect(try host.command("cat", path) == "0\n")
        }
    }

    @Test("an interface costs an attachment, not a load")
    func noLoad() async throws {
        try await NetworkNamespace.run { host in
            let places = try host.makePorts()
            let store = try KernelStore(directory: host.bpffs, forWriting: true)
            try store.succeed(Samples.base() + places.map { Samples.attach($0) })
            let programs = try store.attachedPlaces().filter { $0.point == .port }.map(\.program)
            #expect(programs.count == 2 && Set(programs).count == 1)
        }
    }
}

extension KernelStore {
    /// Does the steps, or fails the test with the first that cannot be done.
    func succeed(_ steps: [Step], at place: Testing.SourceLocation = #_sourceLocation) throws {
        let failed = Executor.apply(Samples.plan(steps), to: self).failures.first
        if let failed { Issue.record("\(failed.step.subject): \(failed.error)", sourceLocation: place) }
        try #require(failed == nil, sourceLocation: place)
    }
}
