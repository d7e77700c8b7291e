/// The namespaces and links of a lab that exist.
struct Snapshot: Sendable {
    /// Links by name, by namespace; with their alias, empty if none.
    var links: [String: [String: String]] = [:]

    func has(_ namespace: String) -> Bool { links[namespace] != nil }
    func alias(_ link: String, in namespace: String) -> String? { links[namespace]?[link] }

    /// Reads the namespaces of `names`.
    static func read(_ names: [String]) async throws(LabError) -> Snapshot {
        let outcomes = await Command.map(names) { name -> Result<Command.Outcome, LabError> in
            do throws(LabError) {
                return .success(try await Command.run("ip", ["-n", name, "-o", "link", "show"]))
            } catch {
                return .failure(error)
            }
        }
        var snapshot = Snapshot()
        for (name, outcome) in zip(names, outcomes) {
            let outcome = try outcome.get()
            guard outcome.succeeded else {
                throw LabError("read", "namespace \(name)", cause: Command.firstLine(outcome.error))
            }
            snapshot.links[name] = parse(outcome.output)
        }
        return snapshot
    }

    /// `3: eth0@if2: <UP> … \    link/ether …\    alias TEXT`, a line a link.
    static func parse(_ text: String) -> [String: String] {
        var links: [String: String] = [:]
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ", maxSplits: 2)
            guard fields.count == 3 else { continue }
            let name = fields[1].prefix { $0 != ":" && $0 != "@" }
            let parts = line.split(separator: "\\").map { $0.drop { $0 == " " } }
            let alias = parts.first { $0.hasPrefix("alias ") }.map { $0.dropFirst(6).prefix { $0 != " " } }
            links[String(name)] = String(alias ?? "")
        }
        return links
    }
}
