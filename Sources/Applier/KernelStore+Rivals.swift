public import Planner

extension KernelStore {
    /// Whose programs are where a program of ours is to be: words for whoever looks for who took ours away.
    ///
    /// - Returns: nil: nobody's, or it is no place of tc's.
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
