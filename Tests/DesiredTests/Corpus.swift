import Desired
import Foundation
import Topology

/// Trees of files, each with a file `expected` that says what reading it must find.
enum Corpus {
    static let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    static let folder = repository.appending(path: "Tests/DesiredTests/Corpus")

    static let names: [String] =
        (try? FileManager.default.contentsOfDirectory(atPath: folder.path()).filter { !$0.hasPrefix(".") }.sorted()) ?? []

    /// Trees without errors begin with this.
    static let good = names.filter { $0.hasPrefix("good-") }

    static func tree(_ name: String) throws -> SourceTree {
        try SourceTree.folder(folder.appending(path: name).path())
    }

    /// Lines `file:line:column: severity[CODE]`.
    static func expected(_ name: String) throws -> [String] {
        try String(contentsOf: folder.appending(path: "\(name)/expected"), encoding: .utf8)
            .split(separator: "\n").map(String.init).sorted()
    }

    /// The code of a line of `expected`.
    static func code(of line: String) -> String {
        String(line.split(separator: "[").last?.dropLast() ?? "")
    }
}

extension Diagnostic {
    /// Without its message: what the corpus compares.
    var summary: String { "\(at): \(severity.rawValue)[\(code)]" }
}

extension SourceTree {
    /// A tree of one file.
    init(_ text: String) { self.init(files: [SourceFile(path: "t.yaml", bytes: Array(text.utf8))]) }
}
