import CBPF
import Glibc

/// What the kernel says of a loaded program.
struct ProgramInfo: Hashable, Sendable {
    var id: UInt32
    /// The kernel keeps 15 bytes of it.
    var name: String
    /// Hash of its instructions, maps left out.
    var tag: UInt64
    var mapIDs: [UInt32]

    /// bpf_obj_get_info_by_fd, of a program.
    init(of descriptor: Int32) throws(BPFError) {
        var info = bpf_prog_info()
        // More maps than any of our programs uses; the kernel gives as many ids as fit.
        let ids = UnsafeMutablePointer<UInt32>.allocate(capacity: 64)
        defer { ids.deallocate() }
        info.nr_map_ids = 64
        info.map_ids = UInt64(UInt(bitPattern: ids))
        var size = UInt32(MemoryLayout<bpf_prog_info>.size)
        try check(bpf_obj_get_info_by_fd(descriptor, &info, &size), "read the description of", "a program")
        id = info.id
        name = withUnsafeBytes(of: info.name) { cString($0) }
        tag = withUnsafeBytes(of: info.tag) { $0.loadUnaligned(as: UInt64.self) }
        mapIDs = (0..<Int(min(info.nr_map_ids, 64))).map { ids[$0] }
    }

    /// The program of that id; nil if it has gone.
    static func find(_ id: UInt32) throws(BPFError) -> ProgramInfo? {
        let raw = bpf_prog_get_fd_by_id(id)
        if raw < 0, failure(raw) == ENOENT { return nil }
        let descriptor = Descriptor(owning: try check(raw, "open", "program \(id)"))
        return try ProgramInfo(of: descriptor.raw)
    }
}

/// Our programs by the names that the kernel keeps.
enum ProgramName: String, CaseIterable, Sendable {
    case port = "mizar_port"
    case uplink = "mizar_uplink"
    case `guard` = "mizar_guard"
    case answer = "mizar_answer"
    case tend = "mizar_tend"
    case send = "mizar_send"
    case fragment = "mizar_fragment"
    case icmp = "mizar_icmp"
    case forward = "mizar_forward"
    case control = "mizar_control"
    case portEntry = "mizar_port_entry"
    case uplinkEntry = "mizar_uplink_entry"
    case guardEntry = "mizar_guard_entry"
    case loopback = "mizar_loopback"
    case beside = "mizar_beside"
    case besideGuard = "mizar_beside_guard"
    case xdp = "mizar_xdp"
    /// The same, for one interface, whose driver it asks for VLAN tags.
    case xdpBound = "mizar_xdp_bound"

    static let kept = Int(BPF_OBJ_NAME_LEN) - 1

    init?(kernel name: String) {
        guard let found = Self.allCases.first(where: { $0.rawValue.prefix(Self.kept) == name }) else { return nil }
        self = found
    }

    /// Which of ours the program of that id is; nil if it is none, or has gone.
    static func find(_ id: UInt32) throws(BPFError) -> ProgramName? {
        try ProgramInfo.find(id).flatMap { ProgramName(kernel: $0.name) }
    }

    var isXDP: Bool { self == .xdp || self == .xdpBound }

    /// Its pin below the directory; nil: `programs` or `tails` holds it, or the interface that it is bound to.
    var pin: String? {
        switch self {
        case .port, .uplink, .guard, .answer, .tend, .send, .fragment, .icmp, .forward, .control, .xdpBound: nil
        case .portEntry: "entry_port"
        case .uplinkEntry: "entry_uplink"
        case .guardEntry: "entry_guard"
        case .loopback: "loopback"
        case .beside: "beside"
        case .besideGuard: "beside_guard"
        case .xdp: "xdp"
        }
    }

    /// Its slot of `programs`; nil: it is attached itself, or a tail.
    var slot: UInt32? {
        switch self {
        case .port: MZR_PROGRAM_PORT.rawValue
        case .uplink: MZR_PROGRAM_UPLINK.rawValue
        case .guard: MZR_PROGRAM_GUARD.rawValue
        case .answer, .tend, .send, .fragment, .icmp, .forward, .control: nil
        case .portEntry, .uplinkEntry, .guardEntry, .loopback, .beside, .besideGuard, .xdp, .xdpBound: nil
        }
    }

    /// Its slot of `tails`; nil: it is behind no other.
    var tail: UInt32? {
        switch self {
        case .answer: MZR_TAIL_ANSWER.rawValue
        case .tend: MZR_TAIL_TEND.rawValue
        case .send: MZR_TAIL_SEND.rawValue
        case .fragment: MZR_TAIL_FRAGMENT.rawValue
        case .icmp: MZR_TAIL_ICMP.rawValue
        case .forward: MZR_TAIL_FORWARD.rawValue
        case .control: MZR_TAIL_CONTROL.rawValue
        case .port, .uplink, .guard: nil
        case .portEntry, .uplinkEntry, .guardEntry, .loopback, .beside, .besideGuard, .xdp, .xdpBound: nil
        }
    }
}
