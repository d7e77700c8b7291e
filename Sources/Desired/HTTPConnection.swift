/// One connection, one exchange after another.
final class HTTPConnection {
    let stream: any HTTPStream
    /// Whose it is: a proxy for `http` URLs carries the requests for all of them.
    let peer: Peer
    private var buffer = [UInt8](repeating: 0, count: 64 << 10)
    /// What of the buffer was read from the stream and not yet taken.
    private var unread = 0..<0
    private var framing = Framing.none
    private var keepsAlive = true
    /// Exchanges that were begun on it.
    private(set) var exchanges = 0

    struct Peer: Hashable {
        let origin: HTTPURL.Origin
        let proxy: HTTPURL?
    }

    /// How a body ends: RFC 9112, 6.3.
    private enum Framing {
        case none
        /// Bytes that are left.
        case length(Int)
        /// Bytes that are left of the chunk; nil: its size comes next.
        case chunked(Int?)
        /// With the connection.
        case untilClose
    }

    init(stream: any HTTPStream, peer: Peer) {
        self.stream = stream
        self.peer = peer
    }

    /// Whether the last answer was read to its end, and the server leaves the connection open.
    var isReusable: Bool {
        if case .none = framing { keepsAlive && unread.isEmpty } else { false }
    }

    func send(_ bytes: [UInt8]) throws(HTTPFailure) {
        exchanges += 1
        try stream.write(bytes, count: bytes.count)
    }

    /// The head of the final answer; those of interim ones are passed over.
    ///
    /// - Throws: with `isLost` if the connection ended before a byte of it came.
    func readHead(ofConnect: Bool = false) throws(HTTPFailure) -> HTTPHead {
        for _ in 0..<16 {
            let head = try HTTPHead(lines: readHeadLines())
            guard head.status >= 200 else {
                guard head.status != 101 else { throw HTTPFailure("the server changes to a protocol that was not asked for") }
                continue
            }
            try frame(head, ofConnect: ofConnect)
            return head
        }
        throw HTTPFailure("the server sends interim answers without end")
    }

    private func frame(_ head: HTTPHead, ofConnect: Bool) throws(HTTPFailure) {
        let options = head.tokens("connection") + head.tokens("proxy-connection")
        keepsAlive = head.isVersion10 ? options.contains("keep-alive") : !options.contains("close")
        let codings = head.tokens("transfer-encoding")
        if ofConnect && head.status < 300 || head.status == 204 || head.status == 304 {
            framing = .none
        } else if !codings.isEmpty {
            guard codings == ["chunked"] else {
                throw HTTPFailure(
                    "the server’s answer has the transfer coding “\(codings.joined(separator: ", "))”, which was not asked for")
            }
            framing = .chunked(nil)
        } else if let text = head.value("content-length") {
            guard Set(head.tokens("content-length")).count == 1, let first = head.tokens("content-length").first,
                first.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let length = Int(first)
            else { throw HTTPFailure("the server’s answer has no valid length: “\(text)”") }
            framing = length == 0 ? .none : .length(length)
        } else {
            framing = .untilClose
            keepsAlive = false
        }
    }

    /// Bytes of the body, at most as many as there is room for; 0 at its end.
    func readBody(into room: UnsafeMutableRawBufferPointer) throws(HTTPFailure) -> Int {
        while !room.isEmpty {
            switch framing {
            case .none:
                return 0
            case .length(let left):
                let count = try take(room, most: left, orEnd: false)
                framing = count == left ? .none : .length(left - count)
                return count
            case .chunked(nil):
                let line = try readLine()
                let digits = line.prefix { $0 != ";" }.trimmed
                guard digits.utf8.count <= 15, !digits.hasPrefix("+"), !digits.hasPrefix("-"), let size = Int(digits, radix: 16) else {
                    throw HTTPFailure("the server’s answer has an invalid chunk")
                }
                framing = .chunked(size)
                if size == 0 {
                    while try !readLine().isEmpty {}
                    framing = .none
                }
            case .chunked(let left?):
                let count = try take(room, most: left, orEnd: false)
                framing = .chunked(left - count)
                if count == left {
                    guard try readLine().isEmpty else { throw HTTPFailure("the server’s answer has an invalid chunk") }
                    framing = .chunked(nil)
                }
                return count
            case .untilClose:
                let count = try take(room, most: Int.max, orEnd: true)
                if count == 0 { framing = .none }
                return count
            }
        }
        return 0
    }

    /// The rest of the body, as far as it comes soon and is short: else the connection is of no more use.
    ///
    /// - Parameter most: bytes.
    func drain(most: Int = 64 << 10) -> [UInt8] {
        stream.patience = 1000
        defer { stream.patience = -1 }
        var body: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 4096)
        do throws(HTTPFailure) {
            while body.count < most {
                let count = try room.withUnsafeMutableBufferPointer { room throws(HTTPFailure) in
                    try readBody(into: UnsafeMutableRawBufferPointer(room))
                }
                if count == 0 { break }
                body += room[..<count]
            }
        } catch {
            keepsAlive = false
        }
        return body
    }

    private func take(_ room: UnsafeMutableRawBufferPointer, most: Int, orEnd: Bool) throws(HTTPFailure) -> Int {
        if unread.isEmpty, try !fill() {
            guard orEnd else { throw HTTPFailure("the connection ended in the middle of the server’s answer", isLost: true) }
            return 0
        }
        let count = min(most, room.count, unread.count)
        let taken = unread.lowerBound..<unread.lowerBound + count
        buffer.withUnsafeBytes { room.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[taken])) }
        unread = taken.upperBound..<unread.upperBound
        return count
    }

    /// More of what the server sends; false where it has closed the connection.
    private func fill() throws(HTTPFailure) -> Bool {
        let count = try stream.read(into: &buffer)
        unread = 0..<count
        return count > 0
    }

    /// All lines of a head but the empty one that ends it.
    private func readHeadLines() throws(HTTPFailure) -> [Substring] {
        var lines: [Substring] = []
        var size = 0
        while true {
            let line = try readLine(isFirst: lines.isEmpty)
            size += line.utf8.count
            guard size <= 256 << 10, lines.count <= 256 else { throw HTTPFailure("the header of the server’s answer is too long") }
            // An empty line before the first one is passed over: RFC 9112, 2.2.
            if !line.isEmpty { lines.append(Substring(line)) } else if !lines.isEmpty { return lines } else { size += 1024 }
        }
    }

    private func readLine(isFirst: Bool = false) throws(HTTPFailure) -> String {
        var line: [UInt8] = []
        while true {
            if unread.isEmpty, try !fill() {
                let cause = isFirst && line.isEmpty ? "the server closed the connection without an answer" : nil
                throw HTTPFailure(cause ?? "the connection ended in the middle of the server’s answer", isLost: true)
            }
            let end = buffer[unread].firstIndex(of: 10)
            line += buffer[unread.lowerBound..<(end ?? unread.upperBound)]
            unread = (end.map { $0 + 1 } ?? unread.upperBound)..<unread.upperBound
            guard line.count <= 64 << 10 else { throw HTTPFailure("a line of the server’s answer is too long") }
            if end != nil { break }
        }
        if line.last == 13 { line.removeLast() }
        return String(decoding: line, as: UTF8.self)
    }
}

extension StringProtocol {
    /// Without the blanks and tabs around it.
    var trimmed: String {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        guard let first = firstIndex(where: { !isBlank($0) }), let last = lastIndex(where: { !isBlank($0) }) else { return "" }
        return String(self[first...last])
    }
}
