/// What bytes are that are not the YAML of a topology, told before they are parsed: a parser would only say that it stumbled.
enum YAMLNature {
    typealias Refusal = (code: DiagnosticCode, mark: Mark, message: String, hint: String)

    /// Why nothing of a file is read; nil if it may be YAML.
    static func refusal(of bytes: UnsafeRawBufferPointer) -> Refusal? {
        let start = Mark(line: 1, column: 1)
        if bytes.count > YAMLLimits.bytes {
            return (.fileTooLarge, start, "this is larger than 16 MiB", "split it: any document may move to a file of its own")
        }
        if bytes.starts(with: Array("version https://git-lfs.github.com/spec/".utf8)) {
            return (
                .lfsPointer, start, "this is a Git LFS pointer: the file itself is not in the commit",
                "keep topology files out of Git LFS: see .gitattributes, `git lfs untrack`"
            )
        }
        if let name = wideEncoding(bytes) {
            return (.notUTF8, start, "the file is not UTF-8 but \(name)", "save it as UTF-8: iconv -f \(name) -t utf-8")
        }
        // libyaml compares each with all others, so that a file of them takes hours.
        if let offset = bytes.firstLine(beginningWith: "%TAG") {
            return (.tag, mark(of: offset, in: bytes), "tags (%TAG) are not taken", "leave the line out")
        }
        return nil
    }

    /// By its byte order mark, or by the zeros between its ASCII characters.
    private static func wideEncoding(_ bytes: UnsafeRawBufferPointer) -> String? {
        let first = Array(bytes.prefix(4))
        if first == [0xff, 0xfe, 0, 0] || first == [0, 0, 0xfe, 0xff] { return "UTF-32" }
        if first.starts(with: [0xff, 0xfe]) || first.starts(with: [0xfe, 0xff]) { return "UTF-16" }
        guard first.count == 4 else { return nil }
        if first[0] == 0, first[1] != 0, first[2] == 0, first[3] != 0 { return "UTF-16BE" }
        if first[0] != 0, first[1] == 0, first[2] != 0, first[3] == 0 { return "UTF-16LE" }
        return nil
    }

    static let innerMark = "there is a byte order mark within the file: one file was put behind another"
    static let innerMarkHint = "take it out; it has no width, so search for U+FEFF"

    /// Calls `body` with the bytes without byte order marks at the beginning of lines, and where those were.
    ///
    /// Two editors' files put behind each other have one, which would become a part of a key that looks right.
    static func withoutInnerMarks(_ bytes: UnsafeRawBufferPointer, _ body: (UnsafeBufferPointer<UInt8>, [Mark]) -> Void) {
        guard var next = bytes.firstLine(beginningWith: "\u{feff}") else {
            return bytes.withMemoryRebound(to: UInt8.self) { body($0, []) }
        }
        var kept: [UInt8] = []
        kept.reserveCapacity(bytes.count)
        var marks: [Mark] = []
        var (start, line) = (0, 1)
        while true {
            kept += bytes[start..<next]
            line += bytes[start..<next].count { $0 == UInt8(ascii: "\n") }
            if marks.count <= ReadLimits.listed { marks.append(Mark(line: line, column: 1)) }
            start = next + 3
            guard let found = bytes.firstLine(beginningWith: "\u{feff}", from: start) else { break }
            next = found
        }
        kept += bytes[start...]
        kept.withUnsafeBufferPointer { body($0, marks) }
    }

    /// The place of the byte at `offset`.
    static func mark(of offset: Int, in bytes: UnsafeRawBufferPointer) -> Mark {
        var (line, column) = (1, 1)
        for byte in bytes.prefix(offset) {
            if byte == UInt8(ascii: "\n") {
                (line, column) = (line + 1, 1)
            } else if byte & 0xc0 != 0x80 {
                column += 1
            }
        }
        return Mark(line: line, column: column)
    }
}
