import Glibc
public import Planner
import Topology

/// Takes everything of ours off a host.
public enum Detach {
    /// Removes, in the network namespace of the calling thread and below `directory`: devices, programs of
    /// tcx, filters, clsact qdiscs that have no other filter, XDP, pins, and the directory. Whatever is gone already is fine, so it may be killed and run again.
    ///
    /// - Parameters:
    ///   - directory: where the pins are. What is not ours in it stays, and the directory with it.
    ///   - names: what this host may be called; the tables of another one are refused. Empty: whatever is there is taken off.
    /// - Returns: what was removed, in a user's words.
    /// - Throws: `BPFError`; `LockError` if a reconciler works on the directory; `Others`; `MapsElsewhere`.
    public static func run(directory: String, names: [String] = []) throws -> [String] {
        _ = silenced
        let store = try KernelStore(directory: directory, forWriting: false)
        // Elsewhere they would stay behind, without programs. Where nobody can say so, whoever asks for it gets it.
        if let elsewhere = try store.elsewhere(), elsewhere.place != nil { throw elsewhere }
        // Without tables, what is left of ours is what interfaces carry.
        guard BPFFilesystem.contains(directory) else { return try interfaces(named: []) }
        let lock = try HostLock(directory: directory)
        // Here and below: a table that cannot be read must not keep anybody from removing it.
        if let name = names.first { try check(name, names, store) }
        let named = (try? store.namedInterfaces()) ?? []
        // Interfaces first: programs must not outlive their rows.
        var removed = try interfaces(named: named)
        // An apply that was killed may have set it for a program that it did not come to attach.
        try Loopback.restore()
        removed += try pins(directory)
        lock.release()
        return removed
    }

    /// The tables are another host's than the one to detach.
    public struct Others: Error, Hashable, Sendable {
        public var owner: Owner
    }

    private static func check(_ host: String, _ names: [String], _ store: KernelStore) throws {
        guard let applied = try? store.readApplied(), !names.contains(where: { applied.host == StableHash.id($0) }) else { return }
        throw Others(owner: (try? store.observe().image.owner(otherThan: host)) ?? Owner())
    }

    /// - Parameter named: interfaces of ours, where a qdisc without a filter is what a killed apply has left.
    private static func interfaces(named: Set<UInt32>) throws(BPFError) -> [String] {
        var removed: [String] = []
        let netlink = try NetlinkSocket()
        let devices = try HostDevices()
        for device in try devices.found() {
            let name = "device \(device.name.isEmpty ? device.port : device.name)"
            try devices.remove(device, name)
            removed.append(name + (device.endpoint.isEmpty ? "" : " of \(device.endpoint)"))
        }
        let offload = try ReceiveOffload()
        if let device = try offload.found() {
            try offload.remove(device)
            removed.append("device \(device.name)")
        }
        let links = try netlink.links()
        for link in links where link.xdp != 0 {
            guard let name = try ProgramName.find(link.xdp), name.isXDP else { continue }
            try KernelStore.removeXDP(link)
            removed.append("program \(name.rawValue) on \(link.name)")
        }
        for link in links {
            for direction in Filter.Direction.allCases {
                for one in try TCX.ours(link.ifindex, direction) {
                    // What came with the program goes before it: killed in between, nobody would know it for ours.
                    if one.program == .loopback { try Loopback.restore() }
                    try TCX.detach(one.id, link.ifindex, direction, link.name)
                    if one.program == .portEntry { try Setting.reopen(link.name) }
                    removed.append("program \(one.program.rawValue) on \(link.name)")
                }
            }
        }
        for (ifindex, qdisc) in try netlink.filterQdiscs().sorted(by: { $0.key < $1.key }) {
            let interface = links.first { $0.ifindex == ifindex }?.name ?? "\(ifindex)"
            let filters = try netlink.filters(ifindex)
            let ours = try KernelStore.ours(filters)
            guard !ours.isEmpty || (filters.isEmpty && qdisc == .clsact && named.contains(ifindex)) else { continue }
            if ours.contains(where: { $0.program == .loopback }) { try Loopback.restore() }
            try KernelStore.remove(ours.map(\.filter), of: filters, ifindex, interface)
            if ours.contains(where: { $0.program == .portEntry }) { try Setting.reopen(interface) }
            removed += ours.isEmpty ? ["qdisc clsact on \(interface)"] : ours.map { "program \($0.program.rawValue) on \(interface)" }
        }
        return removed
    }

    private static func pins(_ directory: String) throws(BPFError) -> [String] {
        var removed: [String] = []
        var isEmpty = true
        for name in try BPFFilesystem.names(in: directory) {
            let path = "\(directory)/\(name)"
            let target = try BPFFilesystem.target(of: path)
            if let generation = Generation(folder: name) {
                let pins = try BPFFilesystem.names(in: path)
                try generation.remove(from: directory)
                removed += pins.map { "pin \(path)/\($0)" }
            } else if target.map({ $0.hasPrefix("\(Generation.current)/") || Generation(folder: $0) != nil }) == true {
                try BPFFilesystem.unpin(path)
            } else if target == nil, Generation.isOfLayout0(name) {
                try BPFFilesystem.unpin(path)
                removed.append("pin \(path)")
            } else {
                isEmpty = false
            }
        }
        if isEmpty { try BPFFilesystem.removeDirectory(directory) }
        return removed
    }
}
