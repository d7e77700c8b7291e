public import Planner

extension KernelStore {
    /// Describes the programs of others at a place where a program of ours belongs. An operator looks there first for what took
    /// ours away.
    ///
    /// - Returns: nil if there are none, or if tc does not run programs at that point.
    public static func rivals(at attachment: Attachment) throws(BPFError) -> String? {
        guard let direction = attachment.point.direction else { return nil }
        var names: [String] = []
        for id in try TCX.programs(attachment.ifindex, direction) where try ProgramName.find(id) == nil {
            names.append("tcx program \(try ProgramInfo.find(id)?.name ?? "") (id \(id))")
        }
        let filters = try NetlinkSocket().filters(attachment.ifindex, direction)
        let ours = try Self.ours(filters)
        for filter in filters where filter.program != 0 && !ours.contains(where: { $0.filter == filter }) {
            names.append("filter \(try ProgramInfo.find(filter.program)?.name ?? "") (id \(filter.program))")
        }
        return names.isEmpty ? nil : names.joined(separator: ", ")
    }
}
