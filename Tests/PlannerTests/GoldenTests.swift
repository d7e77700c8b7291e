import Foundation
import Planner
import TestSupport
import Testing
import Topology

/// Every form of a plan, compared with files. MIZAR_RECORD=1 writes them, and fails.
@Suite("the forms of a plan")
struct GoldenTests {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Golden")
    static let schema = folder.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    @Test("one host", arguments: Examples.hosts.keys.sorted())
    func host(name: String) throws {
        let plan = try #require(Examples.hosts[name])
        try Self.compare(plan.text, "\(name).txt")
        try Self.compare(plan.markdown, "\(name).md")
        try Self.compare(try Self.json(plan), "\(name).json")
        #expect(try Self.decode(Plan.self, Self.json(plan)) == plan)
        let closing = try #require(plan.text.split(separator: "\n").last)
        #expect(closing.hasPrefix("Plan: ") || closing.hasPrefix("No changes."))
    }

    @Test("the fleet", arguments: Examples.fleets.keys.sorted())
    func fleet(name: String) throws {
        let plan = try #require(Examples.fleets[name])
        try Self.compare(plan.text, "\(name).txt")
        try Self.compare(plan.markdown, "\(name).md")
        try Self.compare(try Self.json(plan), "\(name).json")
        #expect(try Self.decode(FleetPlan.self, Self.json(plan)) == plan)
    }

    @Test("every random plan survives its JSON", arguments: 0..<10)
    func roundTrip(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(90_000 + seed))
        var builder = TopologyBuilder.random(using: &random)
        let before = builder.build()
        var fleet = Fleet(before)
        _ = try fleet.converge(to: before, base: nil, seed: seed)
        _ = builder.mutate(3, using: &random)
        let after = builder.build()
        for host in after.hosts {
            fleet.join(host.name, after)
            fleet.hosts[host.name]?.image.foreign = [.foreign(.vpcs, key: [0, 255], value: [])]
            let plan = try fleet.plan(host.name, after, base: before, commit: 1)
            #expect(try Self.decode(Plan.self, Self.json(plan)) == plan)
        }
        let fleetPlan = FleetPlan(base: before, baseCommit: "", head: after, headCommit: "")
        #expect(try Self.decode(FleetPlan.self, Self.json(fleetPlan)) == fleetPlan)
    }

    @Test("the JSON is what docs/schema/plan.schema.json says")
    func schemaHolds() throws {
        var documents = try Examples.hosts.sorted { $0.key < $1.key }.map { try Self.json($0.value) }
        documents += try Examples.fleets.sorted { $0.key < $1.key }.map { try Self.json($0.value) }
        var random = SeededGenerator(seed: 1)
        var builder = TopologyBuilder.random(using: &random)
        let before = builder.build()
        _ = builder.mutate(6, using: &random)
        documents.append(try Self.json(FleetPlan(base: before, baseCommit: "", head: builder.build(), headCommit: "")))
        try Self.check(documents, by: "plan.schema.json")
    }

    /// Every document is what the schema of docs/schema says, by Debian's python3-jsonschema.
    static func check(_ documents: [String], by schema: String) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("mizar-schema-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { do { try FileManager.default.removeItem(at: folder) } catch { print("\(folder.path) is left: \(error)") } }
        var paths: [String] = []
        for (number, document) in documents.enumerated() {
            let path = folder.appendingPathComponent("\(number).json").path
            try document.write(toFile: path, atomically: false, encoding: .utf8)
            paths.append(path)
        }
        let script = """
            import json, sys, jsonschema
            schema = json.load(open(sys.argv[1]))
            jsonschema.Draft202012Validator.check_schema(schema)
            validator = jsonschema.Draft202012Validator(schema)
            for path in sys.argv[2:]:
                document = json.load(open(path))
                validator.validate(document)
                # It must refuse what it does not know.
                document["surprise"] = 1
                assert not validator.is_valid(document), "takes anything"
            """
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.arguments = ["-c", script, Self.schema.appendingPathComponent("docs/schema/\(schema)").path] + paths
        let pipe = Pipe()
        process.standardError = pipe
        process.standardOutput = pipe
        try process.run()
        let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(output.suffix(3000))")
    }

    @Test("a comment stays below GitHub's limit, and says what it cut", arguments: [1, 500, 4_000])
    func comment(endpoints: Int) {
        var builder = TopologyBuilder(settle: 0)
        for number in 1...UInt32(30) { builder.host("h\(number)", number) }
        builder.vpc("a/v", vni: 1)
        let before = builder.build()
        for number in 0..<((endpoints + 199) / 200) { builder.network("a/v/n\(number)", of: "a/v", UInt32(number)) }
        for number in 0..<endpoints {
            let network = builder.networks[number / 200]
            builder.endpoints.append(
                Endpoint(
                    name: "\(network.name)/e\(number)", network: network.name,
                    addresses: [IPAddress(bits: network.cidrs[0].first.bits + UInt128(number % 200 + 2))],
                    host: "h\(number % 30 + 1)", interface: "v\(number)", at: builder.place("endpoints.yaml", number)))
        }
        let plan = FleetPlan(base: before, baseCommit: "", head: builder.build(), headCommit: "")
        let markdown = plan.markdown
        #expect(markdown.unicodeScalars.count <= 65_536)
        #expect(markdown.utf16.count <= 65_536)
        #expect(markdown.contains(plan.summary.text))
        #expect(markdown.contains("the rest is cut") == (endpoints >= 500))
        #expect(markdown.components(separatedBy: "```").count % 2 == 1, "every block is closed")
        #expect(markdown.components(separatedBy: "<details>").count == markdown.components(separatedBy: "</details>").count)
    }

    @Test("warnings without end do not fill the comment")
    func warnings() throws {
        var plan = try #require(Examples.hosts["host-change-h1"])
        plan.warnings = Array(repeating: Examples.warning, count: 10_000)
        plan.pending = Array(
            repeating: Plan.Pending(name: "a/b/c/d", interface: "v", at: Examples.warning.at), count: 10_000)
        let markdown = plan.markdown
        #expect(markdown.unicodeScalars.count <= 65_536)
        #expect(markdown.contains("```diff"))
        #expect(markdown.contains(plan.closing))
    }

    static let hostile = [
        "```\n</details>\n# Approved", "a\n```\n**No changes.**", "x\r\ny", "\u{1b}[2J\u{1b}[1;1HNo changes.yaml",
        "@everyone <img src=x onerror=alert(1)>.yaml", "`` ` ```.yaml", "\u{202e}lmay.x", "a\u{2028}b", "\u{85}", "\u{0}",
    ]

    @Test("a file's name cannot leave its line, its block or its quote", arguments: hostile)
    func hostileNames(file: String) throws {
        func rename(_ place: Place?) -> Place? {
            place.map { Place(file: file, line: $0.line, column: $0.column) }
        }
        let honest = try #require(Examples.hosts["host-change-h2"])
        var plan = honest
        for index in plan.steps.indices { plan.steps[index].at = rename(plan.steps[index].at) }
        for index in plan.waiting.indices { plan.waiting[index].step.at = rename(plan.waiting[index].step.at) }
        let place = Place(file: file, line: 1, column: 1)
        plan.warnings = [Diagnostic(.warning, "MZ1", at: place, "about \(file)")]
        plan.pending = [Plan.Pending(name: "a/b/c/d", interface: file, at: place)]
        var tame = plan
        for index in tame.steps.indices { tame.steps[index].at = honest.steps[index].at }
        for index in tame.waiting.indices { tame.waiting[index].step.at = honest.waiting[index].step.at }
        tame.warnings = [Examples.warning]
        tame.pending = [Plan.Pending(name: "a/b/c/d", interface: "v", at: Examples.warning.at)]

        func shape(_ text: String) -> [String] {
            text.components(separatedBy: .newlines).map {
                $0.hasPrefix("```") || $0.hasPrefix("<") || $0.hasPrefix(">") ? String($0.prefix(3)) : ""
            }
        }
        #expect(shape(plan.markdown) == shape(tame.markdown))
        #expect(shape(plan.text) == shape(tame.text))
        for text in [plan.text, plan.markdown] {
            #expect(!text.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" || $0.value == 0x1b || $0.value == 0x202e })
        }
        // Outside of the blocks all of it is in one code span.
        for line in plan.markdown.split(separator: "\n") where line.hasPrefix(">") {
            #expect(line.filter { $0 == "`" }.count == 2 && line.hasSuffix("`"), "\(line)")
        }
    }

    // MARK: Help

    /// As the command line writes it.
    static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    static func decode<T: Decodable>(_ type: T.Type, _ text: String) throws -> T {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: Data(text.utf8))
    }

    static func compare(_ text: String, _ name: String) throws {
        let file = Self.folder.appendingPathComponent(name)
        if ProcessInfo.processInfo.environment["MIZAR_RECORD"] == "1" {
            try (text + "\n").write(to: file, atomically: true, encoding: .utf8)
            Issue.record("recorded \(name)")
            return
        }
        let expected = try String(contentsOf: file, encoding: .utf8)
        #expect(text + "\n" == expected, "\(name) differs; MIZAR_RECORD=1 writes it anew")
    }
}
