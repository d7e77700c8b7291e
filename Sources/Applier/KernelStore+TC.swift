import CBPF
import Glibc
import Planner

// Programs of tc, by either hook.
extension KernelStore {
    /// Attaches a program to its point, in one step in place of ours if there is one. Of the two hooks tcx comes first on
    /// every packet's way: a filter of ours, which an earlier version left, ends only once it is replaced so.
    func attachTC(
        _ point: Attachment.Point, _ ifindex: UInt32, _ program: Int32, replace: Bool = false, _ interface: String
    ) throws(BPFError) {
        guard let direction = point.direction else { return }
        let present = hook == .tcx ? try TCX.programs(ifindex, direction) : []
        // A program of tcx goes before all filters, and what it lets pass no filter sees. So does ours before a filter that
        // somebody put in the place of ours.
        let filters = hook == .tcx ? try NetlinkSocket().filters(ifindex, direction) : []
        let isTaken = try Self.isTaken(filters)
        guard point.hook(hook) == .tcx || !present.isEmpty || isTaken else {
            return try attachFilter(direction, ifindex, program, replace: replace, interface)
        }
        let old = try TCX.ours(ifindex, direction).first?.id
        let new = try ProgramInfo(of: program).id
        if let old, old != present.first {
            // Somebody put theirs before ours. The kernel takes a program into a list once, so ours goes before it comes: until
            // then a filter is there in its place, unless that is taken, too.
            if !isTaken {
                try attachFilter(direction, ifindex, program, replace: false, interface)
            }
            try TCX.detach(old, ifindex, direction, interface)
            try TCX.attach(program, ifindex, direction, inPlaceOf: nil, interface)
        } else if old != new {
            try TCX.attach(program, ifindex, direction, inPlaceOf: old, interface)
        }
        try removeFilters(of: point, ifindex, interface)
    }

    /// Removes our program, whichever hook it is at; an interface that has gone took it along.
    func detachTC(_ attachment: Attachment) throws(BPFError) {
        guard let direction = attachment.point.direction else { return }
        for one in try TCX.ours(attachment.ifindex, direction) where one.program == attachment.point.program {
            try TCX.detach(one.id, attachment.ifindex, direction, attachment.interface)
        }
        try removeFilters(of: attachment.point, attachment.ifindex, attachment.interface)
    }

    private func removeFilters(of point: Attachment.Point, _ ifindex: UInt32, _ interface: String) throws(BPFError) {
        guard let direction = point.direction else { return }
        let netlink = try NetlinkSocket()
        let ours = try Self.ours(netlink.filters(ifindex, direction)).filter { $0.program == point.program }.map(\.filter)
        if !ours.isEmpty { try Self.remove(ours, of: netlink.filters(ifindex), ifindex, interface) }
    }

    // MARK: Filters

    /// bpf_tc_attach, in one step in place of ours if there is one.
    private func attachFilter(
        _ direction: Filter.Direction, _ ifindex: UInt32, _ program: Int32, replace: Bool, _ interface: String
    ) throws(BPFError) {
        let subject = "interface \(interface)"
        var hook = Self.hook(ifindex)
        hook.attach_point = bpf_tc_attach_point(BPF_TC_INGRESS.rawValue | BPF_TC_EGRESS.rawValue)
        if !replace {
            let result = bpf_tc_hook_create(&hook)
            if result < 0, failure(result) != EEXIST { try check(result, "attach to", subject) }
        }
        hook.attach_point = direction.point
        var options = bpf_tc_opts()
        options.sz = optionsSize(\bpf_tc_opts.priority)
        options.prog_fd = program
        options.handle = Filter.handle
        options.priority = Filter.priority
        options.flags = replace ? BPF_TC_F_REPLACE.rawValue : 0
        let result = bpf_tc_attach(&hook, &options)
        guard result < 0 else { return }
        let number = failure(result)
        guard !replace, number == EEXIST || number == EINVAL || number == EOPNOTSUPP else {
            throw BPFError("attach to", subject, .errno(number))
        }
        if direction == .egress, try NetlinkSocket().filterQdiscs()[ifindex] == .ingress {
            // It has one list for whatever direction is asked for.
            throw BPFError("attach to", subject, .occupied(by: "an ingress qdisc, which has no egress,"))
        }
        // Ours may be there; anybody else's stays.
        let others = try NetlinkSocket().filters(ifindex, direction)
            // The kernel lists a priority as such too, with handle 0.
            .filter { $0.priority == Filter.priority && $0.handle != 0 }
        for other in others {
            if other.program != 0, let found = try ProgramInfo.find(other.program) {
                if ProgramName(kernel: found.name)?.pin != nil, other.handle == Filter.handle {
                    return try attachFilter(direction, ifindex, program, replace: true, interface)
                }
                throw BPFError("attach to", subject, .occupied(by: "the filter \(found.name), tc priority 1,"))
            }
            throw BPFError("attach to", subject, .occupied(by: "a filter of kind \(other.kind), tc priority 1,"))
        }
        throw BPFError("attach to", subject, .errno(number))
    }

    static func hook(_ ifindex: UInt32) -> bpf_tc_hook {
        var hook = bpf_tc_hook()
        hook.sz = optionsSize(\bpf_tc_hook.parent)
        hook.ifindex = Int32(bitPattern: ifindex)
        return hook
    }

    /// Whether somebody else's filter has the place of ours, among the filters of one direction.
    static func isTaken(_ filters: [Filter]) throws(BPFError) -> Bool {
        let ours = try Self.ours(filters)
        // The kernel lists a priority as such too, with handle 0.
        return filters.contains { filter in
            filter.priority == Filter.priority && filter.handle != 0 && !ours.contains { $0.filter == filter }
        }
    }

    /// Those of an interface's filters that run programs of ours, and which.
    static func ours(_ filters: [Filter]) throws(BPFError) -> [(filter: Filter, program: ProgramName)] {
        var ours: [(filter: Filter, program: ProgramName)] = []
        for filter in filters where filter.program != 0 {
            guard let name = try ProgramName.find(filter.program) else { continue }
            ours.append((filter, name))
        }
        return ours
    }

    /// Removes filters of ours. The last ones of an interface go with its clsact qdisc in one call: killed in between,
    /// nobody would know the qdisc for ours.
    ///
    /// - Parameter filters: all that the interface has.
    static func remove(
        _ ours: [Filter], of filters: [Filter], _ ifindex: UInt32, _ interface: String
    ) throws(BPFError) {
        let others = filters.filter { filter in
            // The kernel lists a priority as such too, with handle 0.
            !ours.contains { $0.direction == filter.direction && $0.priority == filter.priority && [0, $0.handle].contains(filter.handle) }
        }
        if others.isEmpty, try NetlinkSocket().filterQdiscs()[ifindex] != .ingress { return try removeClsact(ifindex, interface) }
        for filter in ours { try remove(filter, interface) }
    }

    /// bpf_tc_detach.
    private static func remove(_ filter: Filter, _ interface: String) throws(BPFError) {
        var hook = Self.hook(filter.ifindex)
        hook.attach_point = filter.direction.point
        var options = bpf_tc_opts()
        options.sz = optionsSize(\bpf_tc_opts.priority)
        options.handle = filter.handle
        options.priority = filter.priority
        let result = bpf_tc_detach(&hook, &options)
        if result < 0, [ENOENT, ENODEV, EINVAL].contains(failure(result)) { return }
        try check(result, "detach from", "interface \(interface)")
    }

    /// bpf_tc_hook_destroy; one that has gone is removed already.
    private static func removeClsact(_ ifindex: UInt32, _ interface: String) throws(BPFError) {
        guard try NetlinkSocket().filterQdiscs()[ifindex] == .clsact else { return }
        var hook = hook(ifindex)
        hook.attach_point = bpf_tc_attach_point(BPF_TC_INGRESS.rawValue | BPF_TC_EGRESS.rawValue)
        let result = bpf_tc_hook_destroy(&hook)
        if result < 0, [ENOENT, ENODEV, EINVAL].contains(failure(result)) { return }
        try check(result, "remove the clsact qdisc of", "interface \(interface)")
    }
}
