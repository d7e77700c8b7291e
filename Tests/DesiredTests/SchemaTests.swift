import Desired
import Foundation
import Testing

/// docs/schema/mizar-v1.schema.json against every tree: a second opinion, by Debian's python3-jsonschema.
@Suite struct SchemaTests {
    /// What a schema of one document can see.
    static let visible: Set<String> = [
        "MZ101", "MZ102", "MZ103", "MZ104", "MZ105", "MZ106", "MZ107", "MZ108", "MZ201", "MZ202", "MZ203", "MZ204", "MZ205",
        "MZ207", "MZ210", "MZ211", "MZ212", "MZ213", "MZ214", "MZ215", "MZ217",
        "MZ414",
    ]

    /// Trees whose fault is of a visible code but in a number inside of text, or in a line break that Python’s `$` lets pass.
    static let exceptions: Set<String> = ["settle-too-long", "block-scalar-name"]

    /// Reads files with YAML 1.2's core schema, prints `path: number of documents that the schema refuses`.
    static let program = #"""
        import json, re, sys, yaml
        from jsonschema import Draft202012Validator as Validator

        class Core(yaml.SafeLoader):
            yaml_implicit_resolvers = {}

        def resolve(tag, pattern):
            Core.add_implicit_resolver(tag, re.compile("^(?:" + pattern + ")$"), None)

        resolve("tag:yaml.org,2002:null", "~|null|Null|NULL|")
        resolve("tag:yaml.org,2002:bool", "true|True|TRUE|false|False|FALSE")
        resolve("tag:yaml.org,2002:int", "[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
        resolve("tag:yaml.org,2002:float", "[-+]?(?:[.][0-9]+|[0-9]+(?:[.][0-9]*)?)(?:[eE][-+]?[0-9]+)?")
        Core.add_constructor("tag:yaml.org,2002:float", lambda loader, node: float(node.value))
        Core.add_constructor("tag:yaml.org,2002:int", lambda loader, node:
            int(node.value, 0) if node.value[:2] in ("0x", "0o") else int(node.value))

        schema = json.load(open(sys.argv[1]))
        Validator.check_schema(schema)
        validator = Validator(schema)
        for path in sys.stdin.read().splitlines():
            # An empty document is none; null in so many words is one.
            events = yaml.compose_all(open(path, "rb").read(), Core)
            refused = 0
            for node in events:
                if node is None or node.value == "":
                    continue
                loader = Core("")
                document = loader.construct_document(node)
                refused += not validator.is_valid(document)
            print(f"{path}: {refused}")
        """#

    /// Path to the number of refused documents.
    static func refusals(of files: [String]) throws -> [String: Int] {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/python3")
        process.arguments = ["-c", program, Corpus.repository.appending(path: "docs/schema/mizar-v1.schema.json").path()]
        // A pipe's buffer could fill while nobody reads the answer.
        let list = FileManager.default.temporaryDirectory.appending(path: "mizar-schema-\(UUID().uuidString)")
        try files.joined(separator: "\n").write(to: list, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: list) }
        process.standardInput = try FileHandle(forReadingFrom: list)
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let answer = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "python3 with yaml and jsonschema is needed")
        var counts: [String: Int] = [:]
        for line in answer.split(separator: "\n") {
            guard let colon = line.lastIndex(of: ":"), let count = Int(line[colon...].dropFirst(2)) else { continue }
            counts[String(line[..<colon])] = count
        }
        return counts
    }

    static func files(below folder: URL) throws -> [String] {
        try SourceTree.folder(folder.path()).files.map { folder.appending(path: $0.path).path() }
    }

    @Test func acceptsWhatIsGoodOrWrongOnlyByRules() throws {
        var files: [String] = []
        for name in Corpus.names {
            let codes = Set(try Corpus.expected(name).map(Corpus.code))
            // Files that are no YAML at all are no schema's matter.
            if codes.allSatisfy({ $0 >= "MZ300" && !Self.visible.contains($0) }) {
                files += try Self.files(below: Corpus.folder.appending(path: name))
            }
        }
        files += try Self.files(below: Corpus.repository.appending(path: "examples"))
        for (path, count) in try Self.refusals(of: files) { #expect(count == 0, "\(path)") }
    }

    @Test func refusesWhatIsWrongInShape() throws {
        var trees: [String: [String]] = [:]
        for name in Corpus.names where !Self.exceptions.contains(name) {
            let codes = Set(try Corpus.expected(name).map(Corpus.code))
            guard !codes.isEmpty, codes.isSubset(of: Self.visible) else { continue }
            trees[name] = try Self.files(below: Corpus.folder.appending(path: name))
        }
        #expect(trees.count >= 60)
        let counts = try Self.refusals(of: trees.values.flatMap(\.self))
        for (name, files) in trees {
            let refused = files.reduce(0) { $0 + (counts[$1] ?? 0) }
            #expect(refused == 1, "\(name): the schema refuses \(refused) documents")
        }
    }
}
