import SystemPackage

/// A page of docs/howto as a reader works through it: the blocks to run, each on its machine, and what they must print.
public struct HowToPage: Sendable {
    public struct Block: Sendable {
        /// The page's name and the line of the fence.
        public let place: String
        /// `h1` or `h2`.
        public let machine: String
        public let script: String
        /// Lines that it prints in this order, among others; `…` stands for anything, a space for any number of them.
        public internal(set) var expected: [String] = []

        /// The first expected line that `output` lacks.
        public func missing(in output: String) -> String? {
            var lines = output.split(separator: "\n", omittingEmptySubsequences: false).map(Self.words)[...]
            for line in expected {
                let pattern = Self.words(line)
                guard let found = lines.firstIndex(where: { Self.matches($0, pattern) }) else { return line }
                lines = lines[(found + 1)...]
            }
            return nil
        }

        /// A line with single spaces between its words.
        private static func words(_ line: some StringProtocol) -> String {
            line.split(separator: " ").joined(separator: " ")
        }

        private static func matches(_ line: String, _ pattern: String) -> Bool {
            let parts = pattern.split(separator: "…", omittingEmptySubsequences: false)
            guard let first = parts.first, line.hasPrefix(first) else { return false }
            guard parts.count > 1, let last = parts.last else { return line == pattern }
            var rest = line.dropFirst(first.count)
            for part in parts.dropFirst().dropLast() where !part.isEmpty {
                guard let range = rest.firstRange(of: part) else { return false }
                rest = rest[range.upperBound...]
            }
            return rest.hasSuffix(last)
        }
    }

    public let blocks: [Block]

    /// - Parameter end: the heading, by its first words, before which the reader stops; nil: works through to the end.
    public init(path: String, until end: String? = nil) throws {
        let file = try FileDescriptor.open(FilePath(path), .readOnly)
        let text = try file.closeAfter { () throws -> String in
            var bytes: [UInt8] = []
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 1)
            defer { buffer.deallocate() }
            while case let count = try file.read(into: buffer), count > 0 { bytes += buffer.prefix(count) }
            return String(decoding: bytes, as: UTF8.self)
        }
        let name = FilePath(path).lastComponent?.string ?? path
        blocks = try Self.parse(text, name: name, until: end)
    }

    private static func parse(_ text: String, name: String, until end: String?) throws -> [Block] {
        var blocks: [Block] = []
        var fence: (words: [Substring], line: Int, content: [Substring])?
        // A block of expected output belongs to the block right before it.
        var follows = false
        var isAtEnd = false
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if let open = fence {
                guard line == "```" else {
                    fence?.content.append(line)
                    continue
                }
                fence = nil
                if open.words.first == "sh", open.words.count == 2 {
                    guard open.content.first == "# \(open.words[1])" else {
                        throw FixtureError(text: "\(name):\(open.line): a block's first line says on which machine to run it")
                    }
                    let script = open.content.joined(separator: "\n") + "\n"
                    blocks.append(Block(place: "\(name):\(open.line)", machine: String(open.words[1]), script: script))
                    follows = true
                } else {
                    if open.words == ["text"], follows, let last = blocks.indices.last {
                        blocks[last].expected = open.content.map(String.init)
                    }
                    follows = false
                }
            } else if line.hasPrefix("```") {
                fence = (line.dropFirst(3).split(separator: " "), number + 1, [])
            } else if let end, line.hasPrefix("#"), line.drop(while: { $0 == "#" || $0 == " " }).hasPrefix(end) {
                isAtEnd = true
                break
            } else if !line.isEmpty {
                follows = false
            }
        }
        guard fence == nil, isAtEnd == (end != nil), !blocks.isEmpty else {
            throw FixtureError(text: "\(name) has no heading “\(end ?? "")”, no blocks, or one that does not end")
        }
        return blocks
    }
}
