import CBPF
import Glibc
import Planner

extension Attachment.Point {
    var program: ProgramName {
        switch self {
        case .port: .portEntry
        case .uplink: .uplinkEntry
        case .guardEgress: .guardEntry
        case .loopback: .loopback
        case .xdp: .xdp
        }
    }

    /// Nil: no filter, but XDP.
    var direction: Filter.Direction? {
        switch self {
        case .port, .uplink, .loopback: .ingress
        case .guardEgress: .egress
        case .xdp: nil
        }
    }
}

extension KernelStore {
    /// Attaches the pinned program: two netlink calls and no load.
    func attach(_ attachment: Attachment, orElse: DatapathRow?) throws(BPFError) -> DatapathRow? {
        let program = try needProgram(attachment.point.program)
        switch attachment.point {
        case .port, .uplink, .guardEgress:
            try attachFilter(attachment.point, attachment.ifindex, program.raw, replace: false, attachment.interface)
        case .loopback:
            try Loopback.forward()
            try attachFilter(attachment.point, attachment.ifindex, program.raw, replace: false, attachment.interface)
        case .xdp: return try attachXDP(attachment, program.raw, orElse: orElse)
        }
        return nil
    }

    /// Removes our program; an interface that has gone took it along.
    func detach(_ attachment: Attachment) throws(BPFError) {
        switch attachment.point {
        case .port, .uplink, .guardEgress, .loopback:
            let filters = try NetlinkSocket().filters(attachment.ifindex)
            let ours = try Self.ours(filters).filter { $0.program == attachment.point.program }.map(\.filter)
            try Self.remove(ours, of: filters, attachment.ifindex, attachment.interface)
            if attachment.point == .loopback { try Loopback.restore() }
        case .xdp:
            for link in try NetlinkSocket().links() where link.ifindex == attachment.ifindex && link.xdp != 0 {
                try Self.removeXDP(link)
            }
        }
    }

    /// bpf_tc_attach, in one step in place of ours if there is one.
    func attachFilter(
        _ point: Attachment.Point, _ ifindex: UInt32, _ program: Int32, replace: Bool, _ interface: String
    ) throws(BPFError) {
        guard let direction = point.direction else { return }
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
        // Ours may be there; anybody else's stays.
        let others = try NetlinkSocket().filters(ifindex, direction)
            // The kernel lists a priority as such too, with handle 0.
            .filter { $0.priority == Filter.priority && $0.handle != 0 }
        for other in others {
            if other.program != 0, let found = try ProgramInfo.find(other.program) {
                if ProgramName(kernel: found.name)?.pin != nil, other.handle == Filter.handle {
                    return try attachFilter(point, ifindex, program, replace: true, interface)
                }
                throw BPFError("attach to", subject, .occupied(by: "the filter \(found.name), tc priority 1,"))
            }
            throw BPFError("attach to", subject, .occupied(by: "a filter of kind \(other.kind), tc priority 1,"))
        }
        throw BPFError("attach to", subject, .errno(number))
    }

    private func attachXDP(
        _ attachment: Attachment, _ program: Int32, orElse: DatapathRow?
    ) throws(BPFError) -> DatapathRow? {
        let subject = "XDP of interface \(attachment.interface)"
        let native = UInt32(XDP_FLAGS_DRV_MODE)
        let result = bpf_xdp_attach(
            Int32(attachment.ifindex), program, native | UInt32(XDP_FLAGS_UPDATE_IF_NOEXIST), nil)
        guard result < 0 else { return nil }
        let number = failure(result)
        switch number {
        case EBUSY, EEXIST:
            // Ours may be there; anybody else's stays.
            for link in try NetlinkSocket().links() where link.ifindex == attachment.ifindex && link.xdp != 0 {
                guard let found = try ProgramInfo.find(link.xdp) else { continue }
                guard ProgramName(kernel: found.name) == .xdp, link.isNativeXDP else {
                    throw BPFError("attach to", subject, .occupied(by: "the program \(found.name)"))
                }
                try replaceXDP(attachment.ifindex, link.xdp, with: program, attachment.interface)
                return nil
            }
            throw BPFError("attach to", subject, .errno(number))
        case ENODEV, EPERM, EACCES, EINTR:
            throw BPFError("attach to", subject, .errno(number))
        default:
            // What drivers say who have no XDP, or not with this MTU, these queues or these offloads.
            if let orElse { return orElse }
            throw BPFError(
                "attach to", subject,
                .refused(errno: number, log: "the driver refuses native XDP; `datapath: auto` or `tc` does without"))
        }
    }

    /// Replaces XDP only if the program is still the one that was seen.
    func replaceXDP(_ ifindex: UInt32, _ old: UInt32, with program: Int32, _ interface: String) throws(BPFError) {
        let subject = "XDP of interface \(interface)"
        let current = Descriptor(owning: try check(bpf_prog_get_fd_by_id(old), "open", "program \(old)"))
        var options = bpf_xdp_attach_opts()
        options.sz = optionsSize(\bpf_xdp_attach_opts.old_prog_fd)
        options.old_prog_fd = current.raw
        try check(
            bpf_xdp_attach(Int32(ifindex), program, UInt32(XDP_FLAGS_DRV_MODE | XDP_FLAGS_REPLACE), &options),
            "replace", subject)
        // Keeps the old program open for as long as the kernel compares it.
        _ = consume current
    }

    static func hook(_ ifindex: UInt32) -> bpf_tc_hook {
        var hook = bpf_tc_hook()
        hook.sz = optionsSize(\bpf_tc_hook.parent)
        hook.ifindex = Int32(bitPattern: ifindex)
        return hook
    }

    /// Those of an interface's filters that run programs of ours, and which.
    static func ours(_ filters: [Filter]) throws(BPFError) -> [(filter: Filter, program: ProgramName)] {
        var ours: [(filter: Filter, program: ProgramName)] = []
        for filter in filters where filter.program != 0 {
            guard let found = try ProgramInfo.find(filter.program), let name = ProgramName(kernel: found.name) else { continue }
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
        if others.isEmpty { return try removeClsact(ifindex, interface) }
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
        guard try NetlinkSocket().clsactInterfaces().contains(ifindex) else { return }
        var hook = hook(ifindex)
        hook.attach_point = bpf_tc_attach_point(BPF_TC_INGRESS.rawValue | BPF_TC_EGRESS.rawValue)
        let result = bpf_tc_hook_destroy(&hook)
        if result < 0, [ENOENT, ENODEV, EINVAL].contains(failure(result)) { return }
        try check(result, "remove the clsact qdisc of", "interface \(interface)")
    }

    /// Removes the XDP program of a link if it is ours.
    static func removeXDP(_ link: Link) throws(BPFError) {
        guard let found = try ProgramInfo.find(link.xdp), ProgramName(kernel: found.name) == .xdp else { return }
        let raw = bpf_prog_get_fd_by_id(link.xdp)
        if raw < 0, failure(raw) == ENOENT { return }
        let program = Descriptor(owning: try check(raw, "open", "program \(link.xdp)"))
        var options = bpf_xdp_attach_opts()
        options.sz = optionsSize(\bpf_xdp_attach_opts.old_prog_fd)
        options.old_prog_fd = program.raw
        let mode = UInt32(link.isNativeXDP ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE)
        let result = bpf_xdp_detach(Int32(bitPattern: link.ifindex), mode, &options)
        _ = consume program
        if result < 0, failure(result) == ENODEV { return }
        try check(result, "detach from", "XDP of interface \(link.name)")
    }
}
