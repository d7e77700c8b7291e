import CBPF
import Glibc
import Planner

/// Receive offload (GRO) of Geneve: a socket of the kernel's at its port, in the network namespace of the calling thread.
///
/// The kernel joins packets of a UDP tunnel where they come in, but only if a socket of its own that knows how listens at their
/// port. For that a Geneve header without options and one of VXLAN are the same: eight bytes, equal in packets of a flow, and an
/// Ethernet frame behind. So a VXLAN device opens the socket, which every kernel has. It takes no VNI (`vnifilter`): nothing
/// comes in by it, whatever passes `mizar_uplink`.
struct ReceiveOffload: ~Copyable {
    static let name = "mizar-gro"
    private static let kind = "vxlan"
    private static let subject = "device \(name)"
    /// No address of its own, so that it says nothing to anybody.
    private static let setting = Setting(family: .ipv6, name: "disable_ipv6", value: "1")

    private let netlink: NetlinkSocket

    init() throws(BPFError) { netlink = try NetlinkSocket(strictly: true) }

    /// Ours, by its group.
    func found() throws(BPFError) -> Link? {
        try netlink.links(kind: Self.kind).first { $0.kind == Self.kind && $0.group == HostDevices.group }
    }

    /// The UDP port that it listens at; nil: it does not.
    func port() throws(BPFError) -> UInt16? { try found().flatMap { $0.isUp ? $0.udpPort : nil } }

    /// Has it listen there. What a killed call has left is gone on with.
    func listen(at port: UInt16) throws(BPFError) {
        var device = try found()
        if let other = device, other.udpPort != port {
            try remove(other)
            device = nil
        }
        if device == nil {
            try create(port)
            device = try found()
        }
        guard let device else { throw BPFError("create", Self.subject, .errno(ENODEV)) }
        guard !device.isUp else { return }
        try Self.setting.set(on: device.name, mtu: device.mtu)
        try netlink.set(link: device.ifindex, Self.subject, isUp: true)
    }

    func remove(_ device: Link) throws(BPFError) { try netlink.remove(link: device.ifindex, Self.subject) }

    private func create(_ port: UInt16) throws(BPFError) {
        var message = NetlinkMessage(change: Int(RTM_NEWLINK), flags: NLM_F_CREATE | NLM_F_EXCL, ifinfomsg())
        message.add(Int(IFLA_IFNAME), Self.name)
        message.add(Int(IFLA_GROUP), HostDevices.group)
        message.nest(Int(IFLA_LINKINFO)) { message in
            message.add(Int(IFLA_INFO_KIND), Self.kind)
            message.nest(Int(IFLA_INFO_DATA)) { message in
                message.add(Int(IFLA_VXLAN_PORT), port.bigEndian)
                for option in [IFLA_VXLAN_COLLECT_METADATA, IFLA_VXLAN_VNIFILTER] { message.add(Int(option), UInt8(1)) }
            }
        }
        try netlink.request(message, "create", Self.subject)
    }
}

extension KernelStore {
    /// Has the kernel join what comes in at Geneve's port. No packet's way depends on it, so it is in no plan, and a kernel
    /// without VXLAN only does more work.
    public func keepReceiveOffload() throws(BPFError) {
        guard let map = try open(.config), case .config(let row) = try Self.onlyRow(.config, map) else { return }
        let offload = try ReceiveOffload()
        if try offload.port() != row.port { try offload.listen(at: row.port) }
    }
}
