import Foundation
import Testing

/// Links between the project's pages lead somewhere: files, and headings in them.
@Suite struct LinkTests {
    struct Link: CustomStringConvertible {
        let page: String
        let line: Int
        let target: String

        var description: String { "\(page):\(line): \(target)" }
    }

    @Test func everyLinkLeadsSomewhere() throws {
        let pages = try Self.pages()
        #expect(pages.count > 20)
        var links = 0
        for (page, text) in pages {
            for link in Self.links(page, text) where !link.target.contains("://") && !link.target.hasPrefix("mailto:") {
                links += 1
                let parts = link.target.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
                let place = parts[0].isEmpty ? page : Self.path(String(parts[0]), from: page)
                #expect(FileManager.default.fileExists(atPath: Self.root.appending(path: place).path), "\(link)")
                guard parts.count == 2, let target = pages[place] else { continue }
                #expect(Self.anchors(target).contains(String(parts[1])), "\(link): no such heading")
            }
        }
        #expect(links > 100)
    }

    @Test func anchorsAreThoseOfTheForge() {
        let text = """
            # On a host: `--live`
            ## “A” & b, c_d
            ## Twice
            ```
            # no heading
            ```
            ## Twice
            ### [A link](there.md) in it
            """
        #expect(Self.anchors(text) == ["on-a-host---live", "a--b-c_d", "twice", "twice-1", "a-link-in-it"])
    }

    // MARK: Pages

    private static let root = Corpus.repository

    /// Text of every page, by its path in the repository.
    private static func pages() throws -> [String: String] {
        var pages: [String: String] = [:]
        let files = FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil, options: .skipsHiddenFiles)
        while let file = files?.nextObject() as? URL {
            let path = file.pathComponents.dropFirst(root.pathComponents.count).joined(separator: "/")
            if path == "build" { files?.skipDescendants() }
            if path.hasSuffix(".md") { pages[path] = try String(contentsOf: file, encoding: .utf8) }
        }
        return pages
    }

    private static func path(_ target: String, from page: String) -> String {
        var parts = page.split(separator: "/").dropLast()
        for part in target.split(separator: "/") where part != "." {
            if part == ".." { parts = parts.dropLast() } else { parts.append(part) }
        }
        return parts.joined(separator: "/")
    }

    /// Lines that are text, with their numbers: not those of blocks of code.
    private static func prose(_ text: String) -> [(number: Int, line: Substring)] {
        var isCode = false
        return text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().compactMap { number, line in
            if line.drop(while: { $0 == " " }).hasPrefix("```") {
                isCode.toggle()
                return nil
            }
            return isCode ? nil : (number + 1, line)
        }
    }

    private static func links(_ page: String, _ text: String) -> [Link] {
        prose(text).flatMap { number, line in
            // What stands in backquotes is no link, but may be the text of one.
            line.replacing(/`[^`]*`/, with: "code").matches(of: /\]\(([^)\s]+)\)/)
                .map { Link(page: page, line: number, target: String($0.1)) }
        }
    }

    /// Headings as GitHub and GitLab name them: lower case, hyphens for spaces, without punctuation; a second one of a name is numbered.
    private static func anchors(_ text: String) -> [String] {
        var seen: [String: Int] = [:]
        return prose(text).compactMap { _, line in
            guard line.hasPrefix("#"), let space = line.firstIndex(of: " "), line[..<space].allSatisfy({ $0 == "#" }) else { return nil }
            let title = line[space...].dropFirst().replacing(/\[([^\]]*)\]\([^)]*\)/) { $0.1 }
            let kept = title.lowercased().filter { $0.isLetter || $0.isNumber || $0 == " " || $0 == "-" || $0 == "_" }
            let anchor = kept.replacing(" ", with: "-")
            let count = seen[anchor, default: 0]
            seen[anchor] = count + 1
            return count == 0 ? anchor : "\(anchor)-\(count)"
        }
    }
}
