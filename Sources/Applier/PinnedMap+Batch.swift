import CBPF
import Glibc

extension PinnedMap {
    /// Beyond this a bigger batch gains nothing.
    static let batchSize = 256

    /// Lends every row of a hash map in turn, in the kernel's order. Rows that come or go meanwhile may be missed, the others
    /// are not.
    ///
    /// - Returns: how many rows say more than this version knows; they are left out.
    @discardableResult
    func forEach(_ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void) throws(BPFError) -> Int {
        guard isRelaid else {
            try forEachAsItIs(body)
            return 0
        }
        guard isOfKind else { return capacity }
        var unreadable = 0
        try forEachAsItIs { key, value in
            guard let row = translate(key: key, value: value) else {
                unreadable += 1
                return
            }
            row.key.withUnsafeBytes { key in row.value.withUnsafeBytes { body(key, $0) } }
        }
        return unreadable
    }

    /// bpf_map_lookup_batch, of rows in the map's own layout.
    private func forEachAsItIs(
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void
    ) throws(BPFError) {
        let (keySize, valueSize) = (shape.keySize, shape.allValues)
        var size = Self.batchSize
        var keys = UnsafeMutableRawBufferPointer.allocate(byteCount: size * keySize, alignment: 8)
        var values = UnsafeMutableRawBufferPointer.allocate(byteCount: size * valueSize, alignment: 8)
        defer {
            keys.deallocate()
            values.deallocate()
        }
        // Where the next batch begins: a bucket's number in 4 bytes, or a key in kernels' generic way.
        var position = [UInt8](repeating: 0, count: max(keySize, 8))
        var next = position
        var isFirst = true
        var retries = 0
        while true {
            var count = UInt32(size)
            let result = position.withUnsafeMutableBytes { position in
                next.withUnsafeMutableBytes { next in
                    bpf_map_lookup_batch(
                        descriptor, isFirst ? nil : position.baseAddress, next.baseAddress, keys.baseAddress,
                        values.baseAddress, &count, nil)
                }
            }
            let error = result < 0 ? failure(result) : 0
            switch error {
            case 0, ENOENT:
                for index in 0..<Int(count) {
                    body(
                        UnsafeRawBufferPointer(rebasing: keys[index * keySize..<(index + 1) * keySize]),
                        UnsafeRawBufferPointer(rebasing: values[index * valueSize..<(index + 1) * valueSize]))
                }
                if error == ENOENT { return }
                swap(&position, &next)
                isFirst = false
            case ENOSPC:
                // A bucket holds more rows than the batch has room for.
                size *= 2
                keys.deallocate()
                values.deallocate()
                keys = .allocate(byteCount: size * keySize, alignment: 8)
                values = .allocate(byteCount: size * valueSize, alignment: 8)
            case EAGAIN, EINTR:
                retries += 1
                guard retries < 1000 else { throw BPFError("read", subject, .errno(error)) }
            default:
                throw BPFError("read", subject, .errno(error))
            }
        }
    }

    /// Writes rows in one call of bpf_map_update_batch, or one by one where the kernel does not batch.
    ///
    /// The error's `completed` says how many rows at the front were written.
    func put(_ rows: [RowBytes]) throws(BPFError) {
        guard rows.count > 1 else { return try one(rows) { row throws(BPFError) in try put(row.key, row.value) } }
        try mayBeWritten()
        let keys = rows.flatMap { padded($0.key, spec.keySize) }
        let values = rows.flatMap { padded($0.value, valueSize) }
        var count = UInt32(rows.count)
        let result = bpf_map_update_batch(descriptor, keys, values, &count, nil)
        guard result < 0 else { return }
        let number = failure(result)
        if Self.isUnsupported(number) {
            return try one(rows) { row throws(BPFError) in try put(row.key, row.value) }
        }
        var error = writeError(number)
        error.completed = Int(min(count, UInt32(rows.count)))
        throw error
    }

    /// Removes rows, as `put` writes them; rows that are not there are removed already.
    func remove(_ keys: [[UInt8]]) throws(BPFError) {
        try mayBeWritten()
        let keys = keys.map { padded($0, spec.keySize) }
        var done = 0
        while done < keys.count {
            let rest = keys[done...]
            var count = UInt32(rest.count)
            let result = rest.count == 1 ? -EINVAL : bpf_map_delete_batch(descriptor, rest.flatMap { $0 }, &count, nil)
            guard result < 0 else { return }
            let number = failure(result)
            if Self.isUnsupported(number) {
                do throws(BPFError) {
                    return try one(Array(rest)) { key throws(BPFError) in try remove(key) }
                } catch {
                    var error = error
                    error.completed += done
                    throw error
                }
            }
            // The kernel stops at a key that is missing, `count` keys after the first.
            done += Int(min(count, UInt32(rest.count)))
            guard number == ENOENT else {
                var error = BPFError("remove a row from", subject, .errno(number))
                error.completed = done
                throw error
            }
            done += 1
        }
    }

    private func one<Row>(_ rows: [Row], _ body: (Row) throws(BPFError) -> Void) throws(BPFError) {
        for (index, row) in rows.enumerated() {
            do throws(BPFError) {
                try body(row)
            } catch {
                var error = error
                error.completed = index
                throw error
            }
        }
    }

    /// EINVAL is also what a kernel says that does not know the command; what it really objects to, it objects to
    /// again in a single call. ENOTSUPP (524) is the kernel's own number.
    private static func isUnsupported(_ number: Int32) -> Bool {
        number == EINVAL || number == EOPNOTSUPP || number == 524
    }
}
