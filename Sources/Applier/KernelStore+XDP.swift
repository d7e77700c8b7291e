import CBPF
import Glibc
import Planner

/// The program that XDP of an interface is to be.
struct XDPChoice: ~Copyable {
    let descriptor: Descriptor
    /// Whether a VLAN tag cannot escape it.
    let seesTags: Bool

    init(_ descriptor: consuming Descriptor, seesTags: Bool) {
        self.descriptor = descriptor
        self.seesTags = seesTags
    }
}

extension KernelStore {
    /// Attaches XDP; where it cannot be, and `orElse` says what then, gives that.
    func attachXDP(_ attachment: Attachment, orElse: DatapathRow?) throws(BPFError) -> DatapathRow? {
        let subject = "XDP of interface \(attachment.interface)"
        let chosen = try xdpProgram(for: attachment.ifindex, attachment.interface)
        if !chosen.seesTags, let orElse { return orElse }
        let program = chosen.descriptor.raw
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
                guard ProgramName(kernel: found.name)?.isXDP == true, link.isNativeXDP else {
                    if var instead = orElse {
                        instead.reason = .occupied
                        return instead
                    }
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

    /// Puts today's program in the place of ours.
    func refreshXDP(_ place: AttachedPlace) throws(BPFError) {
        let chosen = try xdpProgram(for: place.ifindex, place.interface)
        guard try ProgramInfo(of: chosen.descriptor.raw).id != place.program else { return }
        try replaceXDP(place.ifindex, place.program, with: chosen.descriptor.raw, place.interface)
    }

    /// The program for an interface. Where the driver takes VLAN tags off a frame before XDP sees it, the program must be
    /// told of them, or the tags must stay on: else a tagged frame is taken for one without a tag.
    private func xdpProgram(for ifindex: UInt32, _ interface: String) throws(BPFError) -> XDPChoice {
        let offload = try VLANOffload(interface)
        // A veth hands the sender's tag on beside the frame, whatever its own offload says.
        if !offload.isVeth, try !offload.isOn() || offload.switchOff() {
            return XDPChoice(try needProgram(.xdp), seesTags: true)
        }
        do throws(BPFError) {
            return XDPChoice(try loadBoundXDP(to: ifindex), seesTags: true)
        } catch {
            // Before Linux 6.8, or of another driver: nobody tells.
            guard case .refused = error.cause else { throw error }
            return XDPChoice(try needProgram(.xdp), seesTags: false)
        }
    }

    /// Loads, on the pinned maps, the program that asks the interface's driver for the tag. It serves no other.
    private func loadBoundXDP(to ifindex: UInt32) throws(BPFError) -> Descriptor {
        let object = try BPFObject()
        for name in object.mapNames { if let map = try open(name) { try object.reuse(name, map.descriptor) } }
        try object.setConstants(key: secret() ?? .drawn())
        return try object.loadAlone(.xdpBound, boundTo: ifindex)
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
        guard try ProgramName.find(link.xdp)?.isXDP == true else { return }
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
