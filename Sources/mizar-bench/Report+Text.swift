import Glibc

extension Report {
    var heading: String {
        versions.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: "\n")
            + "\nmedians of \(rounds) interleaved rounds (min..max)\n"
    }
}

extension Report.Section {
    /// The table, a line a row, and below it the goals.
    var text: String {
        var lines = ["", "\(title)", note, ""]
        let columns = measurements.map(\.column).unique
        var table =
            [[""] + columns]
            + measurements.map(\.row).unique.map { row in
                let unit = measurements.first { $0.row == row }?.unit ?? ""
                return ["\(row), \(unit)"]
                    + columns.map { column in
                        let samples = self[row, column]
                        return samples.values.isEmpty ? "" : Self.show(samples)
                    }
            }
        if columns == [""] { table.removeFirst() }
        lines += Self.aligned(table)
        if !goals.isEmpty {
            lines += [""]
            lines += Self.aligned(
                goals.map { goal in
                    [
                        "goal: \(goal.name)", "\(goal.bound.rawValue) \(Self.show(goal.limit)) \(goal.unit)", Self.show(goal.samples),
                        goal.isMet ? "met" : "MISSED",
                    ]
                })
        }
        if let failure { lines += ["", "this section failed: \(failure)"] }
        return lines.joined(separator: "\n")
    }

    private static func aligned(_ table: [[String]]) -> [String] {
        let count = table.map(\.count).max() ?? 0
        let widths = (0..<count).map { index in table.map { $0.indices.contains(index) ? $0[index].count : 0 }.max() ?? 0 }
        return table.map { row in
            let cells = row.enumerated().map { index, cell in
                let padding = String(repeating: " ", count: widths[index] - cell.count)
                return index == 0 ? cell + padding : padding + cell
            }
            return "  " + cells.joined(separator: "  ")
        }
    }

    static func show(_ samples: Samples) -> String {
        guard samples.values.count > 1 else { return show(samples.median) }
        return "\(show(samples.median)) (\(show(samples.minimum))..\(show(samples.maximum)))"
    }

    /// Three digits that mean something.
    static func show(_ value: Double) -> String {
        guard value.isFinite else { return "-" }
        let digits = abs(value) >= 99.95 ? 0 : abs(value) >= 9.995 ? 1 : 2
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let rounded = (value * scale).rounded() / scale
        if digits == 0 { return "\(Int(rounded))" }
        let text = "\(rounded)"
        let missing = digits - (text.split(separator: ".").last?.count ?? 0)
        return text + String(repeating: "0", count: max(0, missing))
    }
}

extension Array where Element: Hashable {
    /// Each element once, where it stands first.
    fileprivate var unique: [Element] {
        var seen: Set<Element> = []
        return filter { seen.insert($0).inserted }
    }
}
