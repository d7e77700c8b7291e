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
    /// Attaches the pinned program, without a load.
    func attach(_ attachment: Attachment, orElse: DatapathRow?) throws(BPFError) -> DatapathRow? {
        let program = try needProgram(attachment.point.program)
        switch attachment.point {
        case .port, .uplink, .guardEgress:
            try attachTC(attachment.point, attachment.ifindex, program.raw, attachment.interface)
        case .loopback:
            try Loopback.forward()
            try attachTC(attachment.point, attachment.ifindex, program.raw, attachment.interface)
        case .xdp: return try attachXDP(attachment, program.raw, orElse: orElse)
        }
        return nil
    }

    /// Removes our program; an interface that has gone took it along.
    func detach(_ attachment: Attachment) throws(BPFError) {
        switch attachment.point {
        case .port, .uplink, .guardEgress, .loopback:
            try detachTC(attachment)
            if attachment.point == .loopback { try Loopback.restore() }
        case .xdp:
            for link in try NetlinkSocket().links() where link.ifindex == attachment.ifindex && link.xdp != 0 {
                try Self.removeXDP(link)
            }
        }
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

    /// Removes the XDP program of a link if it is ours.
    static func removeXDP(_ link: Link) throws(BPFError) {
        guard try ProgramName.find(link.xdp) == .xdp else { return }
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
