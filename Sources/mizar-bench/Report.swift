/// What a run has found: tables of figures and the goals beside them.
struct Report: Encodable {
    /// A cell of a section's table.
    struct Measurement: Encodable {
        let row: String
        let column: String
        let unit: String
        let samples: Samples

        private enum Key: CodingKey { case row, column, unit, median, minimum, maximum, values }

        func encode(to encoder: any Encoder) throws {
            var object = encoder.container(keyedBy: Key.self)
            try object.encode(row, forKey: .row)
            try object.encode(column, forKey: .column)
            try object.encode(unit, forKey: .unit)
            try object.encode(samples.median, forKey: .median)
            try object.encode(samples.minimum, forKey: .minimum)
            try object.encode(samples.maximum, forKey: .maximum)
            try object.encode(samples.values, forKey: .values)
        }
    }

    /// A bound that the median of `samples` is to keep.
    struct Goal: Encodable {
        enum Bound: String, Encodable { case atLeast = "≥", atMost = "≤", below = "<" }

        let name: String
        let bound: Bound
        let limit: Double
        let unit: String
        let samples: Samples

        var isMet: Bool {
            switch bound {
            case .atLeast: samples.median >= limit
            case .atMost: samples.median <= limit
            case .below: samples.median < limit
            }
        }

        private enum Key: CodingKey { case name, bound, limit, unit, median, minimum, maximum, met }

        func encode(to encoder: any Encoder) throws {
            var object = encoder.container(keyedBy: Key.self)
            try object.encode(name, forKey: .name)
            try object.encode(bound, forKey: .bound)
            try object.encode(limit, forKey: .limit)
            try object.encode(unit, forKey: .unit)
            try object.encode(samples.median, forKey: .median)
            try object.encode(samples.minimum, forKey: .minimum)
            try object.encode(samples.maximum, forKey: .maximum)
            try object.encode(isMet, forKey: .met)
        }
    }

    struct Section: Encodable {
        let name: String
        let title: String
        /// One sentence on how to read it.
        let note: String
        var measurements: [Measurement] = []
        var goals: [Goal] = []
        /// Why the section came to no end.
        var failure: String?

        init(_ name: String, _ title: String, note: String) { (self.name, self.title, self.note) = (name, title, note) }

        mutating func add(_ row: String, _ column: String = "", unit: String, _ samples: Samples) {
            measurements.append(Measurement(row: row, column: column, unit: unit, samples: samples))
        }

        mutating func goal(_ name: String, _ bound: Goal.Bound, _ limit: Double, unit: String, _ samples: Samples) {
            goals.append(Goal(name: name, bound: bound, limit: limit, unit: unit, samples: samples))
        }

        /// The figure of a cell; empty, and so no number, if it was not measured.
        subscript(row: String, column: String) -> Samples {
            measurements.first { $0.row == row && $0.column == column }?.samples ?? Samples(values: [])
        }
    }

    /// Names and versions of all that has a part in the figures.
    var versions: [String: String]
    var rounds: Int
    var sections: [Section] = []
}
