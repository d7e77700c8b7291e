import Topology

/// Typed values: each reports what is wrong at the value's own place and gives nil.
extension ResourceReader {
    /// Text; what YAML reads as something else must be quoted.
    mutating func string(_ node: Int, _ field: Field) -> Located<String>? {
        string(node, "`\(field.rawValue)`")
    }

    mutating func string(_ node: Int, _ what: @autoclosure () -> String) -> Located<String>? {
        switch yaml.nodes[node].kind {
        case .refused: return nil
        case .mapping, .sequence: break
        case .text, .plain:
            if type(of: node) == .text { return Located(value: yaml.string(node), mark: yaml.nodes[node].mark) }
        }
        let hint: String? =
            if yaml.nodes[node].kind != .plain {
                nil
            } else if type(of: node) == .null {
                yaml.string(node).isEmpty
                    ? "give it a value, or leave the field out" : "quote it if it is meant: \"\(yaml.string(node))\""
            } else {
                "quote it: \"\(yaml.string(node))\""
            }
        report(.wrongType, node, "\(what()) must be text, not \(described(node))", hint: hint)
        return nil
    }

    mutating func string(_ fields: Fields, _ field: Field) -> Located<String>? {
        guard let node = fields[field] else { return nil }
        return string(node, field)
    }

    /// - Parameter word: what may stand in place of the number, which the caller has looked for.
    mutating func integer(
        _ fields: Fields, _ field: Field, in range: ClosedRange<Int>, or word: String? = nil
    ) -> Located<Int>? {
        guard let node = fields[field], yaml.nodes[node].kind != .refused else { return nil }
        let bytes = yaml.text[Int(yaml.nodes[node].start)..<Int(yaml.nodes[node].end)]
        let isScalar = yaml.nodes[node].kind == .plain || yaml.nodes[node].kind == .text
        let number = isScalar ? ScalarType.integer(bytes) : nil
        guard yaml.nodes[node].kind == .plain, let number else {
            report(
                .wrongType, node,
                "`\(field.rawValue)` must be \(word.map { "`\($0)` or " } ?? "")a whole number, not \(described(node))",
                hint: number.map { "leave the quotes off: \($0)" })
            return nil
        }
        if bytes.count > 1, bytes.first == UInt8(ascii: "0"), number != 0, bytes.dropFirst().first ?? 0 < 0x40 {
            report(
                .leadingZero, node, "`\(field.rawValue)` is written with a leading zero, which YAML readers take differently",
                hint: "write \(number)")
            return nil
        }
        guard range.contains(number) else {
            report(
                .numberOutOfRange, node,
                "`\(field.rawValue)` must be \(word.map { "`\($0)` or " } ?? "")\(range.lowerBound) to \(range.upperBound), not \(yaml.string(node))"
            )
            return nil
        }
        return Located(value: number, mark: yaml.nodes[node].mark)
    }

    /// One of the words of an enumeration; `fallback` if the field is absent.
    mutating func word<Words: RawRepresentable & CaseIterable>(
        _ fields: Fields, _ field: Field, _ fallback: Words
    ) -> Words? where Words.RawValue == String {
        guard let node = fields[field] else { return fallback }
        guard let text = string(node, field) else { return nil }
        if let word = Words(rawValue: text.value) { return word }
        let words = Words.allCases.map(\.rawValue)
        report(
            .unknownValue, node, "`\(field.rawValue)` must be \(Self.list(words)), not “\(text.value)”",
            hint: Suggestion.closest(to: text.value, among: words).map { "did you mean “\($0)”?" })
        return nil
    }

    static func list(_ words: [String]) -> String {
        words.dropLast().joined(separator: ", ") + " or " + (words.last ?? "")
    }

    /// The nodes of a list of at least one value; nil if it is absent or wrong.
    mutating func items(_ fields: Fields, _ field: Field) -> [Int]? {
        guard let node = fields[field], yaml.nodes[node].kind != .refused else { return nil }
        guard yaml.nodes[node].kind == .sequence else {
            report(
                .wrongType, node, "`\(field.rawValue)` must be a list, not \(described(node))",
                hint: yaml.nodes[node].kind == .mapping || type(of: node) == .null
                    ? nil : "write [\(yaml.string(node))]")
            return nil
        }
        var items: [Int] = []
        var child = node + 1
        while child < yaml.nodes[node].next {
            items.append(child)
            child = yaml.nodes[child].next
        }
        guard items.count <= YAMLLimits.items else {
            report(
                .listTooLong, node, "`\(field.rawValue)` has \(items.count) items; a list has at most \(YAMLLimits.items)",
                hint: "use larger blocks, or several resources")
            return nil
        }
        if items.isEmpty {
            report(
                .emptyList, node, "`\(field.rawValue)` is empty",
                hint: field == .gateways ? "leave it out for the default" : "give at least one")
            return nil
        }
        return items
    }

    mutating func address(_ node: Int, _ field: Field) -> Located<IPAddress>? {
        guard let text = string(node, field) else { return nil }
        guard let address = IPAddress(text.value) else {
            if let mapped = Self.mapped(text.value) {
                report(
                    .mappedAddress, node, "“\(text.value)” is an IPv4 address in the form of an IPv6 one",
                    hint: "write \(mapped)")
            } else {
                report(
                    .badAddress, node, "“\(text.value)” is no IP address",
                    hint: text.value.utf8.contains(UInt8(ascii: "/"))
                        ? "an address has no prefix length" : "write it like 10.0.1.10 or fd00:1::10")
            }
            return nil
        }
        guard address.isUnicast else {
            report(
                .notUnicast, node, "\(address) cannot be anybody's address",
                hint: "it is unspecified, loopback, link-local, multicast or reserved")
            return nil
        }
        return Located(value: address, mark: text.mark)
    }

    mutating func cidrs(_ fields: Fields) -> Blocks {
        guard let items = items(fields, .cidrs) else { return Blocks(isSound: false) }
        var blocks = Blocks()
        for item in items {
            if let block = cidr(item) { blocks.list.append(block) } else { blocks.isSound = false }
        }
        return blocks
    }

    private mutating func cidr(_ node: Int) -> Located<CIDR>? {
        guard let text = string(node, "a CIDR") else { return nil }
        guard let (address, length) = CIDR.split(text.value) else {
            let parts = text.value.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
            if let first = parts.first, let mapped = Self.mapped(first) {
                let length = parts.count == 2 ? Int(parts[1]).map { $0 - 96 } : nil
                report(
                    .mappedAddress, node, "“\(text.value)” is an IPv4 block in the form of an IPv6 one",
                    hint: "write \(mapped)\(length.map { $0 >= 0 ? "/\($0)" : "" } ?? "")")
            } else {
                let single = IPAddress(text.value).map { "write \($0)/\($0.isIPv4 ? 32 : 128) for one address" }
                report(
                    .badCIDR, node, "“\(text.value)” is no CIDR", hint: single ?? "write it like 10.0.0.0/16 or fd00:1::/48")
            }
            return nil
        }
        let block = CIDR(containing: address, length: length)
        guard block.prefix == address else {
            report(.hostBits, node, "\(text.value) has host bits set", hint: "write \(block)")
            return nil
        }
        if Self.reserved.contains(where: { $0.contains(block) }) {
            report(
                .notUnicast, node, "no address of \(block) can be anybody's",
                hint: "it is unspecified, loopback, link-local, multicast or reserved")
            return nil
        }
        return Located(value: block, mark: text.mark)
    }

    /// Blocks without any unicast address (RFC 6890).
    private static let reserved = [
        "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/96", "fe80::/10", "ff00::/8",
    ].compactMap { CIDR($0) }

    /// The IPv4 address that `text` writes as `::ffff:a.b.c.d` in any of its spellings.
    private static func mapped(_ text: String) -> IPAddress? {
        // `IPAddress` takes no mapped address, so one whose mark is changed by a bit is parsed in its place.
        var lower = text.lowercased()
        guard lower.utf8.contains(UInt8(ascii: ":")), let mark = lower.firstRange(of: "ffff:") else { return nil }
        lower.replaceSubrange(mark, with: "fffe:")
        guard let address = IPAddress(lower), address.bits >> 32 == 0xfffe else { return nil }
        return IPAddress(v4: UInt32(truncatingIfNeeded: address.bits))
    }

    mutating func mac(_ fields: Fields) -> MACAddress? {
        guard let node = fields[.mac], let text = string(node, .mac) else { return nil }
        guard let mac = MACAddress(text.value) else {
            report(
                .badMAC, node, "“\(text.value)” is no MAC address", hint: "write it like \"02:00:00:00:00:11\"")
            return nil
        }
        guard mac.isUnicast else {
            report(
                .macNotUnicast, node, "\(mac) is no unicast MAC address",
                hint: mac.bits == 0 ? "leave it out to have it learned" : "its first byte must be even")
            return nil
        }
        return mac
    }

    /// An interface name that Linux takes: 1 to 15 bytes, of its own.
    mutating func interface(_ fields: Fields) -> Located<String>? {
        guard let node = fields[.interface], let text = string(node, .interface) else { return nil }
        let name = text.value
        guard let why = InterfaceName.faultOfNew(name) else { return text }
        report(.badInterface, node, "“\(name)” is no interface name: \(why)")
        return nil
    }

    /// A duration such as `60s`, in milliseconds; a week at most.
    mutating func duration(_ fields: Fields, _ field: Field) -> UInt64? {
        guard let node = fields[field] else { return nil }
        if yaml.nodes[node].kind == .plain, type(of: node) == .integer {
            report(
                .wrongType, node, "`\(field.rawValue)` must say its unit, not only a number (\(yaml.string(node)))",
                hint: "write \(yaml.string(node))s for seconds")
            return nil
        }
        guard let text = string(node, field) else { return nil }
        let digits = text.value.prefix { $0.isASCII && $0.isWholeNumber }
        let units: [String: UInt64] = ["ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000]
        guard (1...9).contains(digits.utf8.count), let number = UInt64(digits),
            let unit = units[String(text.value.dropFirst(digits.count))]
        else {
            report(
                .badDuration, node, "“\(text.value)” is no duration",
                hint: "write a whole number and one of ms, s, m, h: 500ms, 60s, 5m, 1h")
            return nil
        }
        guard number * unit <= 7 * 24 * 3_600_000 else {
            report(.badDuration, node, "“\(text.value)” is more than a week (168h)")
            return nil
        }
        return number * unit
    }

    /// A failure domain's name: 1 to 63 letters, digits, `-`, `_` and `.`, the first and last a letter or digit.
    mutating func zone(_ fields: Fields) -> String? {
        guard let node = fields[.zone] else { return "default" }
        guard let text = string(node, .zone) else { return nil }
        func isPlain(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: false
            }
        }
        let bytes = Array(text.value.utf8)
        guard (1...63).contains(bytes.count), bytes.first.map(isPlain) == true, bytes.last.map(isPlain) == true,
            bytes.allSatisfy({ isPlain($0) || "-_.".utf8.contains($0) })
        else {
            report(
                .badZone, node, "“\(text.value)” is no zone name",
                hint: "1 to 63 letters, digits, - _ and ., with a letter or digit at each end")
            return nil
        }
        return text.value
    }
}
