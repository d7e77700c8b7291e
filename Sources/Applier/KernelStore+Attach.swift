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
        switch attachment.point {
        case .port, .uplink, .guardEgress: try attachTC(attachment)
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
        case .port, .uplink, .guardEgress, .loopback:
            try detachTC(attachment)
            if attachment.point == .loopback { try Loopback.restore() }
        case .xdp:
            for link in try NetlinkSocket().links() where link.ifindex == attachment.ifindex && link.xdp != 0 {
                try Self.removeXDP(link)
            }
        }
    }
}
