public import Topology

/// What one host has to do to get from what was observed to what the topology wants.
public enum Planner {
    /// The plan of `host` for `topology`; nil if the topology has no such host.
    ///
    /// - Parameters:
    ///   - base: the topology that this host last applied, if it is known: names for what is gone, and VNIs that change
    ///     hands.
    ///   - skipped: who had which VNI in commits between the two, which this host never applied, and others may have.
    ///   - commit: hexadecimal object id of `topology`; empty: a plain folder.
    ///   - through: this phase and those before it are due and later ones wait, whatever the clock says: for whoever knows
    ///     when all hosts have done a phase. Nil: the clock and the cluster's settle time say what is due.
    public static func plan(
        _ topology: Topology, base: Topology? = nil, skipped: Set<VNIOwner> = [], host name: String, commit: String,
        observation: Observation, through: Phase? = nil
    ) -> Plan? {
        plan(
            TopologyIndex(topology), base: base.map { TopologyIndex($0) }, skipped: skipped, host: name, commit: commit,
            observation: observation, through: through)
    }

    static func plan(
        _ index: TopologyIndex, base: TopologyIndex?, skipped: Set<VNIOwner> = [], host name: String, commit: String,
        observation: Observation, through: Phase?
    ) -> Plan? {
        guard let host = index.host(name) else { return nil }
        var differ = Differ(
            index: index, base: base, skipped: skipped, host: host, observation: observation, through: through)
        differ.run(commit: commit)
        var plan = Plan(
            host: name, commit: commit, stateDigest: observation.digest, steps: differ.orderedSteps,
            waiting: differ.waiting.sorted { ($0.due, $0.step.subject) < ($1.due, $1.step.subject) })
        plan.pending = pending(index, host: host, observation: observation, devices: differ.meanwhile.devices)
        plan.warnings = differ.warnings
        return plan
    }

    private static func pending(
        _ index: TopologyIndex, host: Host, observation: Observation, devices: Devices
    ) -> [Plan.Pending] {
        var result: [Plan.Pending] = []
        let blocked = Dictionary(devices.blocked.map { ($0.endpoint.name, $0.interface) }) { first, _ in first }
        if devices.uplink.interface == nil {
            result.append(Plan.Pending(name: host.name, interface: host.interface, at: host.at))
        }
        for number in index.endpointsOfHost[host.name] ?? [] {
            let endpoint = index.topology.endpoints[number]
            if devices.interfaces[endpoint.interface] == nil {
                let interface = blocked[endpoint.name] ?? endpoint.interface
                result.append(Plan.Pending(name: endpoint.name, interface: interface, at: endpoint.at))
            }
        }
        return result
    }
}
