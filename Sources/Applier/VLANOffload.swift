import CBPF
import Glibc

/// Receive VLAN offload: the driver takes a frame's tag off, and keeps it beside the frame.
struct VLANOffload: ~Copyable {
    private let interface: String
    private let socket: Descriptor

    init(_ interface: String) throws(BPFError) {
        let raw = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { throw BPFError("open", "a socket", .errno(errno)) }
        self.interface = interface
        socket = Descriptor(owning: raw)
    }

    var isVeth: Bool {
        var driver = [CChar](repeating: 0, count: 32)
        guard mzr_interface_driver(socket.raw, interface, &driver, driver.count) == 0 else { return false }
        return driver.withUnsafeBytes { cString($0) } == "veth"
    }

    /// ETHTOOL_GFLAGS. An interface without ethtool takes no tag off.
    func isOn() throws(BPFError) -> Bool {
        let result = mzr_receive_vlan_offload(socket.raw, interface)
        if result == -EOPNOTSUPP { return false }
        return try check(result, "read the VLAN offload of", "interface \(interface)") > 0
    }

    /// ETHTOOL_SFLAGS. False: the driver cannot.
    func switchOff() -> Bool { mzr_receive_vlan_offload_off(socket.raw, interface) == 0 }
}
