import ArgumentParser

/// A time between two runs: `30s`, `500ms`, `5m`.
struct Interval: CustomStringConvertible {
    let milliseconds: Int

    init(milliseconds: Int) { self.milliseconds = milliseconds }

    init(parsing argument: String) throws(ValidationError) {
        for (unit, factor) in [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)] where argument.hasSuffix(unit) {
            guard let number = Int(argument.dropLast(unit.count)), number > 0, number <= 86_400_000 / factor else { continue }
            self.init(milliseconds: number * factor)
            return
        }
        throw ValidationError("1ms to 24h, such as 500ms, 30s or 5m")
    }

    var description: String { milliseconds % 1000 == 0 ? "\(milliseconds / 1000)s" : "\(milliseconds)ms" }
}
