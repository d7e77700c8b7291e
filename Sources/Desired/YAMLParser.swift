import CYAML

/// libyaml's events as flat nodes: the only file that calls libyaml.
///
/// Refuses what has no place in a topology: other encodings than UTF-8, files and nesting beyond `YAMLLimits`,
/// anchors, aliases, tags, duplicate keys, and keys that are no text. A pure function of the bytes.
struct YAMLParser: ~Copyable {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private var file = YAMLFile()
    /// The collections that have begun and not ended.
    private var open: [Int] = []
    private var root: Int?

    static func parse(_ bytes: [UInt8]) -> YAMLFile {
        guard bytes.count <= YAMLLimits.bytes else {
            var file = YAMLFile()
            file.isWhole = false
            file.problems.append(
                YAMLProblem(
                    code: .fileTooLarge, mark: Mark(line: 1, column: 1), message: "the file is larger than 16 MiB",
                    hint: "split it: any document may move to a file of its own"))
            return file
        }
        guard !bytes.isEmpty else { return YAMLFile() }
        let isMarked = bytes.starts(with: [0xef, 0xbb, 0xbf])
        return bytes.withUnsafeBufferPointer { buffer in
            var parser = YAMLParser()
            // A byte order mark is no column in an editor.
            parser.run(UnsafeBufferPointer(rebasing: buffer.dropFirst(isMarked ? 3 : 0)))
            return parser.file
        }
    }

    private init() {
        parser = .allocate(capacity: 1)
        parser.initialize(to: yaml_parser_t())
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
    }

    private mutating func run(_ bytes: UnsafeBufferPointer<UInt8>) {
        guard yaml_parser_initialize(parser) == 1 else {
            return stop(.yamlSyntax, Mark(line: 1, column: 1), "out of memory")
        }
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, bytes.baseAddress, bytes.count)
        file.nodes.reserveCapacity(bytes.count / 8)
        file.text.reserveCapacity(bytes.count)
        var event = yaml_event_t()
        while file.isWhole {
            guard yaml_parser_parse(parser, &event) == 1 else { return stopForError(bytes) }
            defer { yaml_event_delete(&event) }
            if event.type == YAML_STREAM_END_EVENT { return }
            take(event)
        }
    }

    private mutating func take(_ event: yaml_event_t) {
        let mark = Mark(line: Int(event.start_mark.line) + 1, column: Int(event.start_mark.column) + 1)
        switch event.type {
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            refuseAnchor(scalar.anchor, at: mark)
            let isRefused = refuseTag(scalar.tag, at: mark)
            let isPlain = scalar.style == YAML_PLAIN_SCALAR_STYLE
            if isPlain, scalar.length == 0, open.isEmpty, !isRefused { return }
            let start = UInt32(file.text.count)
            file.text.append(contentsOf: UnsafeBufferPointer(start: scalar.value, count: scalar.length))
            append(
                YAMLNode(
                    kind: isRefused ? .refused : isPlain ? .plain : .text, mark: mark, start: start,
                    end: UInt32(file.text.count), next: file.nodes.count + 1))
        case YAML_MAPPING_START_EVENT:
            refuseAnchor(event.data.mapping_start.anchor, at: mark)
            let isRefused = refuseTag(event.data.mapping_start.tag, at: mark)
            begin(isRefused ? .refused : .mapping, mark)
        case YAML_SEQUENCE_START_EVENT:
            refuseAnchor(event.data.sequence_start.anchor, at: mark)
            let isRefused = refuseTag(event.data.sequence_start.tag, at: mark)
            begin(isRefused ? .refused : .sequence, mark)
        case YAML_MAPPING_END_EVENT, YAML_SEQUENCE_END_EVENT:
            let node = open.removeLast()
            file.nodes[node].next = file.nodes.count
            if file.nodes[node].kind == .mapping { checkKeys(of: node) }
        case YAML_ALIAS_EVENT:
            report(.anchorOrAlias, mark, "aliases (*name) are not taken", hint: "write the value out where it is used")
            append(YAMLNode(kind: .refused, mark: mark, next: file.nodes.count + 1))
        case YAML_DOCUMENT_START_EVENT:
            root = nil
        case YAML_DOCUMENT_END_EVENT:
            // Only now: of a document that breaks off, nothing is read.
            if let root { file.roots.append(root) }
        default:
            break
        }
    }

    private mutating func begin(_ kind: YAMLNode.Kind, _ mark: Mark) {
        guard open.count < YAMLLimits.depth else {
            return stop(
                .nestingTooDeep, mark, "mappings and lists are nested more than \(YAMLLimits.depth) levels deep",
                hint: "no resource needs more than four levels")
        }
        open.append(file.nodes.count)
        append(YAMLNode(kind: kind, mark: mark, next: file.nodes.count + 1))
    }

    private mutating func append(_ node: YAMLNode) {
        if open.isEmpty || (open.count == 1 && open[0] == file.nodes.count) { root = file.nodes.count }
        file.nodes.append(node)
    }

    private mutating func refuseAnchor(_ anchor: UnsafePointer<UInt8>?, at mark: Mark) {
        guard anchor != nil else { return }
        report(.anchorOrAlias, mark, "anchors (&name) are not taken", hint: "write the value out where it is used")
    }

    private mutating func refuseTag(_ tag: UnsafePointer<UInt8>?, at mark: Mark) -> Bool {
        guard tag != nil else { return false }
        report(
            .tag, mark, "tags (!type) are not taken",
            hint: "leave the tag out; quote a value to make it text")
        return true
    }

    /// Reports keys that are no text or occur twice, and marks them as refused.
    private mutating func checkKeys(of mapping: Int) {
        var keys: [Int] = []
        var child = mapping + 1
        while child < file.nodes[mapping].next {
            switch file.nodes[child].kind {
            case .plain, .text: keys.append(child)
            case .refused: break
            case .mapping, .sequence:
                report(
                    .keyNotText, file.nodes[child].mark, "a key must be text, not a mapping or a list",
                    hint: "a value that begins with { or [ must be quoted to be text")
                file.nodes[child].kind = .refused
            }
            child = file.nodes[file.nodes[child].next].next
        }
        if keys.count <= 8 {
            for (index, key) in keys.enumerated() {
                if let first = keys[..<index].first(where: { hasSameText($0, key) }) { refuse(key, like: first) }
            }
        } else {
            var seen: [String: Int] = Dictionary(minimumCapacity: keys.count)
            for key in keys {
                let text = file.string(key)
                if let first = seen[text] { refuse(key, like: first) } else { seen[text] = key }
            }
        }
    }

    private func hasSameText(_ left: Int, _ right: Int) -> Bool {
        let (left, right) = (file.nodes[left], file.nodes[right])
        guard left.end - left.start == right.end - right.start else { return false }
        for offset in 0..<Int(left.end - left.start)
        where file.text[Int(left.start) + offset] != file.text[Int(right.start) + offset] { return false }
        return true
    }

    private mutating func refuse(_ key: Int, like first: Int) {
        let (here, there) = (file.nodes[key].mark, file.nodes[first].mark)
        file.problems.append(
            YAMLProblem(
                code: .duplicateKey, mark: here,
                message: "“\(file.string(key))” is given twice, first at line \(there.line), column \(there.column)",
                hint: "keep one of them", other: there))
        file.nodes[key].kind = .refused
    }

    private mutating func report(_ code: DiagnosticCode, _ mark: Mark, _ message: String, hint: String? = nil) {
        file.problems.append(YAMLProblem(code: code, mark: mark, message: message, hint: hint))
    }

    /// Reports what makes the rest of the file unreadable.
    private mutating func stop(_ code: DiagnosticCode, _ mark: Mark, _ message: String, hint: String? = nil) {
        report(code, mark, message, hint: hint)
        file.isWhole = false
    }

    private mutating func stopForError(_ bytes: UnsafeBufferPointer<UInt8>) {
        let problem = parser.pointee.problem.map { String(cString: $0) } ?? "unreadable"
        if parser.pointee.error == YAML_READER_ERROR {
            let mark = Self.mark(of: Int(parser.pointee.problem_offset), in: bytes)
            if problem.hasPrefix("control") {
                return stop(
                    .yamlSyntax, mark, "control characters are not allowed",
                    hint: "take it out, or write it as an escape such as \"\\x01\"")
            }
            return stop(.notUTF8, mark, "the file is not UTF-8: \(problem)", hint: "save it as UTF-8")
        }
        let place = parser.pointee.problem_mark
        let mark = Mark(line: Int(place.line) + 1, column: Int(place.column) + 1)
        let start = parser.pointee.context_mark
        let context =
            parser.pointee.context.map {
                " \(String(cString: $0)) that begins at line \(start.line + 1), column \(start.column + 1)"
            } ?? ""
        let isTab = problem.contains("cannot start any token") || problem.contains("tab character")
        stop(
            .yamlSyntax, mark, "this is not YAML: \(problem)\(context)",
            hint: isTab
                ? "indent with spaces, and quote text that begins with one of @ ` % or a tab"
                : "the rest of the file was not read")
    }

    /// The place of the byte at `offset`.
    private static func mark(of offset: Int, in bytes: UnsafeBufferPointer<UInt8>) -> Mark {
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
