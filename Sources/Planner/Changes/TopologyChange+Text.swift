import Topology

extension TopologyChange {
    /// One heading and its lines; a line begins with `+`, `~` or `-` where something comes, changes or goes.
    struct Section {
        let title: String
        let lines: [String]
    }

    /// How many lines resources may have before tenants are drawn together.
    private static let linesMost = 16
    /// How many things of a kind are listed one by one before they become one line.
    private static let alikeMost = 3

    /// - Parameter isWhole: every resource has a line of its own.
    func sections(isWhole: Bool = false) -> [Section] {
        let gone = Self.withoutParts(resources, isWhole: isWhole)
        let cluster = gone.filter { $0.tenant == nil }
        var result: [Section] = []
        if !cluster.isEmpty { result.append(Section(title: "cluster and hosts", lines: Self.lines(cluster, isWhole))) }
        let ofTenants = gone.filter { $0.tenant != nil }
        let tenants = Dictionary(grouping: ofTenants) { $0.tenant ?? "" }
        let sections = tenants.keys.sorted().map { name in
            Section(title: "tenant \(name)", lines: Self.lines(tenants[name] ?? [], isWhole))
        }
        if isWhole || sections.reduce(0, { $0 + $1.lines.count + 1 }) <= Self.linesMost {
            result += sections
        } else {
            let title = tenants.count == 1 ? sections.first?.title ?? "" : "tenants \(Self.short(tenants.keys.sorted()))"
            result.append(Section(title: title, lines: Self.lines(ofTenants, isWhole, most: 0)))
        }
        let moves = RoleMove.Role.allCases.flatMap { role in Self.lines(role, roles.filter { $0.role == role }, isWhole) }
        if !moves.isEmpty { result.append(Section(title: "roles that move as a result", lines: moves)) }
        return result
    }

    /// What stops, without marks; the same reason once.
    func stops(isWhole: Bool = false) -> [String] {
        Self.alike(interruptions, isWhole: isWhole) {
            "\($0.cause.rawValue) \($0.tenant ?? "") \($0.resource.kind.rawValue) \($0.ends.rawValue)"
        }
        .map { group in
            guard let first = group.first else { return "" }
            let time = first.duration(settle: settle)
            if group.count == 1 {
                let size = first.resource.kind == .endpoint ? "" : " (\(Self.count(first.endpoints, "endpoint")))"
                return "\(first.resource.text)\(size): \(first.what) stops \(time): \(first.why)"
            }
            let many = group.reduce(0) { $0 + $1.endpoints }
            let size = first.resource.kind == .endpoint ? "" : ", \(Self.count(many, "endpoint"))"
            let sameWhat = group.allSatisfy { $0.what == first.what } ? first.what : "traffic"
            let sameWhy = group.allSatisfy { $0.why == first.why } ? first.why : Self.summary(first.cause)
            return
                "\(Self.count(group.count, Self.noun(first.resource.kind)))\(size) (\(Self.short(group.map(\.resource.name)))): "
                + "\(sameWhat) stops \(time): \(sameWhy)"
        }
    }

    /// Of many whose reasons differ in a name or number.
    private static func summary(_ cause: Interruption.Cause) -> String {
        switch cause {
        case .removed: "they are removed"
        case .vni: "their VNIs change"
        case .renamed: "hosts treat a renamed VPC as a new one"
        case .hostDown: "they are down from now on"
        case .hostAddress: "their addresses change"
        case .uplink: "their uplinks change"
        case .gateway: "their gateways change"
        case .address: "their addresses change or go"
        case .interface: "their interfaces change"
        case .renamedAndMoved: "path and host change at once"
        case .interfaceTaken: "other endpoints get what they had on the old hosts at once"
        }
    }

    // MARK: Resources

    /// Without what comes or goes with a tenant, VPC or network that does.
    private static func withoutParts(_ changes: [ResourceChange], isWhole: Bool) -> [ResourceChange] {
        if isWhole { return changes }
        let roots = Set(changes.filter { $0.action != .update }.map { Key($0.action, $0.resource.name) })
        return changes.filter { change in
            guard change.action == .delete else { return true }
            var path = ResourceComparison.parent(change.resource.name)
            while !path.isEmpty {
                if roots.contains(Key(change.action, path)) { return false }
                path = ResourceComparison.parent(path)
            }
            return true
        }
    }

    private struct Key: Hashable {
        let action: Step.Action
        let name: String

        init(_ action: Step.Action, _ name: String) {
            self.action = action
            self.name = name
        }
    }

    private static func lines(_ changes: [ResourceChange], _ isWhole: Bool, most: Int = alikeMost) -> [String] {
        alike(changes, isWhole: isWhole, most: most) { change in
            let fields = change.action == .update ? change.differences.map(\.field).joined(separator: ",") : ""
            return "\(change.action.rawValue) \(change.resource.kind.rawValue) \(change.was == nil) \(fields)"
        }.map { $0.count == 1 ? $0[0].line : line(of: $0) }
    }

    private static func line(of group: [ResourceChange]) -> String {
        guard let first = group.first else { return "" }
        var words = "\(first.symbol) \(count(group.count, noun(first.resource.kind)))"
        switch first.action {
        case .create: words += " added"
        case .delete: words += " removed"
        case .update:
            let parts = first.differences.indices.map { number in
                let values = group.map { $0.differences[number] }
                let field = first.word(first.differences[number].field)
                let (before, after) = (Set(values.map { $0.before ?? "none" }), Set(values.map { $0.after ?? "none" }))
                // Of values that nearly all differ, only the field.
                if before.count > 8, after.count > 8 { return field }
                return "\(field) \(short(before.sorted())) -> \(short(after.sorted()))"
            }
            words += " \(((first.was == nil ? [] : ["renamed"]) + parts).joined(separator: ", "))"
        }
        return "\(words): \(short(group.map(\.resource.name)))"
    }

    private static func lines(_ role: RoleMove.Role, _ moves: [RoleMove], _ isWhole: Bool) -> [String] {
        if isWhole || moves.count <= alikeMost { return moves.map(\.line) }
        let leave = Set(moves.flatMap(\.leave)).sorted()
        let join = Set(moves.flatMap(\.join)).sorted()
        let kind = moves.first?.resource.kind ?? .network
        return [
            "~ \(role.rawValue) of \(count(moves.count, noun(kind))): \(RoleMove.hosts(leave)) -> \(RoleMove.hosts(join)): "
                + short(moves.map(\.resource.name))
        ]
    }

    // MARK: Words

    /// Groups of what is alike, in the order of their first; a small group falls apart.
    private static func alike<T>(_ all: [T], isWhole: Bool, most: Int = alikeMost, by key: (T) -> String) -> [[T]] {
        if isWhole { return all.map { [$0] } }
        var order: [String] = []
        var groups: [String: [T]] = [:]
        for one in all {
            let key = key(one)
            if groups[key] == nil { order.append(key) }
            groups[key, default: []].append(one)
        }
        return order.flatMap { key -> [[T]] in
            let group = groups[key] ?? []
            return group.count <= max(most, 1) ? group.map { [$0] } : [group]
        }
    }

    static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }

    private static func noun(_ kind: Inventory.Item.Kind) -> String { kind == .vpc ? "VPC" : kind.rawValue }

    /// The first few of them, and how many more.
    static func short(_ names: [String]) -> String {
        names.count <= alikeMost + 1
            ? names.joined(separator: ", ")
            : "\(names.prefix(alikeMost).joined(separator: ", ")) and \(names.count - alikeMost) more"
    }
}

extension ResourceChange {
    var symbol: String { action.symbol }

    /// Another host is a move.
    func word(_ field: String) -> String { resource.kind == .endpoint && field == "host" ? "moved" : field }

    /// `~ endpoint acme/prod/web/web-2: moved h2 -> h3  (web.yaml:12:3)`.
    var line: String {
        let kind = resource.text
        var parts: [String] = []
        switch action {
        case .create: parts = differences.compactMap { one in one.after.map { "\(one.field) \($0)" } }
        case .delete: parts = []
        case .update:
            if let was { parts.append("renamed, was \(was)") }
            parts += differences.map { "\(word($0.field)) \($0.before ?? "none") -> \($0.after ?? "none")" }
        }
        let place = action == .delete ? "" : resource.at.map { "  (\($0))" } ?? ""
        return "\(symbol) \(kind)\(parts.isEmpty ? "" : ": \(parts.joined(separator: ", "))")\(place)".printable
    }
}

extension RoleMove {
    var line: String {
        "~ \(role.rawValue) of \(resource.name): \(Self.hosts(leave)) -> \(Self.hosts(join))".printable
    }

    static func hosts(_ names: [String]) -> String { names.isEmpty ? "none" : TopologyChange.short(names) }
}
