import Glibc
import Planner

extension KernelStore {
    /// Writes or removes rows of one table by one action.
    func write(_ steps: ArraySlice<Step>) throws(BPFError) {
        guard let key = steps.first?.batchKey else { return }
        if key.table == .direct {
            try writeDirect(steps)
        } else {
            try writeRows(steps, key)
        }
        if key.table.isReadByPrograms, key.table != .config { try countGeneration() }
    }

    /// Tells the programs that what they remember of the tables may be so no longer.
    private func countGeneration() throws(BPFError) {
        let key = withUnsafeBytes(of: UInt32(0)) { Array($0) }
        guard let map = try open(.config), !map.isRelaid, let live = try map.value(of: key) else { return }
        let next = RowBytes(key: key, value: live).nextGeneration(after: live)
        if next.value != live { try map.put(next.key, next.value) }
    }

    private func writeRows(_ steps: ArraySlice<Step>, _ key: BatchKey) throws(BPFError) {
        let map = try need(key.table)
        // Of another layout: nobody writes to it any more.
        let isLeft = grown[key.table] != nil && map.isRelaid
        if steps.count == 1 || key.table.hasOneRow { for step in steps { try verify(step, in: map) } }
        switch key.action {
        case .create, .update:
            var rows: [RowBytes] = []
            for step in steps { rows.append(try after(step)) }
            if key.table == .config {
                for (index, row) in rows.enumerated() {
                    if let live = try map.value(of: row.key) { rows[index] = row.nextGeneration(after: live) }
                }
            }
            if key.table == .ports { rows = try placeInTraffic(rows, map) }
            if !isLeft { try map.put(rows) }
            // Until the programs step both maps get every row.
            if let copy = grown[key.table] { try copy.map.put(rows) }
            if key.table == .ports { try keepDevices(of: rows) }
        case .delete:
            var keys: [[UInt8]] = []
            for step in steps {
                let row = try before(step)
                // A row that means nothing may have been replaced by one that does, in a step before.
                if case .row(.foreign?, nil) = step.change, try map.value(of: row.key) != row.value { continue }
                keys.append(row.key)
                if key.table == .ports, let value = try map.value(of: row.key) {
                    try forgetDevice(of: RowBytes(key: row.key, value: value))
                }
            }
            if !isLeft { try map.remove(keys) }
            if key.table == .ports { slots = nil }
            if let copy = grown[key.table] { try copy.map.remove(keys) }
        }
    }

    /// The rows with each port's slot in `traffic`: the one that it has, or a free one.
    private func placeInTraffic(_ rows: [RowBytes], _ ports: borrowing PinnedMap) throws(BPFError) -> [RowBytes] {
        var slots: TrafficSlots
        if let known = self.slots { slots = known } else { slots = try TrafficSlots(reading: ports) }
        // Read anew unless all goes well.
        self.slots = nil
        let placed = try slots.place(rows) { slot throws(BPFError) in
            try clearTraffic(slot)
        }
        self.slots = slots
        return placed
    }

    /// Refuses a step whose row is neither as the plan found it nor as it wants it.
    private func verify(_ step: Step, in map: borrowing PinnedMap) throws(BPFError) {
        guard case .row(let before, let after) = step.change, let record = after ?? before else { return }
        let table = record.table
        // What the programs write may change at any time.
        if table == .portMACs { return }
        if case .foreign = record { return }
        let key = try bytes(of: record, step).key
        let found = try map.value(of: key).flatMap { value in
            key.withUnsafeBytes { key in value.withUnsafeBytes { Record(table, key: key, value: $0) } }
        }
        guard found != before?.asWritten, found != after?.asWritten else { return }
        // Nobody plans with bytes that mean nothing; they are overwritten.
        if case .foreign? = found, before == nil { return }
        throw BPFError("change", step.subject, .changed(found: found.map { "\($0)" } ?? "there is none"))
    }

    private func before(_ step: Step) throws(BPFError) -> RowBytes {
        guard case .row(let record?, _) = step.change else { throw Self.misplaced(step) }
        return try bytes(of: record, step)
    }

    private func after(_ step: Step) throws(BPFError) -> RowBytes {
        guard case .row(_, let record?) = step.change else { throw Self.misplaced(step) }
        return try bytes(of: record, step)
    }

    private func bytes(of record: Record, _ step: Step) throws(BPFError) -> RowBytes {
        guard let bytes = record.bytes else {
            throw BPFError("write", step.subject, .unavailable("no map can hold such a row: \(record)"))
        }
        return bytes
    }

    private static func misplaced(_ step: Step) -> BPFError { BPFError("do", step.subject, .errno(EINVAL)) }
}

extension Record {
    /// Without what is known of its interface, which no row says.
    fileprivate var asWritten: Record {
        guard case .port(let ifindex, var row) = self else { return self }
        row.hasDevice = true
        return .port(ifindex, row)
    }
}
