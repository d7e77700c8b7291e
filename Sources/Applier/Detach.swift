import Glibc
import Planner

/// What `detach` took off a host.
public struct DetachOutcome: Hashable, Sendable {
    /// Filters and XDP programs.
    public var programs = 0
    /// Maps and programs that had a name.
    public var pins = 0
    /// What is in the directory and is not ours: it stays, and the directory with it.
    public var kept: [String] = []

    public init() {}
}

extension KernelStore {
    /// Takes everything of ours off the host whose network namespace the calling thread is in: filters, clsact qdiscs
    /// that have no other filter, XDP, pins, and the directory. Whatever is gone already is fine.
    ///
    /// Whoever calls it holds the `HostLock` of the directory.
    public static func detach(directory: String) throws(BPFError) -> DetachOutcome {
        _ = silenced
        try HostCheck.privileges()
        var outcome = DetachOutcome()
        // Interfaces first: programs must not outlive their rows.
        let netlink = try NetlinkSocket()
        let links = try netlink.links()
        for link in links where link.xdp != 0 {
            guard let found = try ProgramInfo.find(link.xdp), ProgramName(kernel: found.name) == .xdp else { continue }
            try removeXDP(link)
            outcome.programs += 1
        }
        for ifindex in try netlink.clsactInterfaces() {
            let name = links.first { $0.ifindex == ifindex }?.name ?? "\(ifindex)"
            var removed = 0
            for direction in Filter.Direction.allCases {
                for filter in try netlink.filters(ifindex, direction) where filter.program != 0 {
                    guard let found = try ProgramInfo.find(filter.program), ProgramName(kernel: found.name) != nil
                    else { continue }
                    try remove(filter, name)
                    removed += 1
                }
            }
            if removed > 0 { try removeClsactIfEmpty(ifindex, name) }
            outcome.programs += removed
        }
        guard BPFFilesystem.contains(directory) else { return outcome }
        let ours = try BPFObject.embedded.get().keys + ProgramName.allCases.compactMap(\.pin)
        let names = Set(ours + ours.map { $0 + nextSuffix })
        for name in try BPFFilesystem.names(in: directory) {
            guard names.contains(name) else {
                outcome.kept.append(name)
                continue
            }
            try BPFFilesystem.unpin("\(directory)/\(name)")
            outcome.pins += 1
        }
        if outcome.kept.isEmpty, directory != BPFFilesystem.standard, rmdir(directory) != 0, errno != ENOENT {
            throw BPFError("remove", "directory \(directory)", .errno(errno))
        }
        return outcome
    }
}
