/// One figure, measured once a round: the values stand in the order of the rounds, so that those of two figures pair up.
struct Samples: Sendable, Encodable {
    var values: [Double]

    var sorted: [Double] { values.sorted() }
    var median: Double { percentile(50) }
    var minimum: Double { values.min() ?? .nan }
    var maximum: Double { values.max() ?? .nan }

    /// The least value that `percent` of all are not above.
    func percentile(_ percent: Double) -> Double {
        guard !values.isEmpty else { return .nan }
        let rank = (percent / 100 * Double(values.count)).rounded(.up)
        return sorted[min(values.count, max(1, Int(rank))) - 1]
    }

    /// Round by round.
    static func / (left: Self, right: Self) -> Self { Self(values: zip(left.values, right.values).map { $0 / $1 }) }
    static func - (left: Self, right: Self) -> Self { Self(values: zip(left.values, right.values).map { $0 - $1 }) }
    static func + (left: Self, right: Self) -> Self { Self(values: zip(left.values, right.values).map { $0 + $1 }) }
    static func * (left: Self, right: Double) -> Self { Self(values: left.values.map { $0 * right }) }
}
