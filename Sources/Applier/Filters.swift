import CBPF
import Glibc

/// A filter below a clsact qdisc.
struct Filter: Hashable, Sendable {
    enum Direction: Hashable, Sendable, CaseIterable { case ingress, egress }

    /// Ours, so that a second filter cannot hide behind the first.
    static let priority: UInt32 = 1
    static let handle: UInt32 = 0x6d7a

    var ifindex: UInt32
    var direction: Direction
    var kind = ""
    var priority: UInt32
    var handle: UInt32
    /// Of a BPF filter; 0: another kind.
    var program: UInt32 = 0
}

/// A qdisc by the name of its kind. An interface has one of the two, or none.
enum FilterQdisc: String, Sendable { case clsact, ingress }

extension Filter.Direction {
    var parent: UInt32 {
        switch self {
        case .ingress: mzr_tc_ingress_parent
        case .egress: mzr_tc_egress_parent
        }
    }

    var point: bpf_tc_attach_point {
        switch self {
        case .ingress: BPF_TC_INGRESS
        case .egress: BPF_TC_EGRESS
        }
    }
}

extension NetlinkSocket {
    /// RTM_GETQDISC: the interfaces that have a qdisc which filters of ours can be below: clsact, or somebody else's ingress.
    func filterQdiscs() throws(BPFError) -> [UInt32: FilterQdisc] {
        let found = try dump(Int(RTM_GETQDISC), tcmsg(), "the qdiscs") { message -> (UInt32, FilterQdisc)? in
            guard message.count >= MemoryLayout<tcmsg>.size else { return nil }
            var kind = ""
            forEachAttribute(of: message, after: MemoryLayout<tcmsg>.size) { type, value in
                if type == Int(TCA_KIND) { kind = cString(value) }
            }
            let header = message.loadUnaligned(as: tcmsg.self)
            return FilterQdisc(rawValue: kind).map { (UInt32(bitPattern: header.tcm_ifindex), $0) }
        }
        return Dictionary(found) { first, _ in first }
    }

    /// The filters of both directions of an interface.
    func filters(_ ifindex: UInt32) throws(BPFError) -> [Filter] {
        try filters(ifindex, .ingress) + filters(ifindex, .egress)
    }

    /// RTM_GETTFILTER: the filters of one direction of an interface; none if it or its clsact qdisc has gone.
    func filters(_ ifindex: UInt32, _ direction: Filter.Direction) throws(BPFError) -> [Filter] {
        var header = tcmsg()
        header.tcm_ifindex = Int32(bitPattern: ifindex)
        header.tcm_parent = direction.parent
        do throws(BPFError) {
            return try dump(Int(RTM_GETTFILTER), header, "the filters of \(Link.text(ifindex))") { message -> Filter? in
                guard message.count >= MemoryLayout<tcmsg>.size else { return nil }
                let header = message.loadUnaligned(as: tcmsg.self)
                var filter = Filter(
                    ifindex: ifindex, direction: direction, priority: header.tcm_info >> 16, handle: header.tcm_handle)
                forEachAttribute(of: message, after: MemoryLayout<tcmsg>.size) { type, value in
                    switch type {
                    case Int(TCA_KIND): filter.kind = cString(value)
                    case Int(TCA_OPTIONS):
                        forEachAttribute(of: value, after: 0) { type, value in
                            guard type == Int(TCA_BPF_ID), value.count == 4 else { return }
                            filter.program = value.loadUnaligned(as: UInt32.self)
                        }
                    default: break
                    }
                }
                // Another kind's options may use the same number for something else.
                if filter.kind != "bpf" { filter.program = 0 }
                return filter
            }
        } catch {
            guard [ENODEV, EINVAL, ENOENT].contains(error.number) else { throw error }
            return []
        }
    }
}

extension BPFError {
    /// The kernel's error number, 0 where there is none.
    var number: Int32 {
        switch cause {
        case .errno(let number), .refused(let number, _): number
        case .unsupportedLayout, .full, .changed, .occupied, .unavailable: 0
        }
    }
}
