import Planner

extension Attachment.Point {
    var program: ProgramName {
        switch self {
        case .port: .portEntry
        case .uplink: .uplinkEntry
        case .guardEgress: .guardEntry
        case .loopback: .loopback
        case .beside: .beside
        case .besideGuard: .besideGuard
        case .xdp: .xdp
        }
    }

    /// Nil: no filter, but XDP.
    var direction: Filter.Direction? {
        switch self {
        case .port, .uplink, .loopback, .beside: .ingress
        case .guardEgress, .besideGuard: .egress
        case .xdp: nil
        }
    }
}

extension KernelStore {
    /// Attaches the pinned program, without a load.
    func attach(_ attachment: Attachment, orElse: DatapathRow?) throws(BPFError) -> DatapathRow? {
        switch attachment.point {
        case .uplink, .guardEgress, .beside, .besideGuard: try attachTC(attachment)
        case .port:
            // First, so that nothing gets in before the program.
            try Setting.close(attachment.interface)
            try attachTC(attachment)
        case .loopback:
            try Loopback.forward()
            try attachTC(attachment)
        case .xdp: return try attachXDP(attachment, orElse: orElse)
        }
        return nil
    }

    private func attachTC(_ attachment: Attachment) throws(BPFError) {
        let program = try needProgram(attachment.point.program)
        try attachTC(attachment.point, attachment.ifindex, program.raw, attachment.interface)
    }

    /// Removes our program; an interface that has gone took it along.
    func detach(_ attachment: Attachment) throws(BPFError) {
        switch attachment.point {
        case .port, .uplink, .guardEgress, .loopback, .beside, .besideGuard:
            try detachTC(attachment)
            if attachment.point == .loopback { try Loopback.restore() }
            if attachment.point == .port { try reopen(attachment) }
        case .xdp:
            for link in try NetlinkSocket().links() where link.ifindex == attachment.ifindex && link.xdp != 0 {
                try Self.removeXDP(link)
            }
        }
    }

    /// Gives an interface that is no port any more its usual settings. A host endpoint's device keeps them and goes with its port.
    private func reopen(_ attachment: Attachment) throws(BPFError) {
        let devices: Set<UInt32>
        if let known = ownDevices { devices = known } else { devices = try HostDevices.indices() }
        ownDevices = devices
        if !devices.contains(attachment.ifindex) { try Setting.reopen(attachment.interface) }
    }
}
