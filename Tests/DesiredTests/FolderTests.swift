import Desired
import Foundation
import Testing
import Topology

/// Reading a plain folder.
@Suite struct FolderTests {
    /// Calls `body` with a new folder that is removed afterwards.
    private func withFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appending(path: "mizar-folder-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try body(folder)
    }

    private func write(_ text: String, _ path: String, in folder: URL) throws {
        let file = folder.appending(path: path)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try text.write(to: file, atomically: false, encoding: .utf8)
    }

    @Test func takesYAMLFilesOfAllFoldersSorted() throws {
        try withFolder { folder in
            for path in ["b.yaml", "a/z.yml", "a/b/c.yaml", "a.json", ".hidden.yaml", ".git/x.yaml", "a/.b/y.yaml", "yaml", "x.yaml.bak"] {
                try write(path, path, in: folder)
            }
            let tree = try SourceTree.folder(folder.path())
            #expect(tree.files.map(\.path) == ["a/b/c.yaml", "a/z.yml", "b.yaml"])
            #expect(tree.files == ["a/b/c.yaml", "a/z.yml", "b.yaml"].map { SourceFile(path: $0, bytes: Array($0.utf8)) })
            #expect(tree.commit.isEmpty)
        }
    }

    @Test func followsNoLinks() throws {
        try withFolder { folder in
            try write("x", "real/a.yaml", in: folder)
            let manager = FileManager.default
            try manager.createSymbolicLink(atPath: folder.appending(path: "loop").path(), withDestinationPath: ".")
            try manager.createSymbolicLink(atPath: folder.appending(path: "b.yaml").path(), withDestinationPath: "real/a.yaml")
            #expect(try SourceTree.folder(folder.path()).files.map(\.path) == ["real/a.yaml"])
            // The chosen folder itself may be one.
            try manager.createSymbolicLink(atPath: folder.appending(path: "chosen").path(), withDestinationPath: "real")
            #expect(try SourceTree.folder(folder.appending(path: "chosen").path()).files.map(\.path) == ["a.yaml"])
        }
    }

    @Test func readsOfTooLargeFilesOnlyWhatTheCheckNeeds() throws {
        try withFolder { folder in
            let file = folder.appending(path: "big.yaml")
            #expect(FileManager.default.createFile(atPath: file.path(), contents: nil))
            let handle = try FileHandle(forWritingTo: file)
            try handle.truncate(atOffset: 40 << 20)
            try handle.close()
            let tree = try SourceTree.folder(folder.path())
            #expect(TopologyReader.read(tree).diagnostics.map(\.code) == ["MZ001"])
        }
    }

    @Test func saysWhichFolderIsMissing() {
        #expect {
            try SourceTree.folder("/nonexistent/topology")
        } throws: { error in
            (error as? DesiredError)?.description
                == "cannot read the folder /nonexistent/topology: No such file or directory"
        }
    }

    /// One bad path hides nothing of the others.
    @Test func whatCannotBeReadIsAFindingAmongOthers() throws {
        try withFolder { folder in
            try write("kind: Nothing\n", "bad.yaml", in: folder)
            let deep = (1...64).map { "d\($0)" }.joined(separator: "/")
            try write("kind: Nothing\n", "\(deep)/unseen.yaml", in: folder)
            try write("kind: Nothing at all\n", "\(deep.dropLast(4))/seen.yaml", in: folder)
            // Names are bytes: two that are drawn alike.
            for byte: CChar in [-1, -2] {
                let path = folder.path().utf8CString.dropLast() + [CChar(UInt8(ascii: "/")), byte] + ".yaml".utf8CString
                let file = try #require(fopen(Array(path), "w"))
                fputs(byte == -1 ? "kind: One\n" : "kind: Two\n", file)
                fclose(file)
            }
            let tree = try SourceTree.folder(folder.path())
            #expect(tree == (try SourceTree.folder(folder.path())))
            #expect(
                Set(tree.files.suffix(2))
                    == Set(["One", "Two"].map { SourceFile(path: "\u{fffd}.yaml", bytes: Array("kind: \($0)\n".utf8)) }))
            let found = TopologyReader.read(tree).diagnostics.map(\.summary)
            #expect(
                found == [
                    "bad.yaml:1:7: error[MZ106]", "\(deep):1:1: error[MZ011]", "\(deep.dropLast(4))/seen.yaml:1:7: error[MZ106]",
                    "\u{fffd}.yaml:1:7: error[MZ106]", "\u{fffd}.yaml:1:7: error[MZ106]",
                ])
        }
    }
}
