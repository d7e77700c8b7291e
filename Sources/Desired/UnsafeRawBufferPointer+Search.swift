import Glibc

extension UnsafeRawBufferPointer {
    /// Where `text` first is, from `start` on. Swift does not see memmem(3).
    func firstIndex(of text: StaticString, from start: Int = 0) -> Int? {
        guard let base = baseAddress else { return nil }
        let length = text.utf8CodeUnitCount
        var next = start
        while next + length <= count {
            guard let found = memchr(base + next, Int32(text.utf8Start.pointee), count - length - next + 1) else { return nil }
            if memcmp(found, text.utf8Start, length) == 0 { return UnsafeRawPointer(found) - base }
            next = UnsafeRawPointer(found) - base + 1
        }
        return nil
    }

    /// Where `text` first begins a line, from `start` on.
    func firstLine(beginningWith text: StaticString, from start: Int = 0) -> Int? {
        var next = start
        while let found = firstIndex(of: text, from: next) {
            if found == 0 || self[found - 1] == UInt8(ascii: "\n") || self[found - 1] == UInt8(ascii: "\r") { return found }
            next = found + 1
        }
        return nil
    }
}
