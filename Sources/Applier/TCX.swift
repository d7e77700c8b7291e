import CBPF
import Glibc
public import Planner

/// How tc comes to run a program on an interface.
enum Hook: String, Sendable {
    /// The kernel's own list of programs, before all filters: Linux 6.6 and later.
    case tcx
    /// A filter below a clsact qdisc.
    case clsact

    /// What this kernel has.
    static let ofKernel: Hook = {
        var ids = [UInt32](repeating: 0, count: Int(MZR_TCX_MAX))
        // lo is there in every network namespace.
        return failure(mzr_tcx_query(1, false, &ids)) == EINVAL ? .clsact : .tcx
    }()
}

extension Attachment.Point {
    /// By which hook tc runs the program there. A port's is always a filter's: the kernel waits for all CPUs after each change
    /// of a list of tcx (synchronize_rcu), 10 ms for every endpoint.
    ///
    /// - Parameter available: what the kernel has.
    func hook(_ available: Hook) -> Hook { self == .port ? .clsact : available }
}

/// The programs of one direction of an interface that tc runs before its filters: tcx.
enum TCX {
    /// BPF_PROG_QUERY: the ids, in the order that they run in; none if the interface has gone, or the kernel has no tcx.
    static func programs(_ ifindex: UInt32, _ direction: Filter.Direction) throws(BPFError) -> [UInt32] {
        var ids = [UInt32](repeating: 0, count: Int(MZR_TCX_MAX))
        let count = mzr_tcx_query(ifindex, direction == .egress, &ids)
        if count < 0, [ENODEV, EINVAL].contains(failure(count)) { return [] }
        return Array(ids.prefix(Int(try check(count, "read the programs of", Link.text(ifindex)))))
    }

    /// BPF_PROG_ATTACH: before all others, or in the place of `old`.
    static func attach(
        _ program: Int32, _ ifindex: UInt32, _ direction: Filter.Direction, inPlaceOf old: UInt32?, _ interface: String
    ) throws(BPFError) {
        var replaced: Int32 = -1
        if let old { replaced = try check(bpf_prog_get_fd_by_id(old), "open", "program \(old)") }
        defer { if replaced >= 0 { close(replaced) } }
        try check(mzr_tcx_attach(ifindex, direction == .egress, program, replaced), "attach to", "interface \(interface)")
    }

    /// BPF_PROG_DETACH; a program or an interface that has gone is removed already.
    static func detach(_ program: UInt32, _ ifindex: UInt32, _ direction: Filter.Direction, _ interface: String) throws(BPFError) {
        let raw = bpf_prog_get_fd_by_id(program)
        if raw < 0, failure(raw) == ENOENT { return }
        let descriptor = Descriptor(owning: try check(raw, "open", "program \(program)"))
        let result = mzr_tcx_detach(ifindex, direction == .egress, descriptor.raw)
        if result < 0, [ENOENT, ENODEV].contains(failure(result)) { return }
        try check(result, "detach from", "interface \(interface)")
    }

    /// Those that are ours.
    static func ours(_ ifindex: UInt32, _ direction: Filter.Direction) throws(BPFError) -> [(id: UInt32, program: ProgramName)] {
        var ours: [(id: UInt32, program: ProgramName)] = []
        for id in try programs(ifindex, direction) {
            guard let name = try ProgramName.find(id) else { continue }
            ours.append((id, name))
        }
        return ours
    }
}
