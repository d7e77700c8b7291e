import Topology

/// A comment in GitHub's Markdown that never grows over the limit of one: parts that do not fit are cut, and it says so.
public struct Comment {
    /// Characters that GitHub takes in one comment.
    static let limit = 65_536
    /// Of a line, at most: what is longer is somebody's joke.
    static let lineLimit = 2_000

    private(set) var isCut = false
    private var body = ""
    private var room = limit - notice.length

    private static let notice = "\n_More than a comment holds: the rest is cut. `mizar-reconcile plan` prints all._\n"

    public init() {}

    public var text: String { isCut ? body + Self.notice : body }

    /// Adds the part whole, or cuts the comment here.
    public mutating func add(_ part: String) {
        guard !isCut, part.length <= room else {
            isCut = true
            return
        }
        body += part
        room -= part.length
    }

    /// Lines as quotes, in a quarter of the comment.
    public mutating func addQuotes(_ lines: [String]) {
        var budget = min(room, Self.limit / 4)
        for (number, line) in lines.enumerated() {
            let quote = "\n> \(Self.short(line, end: "`"))\n"
            budget -= quote.length
            guard budget > 100 else {
                add("\n> (\(lines.count - number) more)\n")
                return
            }
            add(quote)
        }
    }

    /// Lines of a diff, in a quarter of the comment.
    mutating func addBlock(_ lines: [String]) {
        var part = "\n```diff\n"
        var budget = min(room, Self.limit / 4) - part.length - 100
        for (number, line) in lines.enumerated() {
            let line = Self.short(line, end: "") + "\n"
            budget -= line.length
            guard budget >= 0 else {
                part += "  (\(lines.count - number) more)\n"
                break
            }
            part += line
        }
        add(part + "```\n")
    }

    /// Rows of a folded table, in a quarter of the comment.
    mutating func addTable(title: String, head: String, _ rows: [String]) {
        var part = "\n<details><summary>\(title)</summary>\n\n" + head
        let tail = "\n</details>\n"
        var budget = min(room, Self.limit / 4) - part.length - tail.length
        for (number, row) in rows.enumerated() {
            budget -= row.length
            guard budget > 100 else {
                part += "\n(\(rows.count - number) more)\n"
                break
            }
            part += row
        }
        add(part + tail)
    }

    /// A folded block of a diff's lines, as many of them as fit.
    mutating func addDetails(_ title: String, _ lines: [String]) {
        guard !isCut else { return }
        let head = "\n<details><summary>\(title)</summary>\n\n```diff\n"
        let tail = "```\n</details>\n"
        var part = head
        var budget = room - head.length - tail.length - 40
        var count = 0
        for line in lines {
            let line = Self.short(line, end: "") + "\n"
            budget -= line.length
            guard budget >= 0 else { break }
            part += line
            count += 1
        }
        guard count > 0 else {
            isCut = true
            return
        }
        if count < lines.count { part += "  (\(lines.count - count) more)\n" }
        add(part + tail)
        isCut = count < lines.count
    }

    private static func short(_ line: String, end: String) -> String {
        line.length <= lineLimit ? line : String(line.unicodeScalars.prefix(lineLimit)) + "…" + end
    }
}
