import Glibc

/// The host keys that this machine trusts: sshd(8), SSH_KNOWN_HOSTS FILE FORMAT, hashed names included.
struct KnownHosts {
    enum Verdict: Hashable {
        case known
        /// Another key of the same type is known; with the place as `file:line`.
        case changed(String)
        case revoked(String)
        case unknown
    }

    /// Paths and texts, in the order in which they count.
    var files: [(path: String, text: String)]

    static var home: String? {
        if let home = Mirror.environment("HOME") { return home }
        guard let entry = getpwuid(getuid()), let folder = entry.pointee.pw_dir else { return nil }
        return String(cString: folder)
    }

    static func system() -> KnownHosts {
        var paths: [String] = []
        if let named = Mirror.environment("MIZAR_KNOWN_HOSTS") { paths.append(named) }
        if let home { paths.append(home + "/.ssh/known_hosts") }
        paths.append("/etc/ssh/ssh_known_hosts")
        return KnownHosts(files: paths.compactMap { path in readText(path).map { (path, $0) } })
    }

    /// What the files say about `key` (the key's blob, as on the wire) of `host`.
    func verdict(host: String, port: Int, key: [UInt8]) -> Verdict {
        let name = port == 22 ? host.lowercased() : "[\(host.lowercased())]:\(port)"
        var result = Verdict.unknown
        for (path, text) in files {
            for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
                var fields = line.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "\r" })
                guard let first = fields.first, !first.hasPrefix("#") else { continue }
                let marker = first.hasPrefix("@") ? fields.removeFirst() : ""
                guard marker != "@cert-authority", fields.count >= 3, Self.matches(String(fields[0]), name),
                    let known = Base64.decode(fields[2])
                else { continue }
                let place = "\(path):\(index + 1)"
                if marker == "@revoked" {
                    if known == key { return .revoked(place) }
                } else if known == key {
                    result = .known
                } else if Self.type(known) == Self.type(key), result == .unknown {
                    result = .changed(place)
                }
            }
        }
        return result
    }

    /// The type's name in front of a key's blob: 4 bytes of length, and the name.
    private static func type(_ blob: [UInt8]) -> [UInt8] {
        guard blob.count >= 4 else { return [] }
        let length = blob[..<4].reduce(0) { $0 << 8 | Int($1) }
        return Array(blob.dropFirst(4).prefix(length))
    }

    /// Such as `ssh-ed25519`.
    static func typeName(_ blob: [UInt8]) -> String { String(decoding: type(blob), as: UTF8.self) }

    /// Whether a line's first field, names and patterns with commas between or one hashed name, means `name`.
    static func matches(_ field: String, _ name: String) -> Bool {
        if field.hasPrefix("|1|") {
            let parts = field.split(separator: "|")
            guard parts.count == 3, let salt = Base64.decode(parts[1]), let hash = Base64.decode(parts[2]) else { return false }
            return SHA1.authenticate(Array(name.utf8), key: salt) == hash
        }
        var found = false
        for pattern in field.split(separator: ",") {
            if pattern.first == "!" {
                if Self.fits(Array(pattern.dropFirst().utf8), Array(name.utf8)) { return false }
            } else if Self.fits(Array(pattern.lowercased().utf8), Array(name.utf8)) {
                found = true
            }
        }
        return found
    }

    /// `*` is any text, `?` any letter.
    private static func fits(_ pattern: [UInt8], _ name: [UInt8]) -> Bool {
        var (p, n) = (0, 0)
        var star: (pattern: Int, name: Int)?
        while n < name.count {
            if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
                star = (p, n)
                p += 1
            } else if p < pattern.count, pattern[p] == name[n] || pattern[p] == UInt8(ascii: "?") {
                p += 1
                n += 1
            } else if let last = star {
                star = (last.pattern, last.name + 1)
                p = last.pattern + 1
                n = last.name + 1
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
    }

    private static func readText(_ path: String) -> String? {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while bytes.count < 16 << 20 {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// RFC 4648, 4.
enum Base64 {
    static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for letter in text.utf8 {
            let value: UInt8
            switch letter {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = letter - 65
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = letter - 71
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = letter + 4
            case UInt8(ascii: "+"): value = 62
            case UInt8(ascii: "/"): value = 63
            case UInt8(ascii: "="): continue
            default: return nil
            }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return bytes
    }
}
