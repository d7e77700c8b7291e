import CYAML

/// libyaml's events as flat nodes: the only file that calls libyaml.
///
/// Refuses what has no place in a topology: other encodings than UTF-8, whatever is beyond `YAMLLimits`, anchors, aliases,
/// tags, duplicate keys, and keys that are no text. A pure function of the bytes.
struct YAMLParser: ~Copyable {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private var file = YAMLFile()
    /// The collections that have begun and not ended.
    private var open: [Int] = []
    private var root: Int?

    static func parse(_ bytes: UnsafeRawBufferPointer) -> YAMLFile {
        var rest = bytes
        // A byte order mark is no column in an editor.
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { rest = UnsafeRawBufferPointer(rebasing: bytes.dropFirst(3)) }
        guard !rest.isEmpty else { return YAMLFile() }
        var parser = YAMLParser()
        if let (code, mark, message, hint) = YAMLNature.refusal(of: rest) {
            parser.stop(code, mark, message, hint: hint)
        } else {
            YAMLNature.withoutInnerMarks(rest) { text, marks in
                for mark in marks { parser.report(.innerByteOrderMark, mark, YAMLNature.innerMark, hint: YAMLNature.innerMarkHint) }
                parser.run(text)
            }
        }
        return parser.file
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
        // Of a large file as many as there can be: growing would hold them twice, and what is not touched costs nothing.
        file.nodes.reserveCapacity(bytes.count < 1 << 20 ? bytes.count / 8 : min(bytes.count + 2, YAMLLimits.nodes))
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
            let isPlain = scalar.style == YAML_PLAIN_SCALAR_STYLE
            let isTagged = refuseTag(scalar.tag, at: mark)
            let isRefused = refuseLength(scalar.length, at: mark) || isTagged
            if isPlain, scalar.length == 0, open.isEmpty, !isRefused { return }
            let start = UInt32(file.text.count)
            if !isRefused { file.text.append(contentsOf: UnsafeBufferPointer(start: scalar.value, count: scalar.length)) }
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
        guard file.nodes.count < YAMLLimits.nodes else {
            return stop(
                .fileTooLarge, node.mark, "the file has more than \(YAMLLimits.nodes) keys and values",
                hint: "split it: any document may move to a file of its own")
        }
        if open.isEmpty || (open.count == 1 && open[0] == file.nodes.count) { root = file.nodes.count }
        file.nodes.append(node)
    }

    private mutating func refuseAnchor(_ anchor: UnsafePointer<UInt8>?, at mark: Mark) {
        guard anchor != nil else { return }
        report(.anchorOrAlias, mark, "anchors (&name) are not taken", hint: "write the value out where it is used")
    }

    private mutating func refuseLength(_ length: Int, at mark: Mark) -> Bool {
        guard length > YAMLLimits.scalarBytes else { return false }
        report(
            .valueTooLong, mark, "this has \(length) bytes; a key or value has at most \(YAMLLimits.scalarBytes)",
            hint: "look for a quote that is not closed, or take it out")
        return true
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
            checkMany(keys)
        }
    }

    /// By a table of keys: a string for each would take many times the file.
    private mutating func checkMany(_ keys: [Int]) {
        var size = 16
        while size < keys.count * 2 { size *= 2 }
        var table = [UInt32](repeating: .max, count: size)
        for key in keys {
            let node = file.nodes[key]
            // Seeded anew in each process: nobody can choose keys that meet.
            var hasher = Hasher()
            file.text.withUnsafeBytes { hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: $0[Int(node.start)..<Int(node.end)])) }
            var slot = hasher.finalize() & (size - 1)
            while table[slot] != .max, !hasSameText(Int(table[slot]), key) { slot = (slot + 1) & (size - 1) }
            if table[slot] == .max { table[slot] = UInt32(key) } else { refuse(key, like: Int(table[slot])) }
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
        report(
            .duplicateKey, here,
            "“\(file.string(key))” is given twice, first at line \(there.line), column \(there.column)",
            hint: "keep one of them", other: there)
        file.nodes[key].kind = .refused
    }

    private mutating func report(
        _ code: DiagnosticCode, _ mark: Mark, _ message: String, hint: String? = nil, other: Mark? = nil
    ) {
        // Whoever lists them says then that there may be more.
        guard file.problems.count < ReadLimits.listed else {
            file.isWhole = false
            return
        }
        file.problems.append(YAMLProblem(code: code, mark: mark, message: message, hint: hint, other: other))
    }

    /// Reports what makes the rest of the file unreadable.
    private mutating func stop(_ code: DiagnosticCode, _ mark: Mark, _ message: String, hint: String? = nil) {
        report(code, mark, message, hint: hint)
        file.isWhole = false
    }

    private mutating func stopForError(_ bytes: UnsafeBufferPointer<UInt8>) {
        let problem = parser.pointee.problem.map { String(cString: $0) } ?? "unreadable"
        if parser.pointee.error == YAML_READER_ERROR {
            let mark = YAMLNature.mark(of: Int(parser.pointee.problem_offset), in: UnsafeRawBufferPointer(bytes))
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
}
