/// “Did you mean …” for a word that is not among those known.
public enum Suggestion {
    /// The known word that is fewest typing errors away, if it is near enough to be meant; ties end on the word.
    public static func closest(to word: String, among known: some Sequence<String>) -> String? {
        near(word, among: known, most: 1).first
    }

    /// Up to `most` known words that are near enough to be meant, nearest first.
    public static func near(_ word: String, among known: some Sequence<String>, most: Int) -> [String] {
        let typed = Array(word.lowercased().utf8)
        guard typed.count <= 255 else { return [] }
        let limit = max(1, typed.count / 3)
        var found: [(distance: Int, word: String)] = []
        for candidate in known {
            let letters = Array(candidate.lowercased().utf8)
            guard abs(letters.count - typed.count) <= limit else { continue }
            let next = (distance: distance(typed, letters), word: candidate)
            guard next.distance <= limit, found.count < most || found.last.map({ next < $0 }) == true else { continue }
            found.insert(next, at: found.firstIndex { next < $0 } ?? found.count)
            if found.count > most { found.removeLast() }
        }
        return found.map(\.word)
    }

    /// Letters added, left out, replaced, and neighbours swapped (optimal string alignment).
    static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for i in left.indices {
            var row = [i + 1]
            row.reserveCapacity(right.count + 1)
            for j in right.indices {
                var cost = min(last[j + 1] + 1, row[j] + 1, last[j] + (left[i] == right[j] ? 0 : 1))
                if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
                    cost = min(cost, beforeLast[j - 1] + 1)
                }
                row.append(cost)
            }
            (beforeLast, last) = (last, row)
        }
        return last[right.count]
    }
}
