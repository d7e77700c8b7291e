/// What a step brings that others need, and that may fail without ruining the rest.
public enum Brought: Hashable, Sendable {
    /// A host endpoint's device, by its port's index.
    case device(UInt32)
    /// The program at an endpoint's interface.
    case port(UInt32)
    case xdp
}

extension Step {
    /// Whether the plan goes on where this step cannot be done: devices and programs at interfaces meet with what others have set up
    /// there. Rows, maps and loaded programs do not; and without uplink and guard nothing is as it should be.
    public var mayFailAlone: Bool {
        switch change {
        case .attach(let attachment, _), .detach(let attachment):
            switch attachment.point {
            case .port, .xdp, .loopback, .beside, .besideGuard: true
            case .uplink, .guardEgress: false
            }
        case .device: true
        case .row, .capacity, .programs: false
        }
    }

    /// Nil: nothing that another step needs, and that may fail alone.
    public var brings: Brought? {
        switch change {
        case .attach(let attachment, _):
            switch attachment.point {
            case .port: .port(attachment.ifindex)
            case .xdp: .xdp
            case .uplink, .guardEgress, .loopback, .beside, .besideGuard: nil
            }
        case .device(_, let after): after.map { .device($0.portIndex) }
        case .detach, .row, .capacity, .programs: nil
        }
    }

    /// What must be there before it is done, if the plan brings it. What would lead traffic to a port needs the port's program.
    public var needs: [Brought] {
        switch change {
        case .attach(let attachment, _) where attachment.point == .port: [.device(attachment.ifindex)]
        case .row(_, .port(let ifindex, _)), .row(_, .portMAC(let ifindex, _)): [.device(ifindex)]
        case .row(_, .endpoint(_, let row)) where row.kind == .local && row.ifindex != 0: [.device(row.ifindex), .port(row.ifindex)]
        case .row(_, .datapath(let row)) where row.mode == .xdp: [.xdp]
        case .row, .attach, .detach, .device, .capacity, .programs: []
        }
    }
}
