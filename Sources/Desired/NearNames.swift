/// Names that somebody may have meant by another.
enum NearNames {
    /// Up to three of `candidates` that differ from `name` in few letters, nearest first, ties in their order.
    static func find(_ name: String, in candidates: [String]) -> [String] {
        let limit = max(1, name.count / 3)
        var scored: [(distance: Int, index: Int)] = []
        for (index, candidate) in candidates.enumerated() {
            let distance = distance(Array(name.utf8), Array(candidate.utf8), limit: limit)
            if distance <= limit { scored.append((distance, index)) }
        }
        return scored.sorted { ($0.distance, $0.index) < ($1.distance, $1.index) }.prefix(3).map { candidates[$0.index] }
    }

    /// Letters to insert, delete or change (Levenshtein); anything above `limit` may be reported as `limit` + 1.
    static func distance(_ left: [UInt8], _ right: [UInt8], limit: Int) -> Int {
        guard abs(left.count - right.count) <= limit else { return limit + 1 }
        var row = Array(0...right.count)
        for (i, byte) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for j in right.indices {
                let change = diagonal + (byte == right[j] ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(change, row[j] + 1, diagonal + 1)
            }
        }
        return row[right.count]
    }
}
