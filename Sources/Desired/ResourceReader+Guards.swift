import Topology

/// Values of `guards` and `protect`, as in ResourceReader+Values.swift.
extension ResourceReader {
    /// `true` or `false`, without quotes; nil if the field is absent or wrong.
    mutating func boolean(_ fields: Fields, _ field: Field) -> Bool? {
        guard let node = fields[field], yaml.nodes[node].kind != .refused else { return nil }
        if yaml.nodes[node].kind == .plain, type(of: node) == .boolean { return yaml.string(node).lowercased() == "true" }
        report(
            .wrongType, node, "`\(field.rawValue)` must be a boolean, not \(described(node))",
            hint: "write true or false, without quotes")
        return nil
    }

    /// A share such as `10%`, in percent; nil if the field is absent or wrong.
    mutating func percentage(_ fields: Fields, _ field: Field) -> Int? {
        guard let node = fields[field] else { return nil }
        if yaml.nodes[node].kind == .plain, type(of: node) == .integer {
            report(
                .wrongType, node, "`\(field.rawValue)` must be a percentage, not only a number (\(yaml.string(node)))",
                hint: "write \(yaml.string(node))%")
            return nil
        }
        guard let text = string(node, field) else { return nil }
        guard let number = Int(text.value.dropLast()), (0...100).contains(number), text.value == "\(number)%" else {
            report(
                .badPercentage, node, "“\(text.value)” is not a valid percentage",
                hint: "write a whole number from 0% to 100%, such as 10%")
            return nil
        }
        return number
    }
}
