import Topology

/// Reads the documents of one file into drafts: reports what is wrong, recovers, and goes on.
struct ResourceReader {
    let yaml: YAMLFile
    var file: ParsedFile

    /// The fields that a mapping has, each with the node of its value.
    struct Fields {
        var mapping: Int
        var values: [(field: Field, node: Int)] = []

        subscript(field: Field) -> Int? { values.first { $0.field == field }?.node }
    }

    mutating func readDocument(_ root: Int) {
        guard yaml.nodes[root].kind == .mapping else {
            file.obscured = Set(ResourceKind.allCases)
            guard yaml.nodes[root].kind != .refused else { return }
            return report(
                .notAMapping, root, "a document must be a mapping, not \(described(root))",
                hint: "begin with apiVersion: mizar/v1")
        }
        guard let kind = kind(of: root) else {
            file.obscured = Set(ResourceKind.allCases)
            return
        }
        let fields = fields(of: root, kind.shape)
        guard checkVersion(fields) else {
            file.obscured = Set(ResourceKind.allCases)
            return
        }
        switch kind {
        case .cluster: readCluster(fields)
        case .host: readHost(fields)
        case .tenant: readTenant(fields)
        case .vpc: readVPC(fields)
        case .network: readNetwork(fields)
        case .endpoints: readEndpoints(fields)
        }
    }

    private mutating func kind(of root: Int) -> ResourceKind? {
        guard let node = value(of: .kind, in: root) else {
            let names = ResourceKind.allCases.map(\.rawValue)
            // A misspelt key is what is wrong then, not a missing one.
            if let key = firstKey(of: root, where: { Suggestion.closest(to: $0, among: ["kind"]) != nil }) {
                report(.unknownField, key, "unknown field “\(yaml.string(key))”", hint: "did you mean “kind”?")
            } else {
                report(
                    .missingField, root, "the document has no `kind`",
                    hint: "add kind: and one of \(names.joined(separator: ", "))")
            }
            return nil
        }
        guard let text = string(node, .kind) else { return nil }
        if let kind = ResourceKind(rawValue: text.value) { return kind }
        let names = ResourceKind.allCases.map(\.rawValue)
        let meant = Suggestion.closest(to: text.value, among: names)
        report(
            .unknownKind, node, "unknown kind “\(text.value)”",
            hint: meant.map { "did you mean “\($0)”?" } ?? "kinds are \(names.joined(separator: ", "))")
        return nil
    }

    /// False if the document is of a version that this reader does not know.
    private mutating func checkVersion(_ fields: Fields) -> Bool {
        guard let node = fields[.apiVersion] else { return true }
        guard let text = string(node, .apiVersion) else { return true }
        guard text.value != "mizar/v1" else { return true }
        report(
            .unknownVersion, node, "unknown apiVersion “\(text.value)”", hint: "this release reads mizar/v1")
        return false
    }

    /// The fields of `mapping` that `shape` knows; reports the unknown and the missing.
    mutating func fields(of mapping: Int, _ shape: Shape) -> Fields {
        var fields = Fields(mapping: mapping)
        var unknown: [Int] = []
        var child = mapping + 1
        while child < yaml.nodes[mapping].next {
            let (key, value) = (child, yaml.nodes[child].next)
            child = yaml.nodes[value].next
            guard yaml.nodes[key].kind == .plain || yaml.nodes[key].kind == .text else { continue }
            if let known = shape.fields.first(where: { yaml.equals(key, $0.bytes) }) {
                fields.values.append((known.field, value))
            } else {
                unknown.append(key)
            }
        }
        var misspelt: [String] = []
        for key in unknown where !file.isClosed {
            let text = yaml.string(key)
            let free = shape.fields.map(\.field).filter { fields[$0] == nil }.map(\.rawValue)
            let meant = Suggestion.closest(to: text, among: free)
            if let meant { misspelt.append(meant) }
            let names = shape.fields.map(\.field.rawValue).joined(separator: ", ")
            report(
                .unknownField, key, "\(shape.what) has no field “\(text)”",
                hint: meant.map { "did you mean “\($0)”?" } ?? "its fields are \(names)")
        }
        for field in shape.required where fields[field] == nil && !misspelt.contains(field.rawValue) {
            missing(field, in: fields, shape)
        }
        return fields
    }

    mutating func missing(_ field: Field, in fields: Fields, _ shape: Shape, hint: String? = nil) {
        report(
            .missingField, fields.mapping, "\(shape.what) needs `\(field.rawValue)`",
            hint: hint ?? Self.hints[field] ?? "add \(field.rawValue):")
    }

    private static let hints: [Field: String] = [
        .apiVersion: "add apiVersion: mizar/v1",
        .vni: "add vni: and a number of 1 to 16777215 that no other VPC has",
        .cidrs: "add cidrs: and a list such as [10.0.0.0/16]",
        .address: "add address: and the host's IPv4 address on the underlay",
        .host: "add host: and the name of the host that it is on",
        .endpoints: "add endpoints:, which may be {}",
    ]

    // MARK: Nodes

    func value(of field: Field, in mapping: Int) -> Int? {
        let bytes = Array(field.rawValue.utf8)
        var child = mapping + 1
        while child < yaml.nodes[mapping].next {
            let value = yaml.nodes[child].next
            if yaml.nodes[child].kind != .refused, yaml.equals(child, bytes) { return value }
            child = yaml.nodes[value].next
        }
        return nil
    }

    private func firstKey(of mapping: Int, where isMeant: (String) -> Bool) -> Int? {
        var child = mapping + 1
        while child < yaml.nodes[mapping].next {
            if yaml.nodes[child].kind != .refused, isMeant(yaml.string(child)) { return child }
            child = yaml.nodes[yaml.nodes[child].next].next
        }
        return nil
    }

    func type(of node: Int) -> ScalarType {
        guard yaml.nodes[node].kind == .plain else { return .text }
        return ScalarType(yaml.text[Int(yaml.nodes[node].start)..<Int(yaml.nodes[node].end)])
    }

    /// What a node is, for a message.
    func described(_ node: Int) -> String {
        switch yaml.nodes[node].kind {
        case .mapping: return "a mapping"
        case .sequence: return "a list"
        case .refused: return "this"
        case .text: return "text"
        case .plain:
            let type = type(of: node)
            return type == .null || type == .text ? type.description : "\(type.description) (\(yaml.string(node)))"
        }
    }

    mutating func report(_ code: DiagnosticCode, _ node: Int, _ message: String, hint: String? = nil) {
        report(code, yaml.nodes[node].mark, message, hint: hint)
    }

    mutating func report(_ code: DiagnosticCode, _ mark: Mark, _ message: String, hint: String? = nil) {
        file.report(code, mark, message, hint: hint)
    }
}
