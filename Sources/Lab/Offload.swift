import CBPF

/// An interface's offloads, in the namespace that the calling thread is in.
enum Offload: UInt32 {
    case transmitChecksum = 0x17  // ETHTOOL_STXCSUM
    case receiveAggregation = 0x2c  // ETHTOOL_SGRO

    func set(_ isOn: Bool, interface: String) -> Bool { mzr_set_offload(interface, rawValue, isOn ? 1 : 0) == 0 }
}
