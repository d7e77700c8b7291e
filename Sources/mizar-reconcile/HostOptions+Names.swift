import Planner
import Topology

/// The topology does not have this host.
struct UnknownHost: Error, CustomStringConvertible {
    let description: String

    init(_ names: [String], in topology: Topology) {
        guard let name = names.first else {
            description = "this machine has no name; give --host"
            return
        }
        let known = topology.hosts.map(\.name)
        let near = Suggestion.near(name, among: known, most: 3)
        let rest = known.count > 8 ? " and \(known.count - 8) more" : ""
        let hint =
            known.isEmpty
            ? "it has none"
            : near.isEmpty ? "it has \(known.prefix(8).joined(separator: ", "))\(rest)" : "did you mean \(near.joined(separator: ", "))?"
        description =
            "the topology has no host “\(names.joined(separator: "” or “"))”; \(hint)"
            + "; to take everything off a host that left, use `mizar-reconcile detach`"
    }
}

extension HostOptions {
    /// Which of its names this host has in the topology.
    func entry(in topology: Topology) throws(UnknownHost) -> Host {
        for name in names {
            if let host = topology.hosts.first(where: { $0.name == name }) { return host }
        }
        throw UnknownHost(names, in: topology)
    }

    /// Which of its names the rows are of, where no topology says it; the first if they are another's.
    func name(in image: Image) -> String {
        names.first { image.applied?.host == StableHash.id($0) } ?? names.first ?? ""
    }
}
