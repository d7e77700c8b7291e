import CBPF
import Glibc
import Planner

// Which interface a port's row was written for: an index alone would be another's some day.
extension KernelStore {
    static let portDevices = "port_devices"

    /// Says of ports that their interfaces are those that have the indices now. One that has just gone stays without, and is
    /// delivered nothing.
    static func keepDevices(of ports: [RowBytes], in map: Int32) throws(BPFError) {
        for row in ports where row.slot != 0 {
            var (slot, ifindex) = (row.slot, row.ifindex)
            let result = bpf_map_update_elem(map, &slot, &ifindex, UInt64(BPF_ANY))
            guard result < 0 else { continue }
            let number = failure(result)
            // No room: the map grows with the programs, which are given all ports again.
            if number == E2BIG { continue }
            guard number == EINVAL || number == ENODEV else {
                throw BPFError("keep", "the interface of port \(ifindex)", .errno(number))
            }
            bpf_map_delete_elem(map, &slot)
        }
    }

    /// The same of rows that were just written.
    func keepDevices(of ports: [RowBytes]) throws(BPFError) {
        guard let map = try open(Self.portDevices), !map.isRelaid else { return }
        try Self.keepDevices(of: ports, in: map.descriptor)
    }

    /// Forgets the interface of a port whose row goes.
    func forgetDevice(of row: RowBytes) throws(BPFError) {
        guard let map = try open(Self.portDevices), !map.isRelaid else { return }
        var slot = row.slot
        bpf_map_delete_elem(map.descriptor, &slot)
    }

    /// The interfaces by slot.
    struct Devices {
        fileprivate var indices: [UInt32: UInt32] = [:]
        fileprivate var capacity: UInt32

        /// Whether the port's interface has gone. Of one beyond the map's end nobody knows.
        func lacks(_ port: RowBytes) -> Bool { port.slot < capacity && indices[port.slot] != port.ifindex }
    }

    /// Reads the interfaces of all ports. Nil if another version's programs run, which do not look.
    func devices() throws(BPFError) -> Devices? {
        guard let map = try open(Self.portDevices) else { return nil }
        var found = Devices(capacity: UInt32(map.capacity))
        for slot in 1..<max(1, found.capacity) {
            guard let value = try map.value(of: withUnsafeBytes(of: slot) { Array($0) }) else { continue }
            found.indices[slot] = value.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
        }
        return found
    }
}
