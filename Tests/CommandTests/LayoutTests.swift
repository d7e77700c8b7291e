import CBPF
import FoundationEssentials
import Glibc
import TestSupport
import Testing

@testable import Applier

/// The maps and programs of the version before there were layouts, as it left them: taken over under traffic.
@Suite(.needsRoot) struct LayoutTests {
    @Test(arguments: datapaths, ["bridged", "routed"])
    func layout0IsTakenOver(datapath: String, underlay: String) async throws {
        let fleet = UpgradeTests.fleet(datapath)
        try await LabFixture.with(fleet, underlay: underlay) { lab in
            let flows = [("acme/prod/web/a", "acme/prod/web/b"), ("acme/prod/web/b", "acme/prod/web/a")]
            let reports = try await lab.underTraffic(flows, of: fleet) {
                for (number, host) in fleet.hosts.map(\.name).enumerated() {
                    try await Layout0.install(on: host, lab)
                    // Nobody has it, and nobody knows that yet: a drop on h3, to be kept.
                    #expect(try await !lab.pings("acme/prod/web/a", "10.0.1.\(97 + number)", "-W", "1"))
                    let counted = try await lab.status(host)
                    let learned = try await lab.rows(host, "port_macs")
                    let plan = try await lab.plan(host, "--detailed-exitcode")
                    #expect(plan.status == 2 && plan.output.contains("data plane programs"), "\(plan.output)\(plan.error)")
                    let applied = try await lab.apply(host)
                    #expect(applied.succeeded, "\(applied.output)\(applied.error)")
                    try await Self.isTakenOver(host, lab, "")
                    #expect(try await lab.rows(host, "port_macs") == learned)
                    try await UpgradeTests.goOn(host, from: counted, lab)
                }
            }
            print("\(datapath), \(underlay), 3 hosts of layout 0 taken over: \(reports)")
            for report in reports { #expect(report.isUnharmed, "\(report)") }
            try await ScenarioTests.holds(lab, fleet)
        }
    }

    /// Killed anywhere, the next run takes it over.
    @Test(arguments: datapaths)
    func layout0Killed(datapath: String) async throws {
        var delays = KillTests.Delays()
        let fleet = UpgradeTests.fleet(datapath)
        try await LabFixture.with(fleet) { lab in
            let words = ["apply", "--quiet"] + lab.arguments("h3")
            var kills = 0
            let reports = try await lab.underTraffic([("acme/prod/web/a", "acme/prod/web/b")], of: fleet) {
                for (call, step) in [("bpf", 199), ("sendto", 5), ("/^rename", 9), ("/^unlink", 19), ("/^symlink", 19)] {
                    var number = 1 + delays.next(below: step)
                    try await Layout0.install(on: "h3", lab)
                    while try await lab.kill(on: "h3", at: number, of: call, words) {
                        kills += 1
                        let applied = try await lab.apply("h3")
                        #expect(applied.succeeded, "killed before \(call) \(number): \(applied.output)\(applied.error)")
                        try await Self.isTakenOver("h3", lab, "killed before \(call) \(number)")
                        number += step
                        try await Layout0.install(on: "h3", lab)
                    }
                }
            }
            print("\(datapath), layout 0 taken over and killed at \(kills) calls: \(reports)")
            for report in reports { #expect(report.isUnharmed, "\(report)") }
            #expect(kills > 5)
            try await ScenarioTests.holds(lab, fleet)
        }
    }

    /// Nothing is left of layout 0, nor of anything half done.
    private static func isTakenOver(_ host: String, _ lab: LabFixture, _ comment: Comment) async throws {
        let again = try await lab.plan(host, "--detailed-exitcode")
        #expect(again.status == 0 && again.output.contains("No changes."), "\(comment): \(again.output)\(again.error)")
        let directory = lab.bpffs(host)
        let slots = Descriptor(owning: try check(bpf_obj_get("\(directory)/programs"), "open", "the slots"))
        for (slot, name) in Layout0.laterTails {
            var (slot, program) = (slot, UInt32(0))
            #expect(bpf_map_lookup_elem(slots.raw, &slot, &program) < 0, "\(comment): \(name) of layout 0 is still there")
        }
        let names = try BPFFilesystem.names(in: directory)
        #expect(names.count { Generation(folder: $0) != nil } == 1, comment)
        for name in names where Generation(folder: name) == nil {
            #expect(try BPFFilesystem.target(of: "\(directory)/\(name)") != nil, "\(comment): \(name) is pinned in the directory itself")
        }
    }
}

/// A host as version d3e6ba9 left it: its programs, on maps that are pinned in the directory itself.
private enum Layout0 {
    static func install(on host: String, _ lab: LabFixture) async throws {
        let path = "\(lab.git.folder)/layout0.bpf.o"
        if access(path, F_OK) != 0 {
            let folder = "/" + "\(#filePath)".split(separator: "/").dropLast().joined(separator: "/")
            try await Tool.check("sh", "-c", "gzip -dc \(folder)/Upgrade/layout0.bpf.o.gz > \(path)")
        }
        let bytes = try [UInt8](Data(contentsOf: URL(filePath: path)))
        let directory = lab.bpffs(host)
        try lab.within(host) { try install(bytes, directory) }
    }

    /// Programs that it had among those of every version, by their slots.
    static let laterTails: [(UInt32, ProgramName)] = [(3, .control), (4, .icmp)]

    /// Programs that it had none of.
    static let laterPrograms: Set<ProgramName> = [.beside, .besideGuard]

    private static func install(_ bytes: [UInt8], _ directory: String) throws {
        let store = try KernelStore(directory: directory, forWriting: true)
        try bytes.withUnsafeBytes { bytes in
            let object = try BPFObject(bytes)
            // The rows of both layouts are the same bytes.
            for name in object.mapNames where !["programs", "drops"].contains(name) && mzr_map_class(name) != MZR_CLASS_SCRATCH {
                guard let map = try store.open(name) else { continue }
                try object.reuse(name, map.descriptor)
            }
            try object.setConstants(key: .drawn())
            try object.load()
            let old = try Generation.all(in: directory)
            for name in try BPFFilesystem.names(in: directory) where Generation(folder: name) == nil {
                try BPFFilesystem.unpin("\(directory)/\(name)")
            }
            for name in object.mapNames { try check(bpf_obj_pin(object.map(name), "\(directory)/\(name)"), "pin", name) }
            for name in ProgramName.allCases {
                guard let pin = name.pin, !laterPrograms.contains(name) else { continue }
                try check(bpf_obj_pin(object.program(name), "\(directory)/\(pin)"), "pin", pin)
            }
            try store.fillSlots(object)
            let slots = try object.map("programs")
            for (slot, name) in laterTails {
                var (slot, program) = (slot, try object.program(name))
                try check(bpf_map_update_elem(slots, &slot, &program, UInt64(BPF_ANY)), "write", name.rawValue)
            }
            try store.replaceAttached()
            try KernelStore.awaitPrograms()
            for one in old { try one.remove(from: directory) }
        }
    }
}
