/// The head of an answer: RFC 9112, 4 and 5.
struct HTTPHead: Sendable {
    let status: Int
    /// The server's words for the status, as it sent them.
    let reason: String
    /// Names in lower case, in the order in which they came.
    let fields: [(name: String, value: String)]
    let isVersion10: Bool

    func values(_ name: String) -> [String] { fields.filter { $0.name == name }.map(\.value) }
    func value(_ name: String) -> String? { values(name).first }

    /// The elements of a field that is a list, in lower case.
    func tokens(_ name: String) -> [String] {
        values(name).flatMap { $0.split(separator: ",") }.map { $0.trimmed.lowercased() }
    }

    /// Without parameters, in lower case.
    var contentType: String { value("content-type")?.prefix { $0 != ";" }.trimmed.lowercased() ?? "" }

    /// - Parameter lines: without their ends.
    init(lines: [Substring]) throws(HTTPFailure) {
        guard let first = lines.first, first.hasPrefix("HTTP/1.") else {
            throw HTTPFailure("the server does not speak HTTP/1.1")
        }
        let words = first.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard words.count >= 2, words[1].utf8.count == 3, let status = Int(words[1]), status >= 100 else {
            throw HTTPFailure("the server’s answer begins with no valid HTTP status")
        }
        self.status = status
        reason = words.count == 3 ? words[2].trimmed : ""
        isVersion10 = words[0] == "HTTP/1.0"
        var fields: [(name: String, value: String)] = []
        for line in lines.dropFirst() {
            if line.first == " " || line.first == "\t", let last = fields.popLast() {
                fields.append((last.name, "\(last.value) \(line.trimmed)"))
                continue
            }
            guard let colon = line.firstIndex(of: ":"), colon != line.startIndex, line[..<colon].trimmed.count == line[..<colon].count
            else { throw HTTPFailure("the server’s answer has an invalid header line") }
            fields.append((line[..<colon].lowercased(), line[line.index(after: colon)...].trimmed))
        }
        self.fields = fields
    }
}
