import CBPF
import Glibc
public import Topology

extension Lab {
    /// Makes the namespaces and links of `topology`, or makes those of a running lab like it, and reconciles every host.
    ///
    /// A lab that runs is reconciled in three rounds, each of all hosts: no host takes down what another still points to.
    /// Links get what the hosts will need before, and lose what they needed after. What is there already and right is not
    /// touched.
    ///
    /// - Parameter reconcile: the arguments of `executable` for a host and a phase (`add`, `switch`, `remove`: up to and
    ///   including it); it runs in the host's network namespace. Nil: none for this host.
    /// - Returns: every run that ended well, round by round, each in the order of the hosts.
    @discardableResult
    public func up(
        _ topology: Topology, underlay: Underlay = .bridged, reconcile: @escaping @Sendable (Host, String) -> [String]?
    ) async throws(LabError) -> [Reconciliation] {
        let lock = try LabLock(self)
        defer { lock.unlock() }
        let layout = Layout(topology, lab: self, underlay: underlay)
        let before = try await snapshot(removingLeftovers: true)
        try refuseForeign(before)
        let wasRunning = topology.hosts.contains { before.has(namespace(host: $0.name)) }

        let kept = Set(layout.endpoints.map(\.namespace))
        try await remove(before.links.keys.filter { $0.hasPrefix(prefix + "ep.") && !kept.contains($0) })
        try await addNamespaces(layout, before)
        try await connectHosts(layout, before)
        try await connectEndpoints(layout, before)

        try Self.mountBPFFileSystem()
        mkdir(bpffs, 0o700)
        var runs: [Reconciliation] = []
        for phase in wasRunning ? ["add", "switch", "remove"] : ["remove"] {
            runs += try await reconcileAll(topology.hosts, phase, reconcile)
            // Their hosts answer for the new gateways and MACs by now; a gateway's MAC is still remembered by who asked.
            if phase == "add" { try await adjustEndpoints(layout) }
        }
        try releaseOffloads(layout)
        try await removeHosts(before, kept: Set(topology.hosts.map(\.name)))
        return runs
    }

    /// Everything of this lab that exists.
    func snapshot(removingLeftovers: Bool = false) async throws(LabError) -> Snapshot {
        let names = Namespace.names(prefix: prefix)
        for name in names where removingLeftovers && !Namespace.isAlive(name) { unlink(Namespace.path(name)) }
        return try await Snapshot.read(names.filter(Namespace.isAlive))
    }

    /// Links that the kernel itself puts into every new namespace, where their modules are loaded.
    private static let fallbackLinks: Set = [
        "lo", "tunl0", "sit0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "ip6tnl0", "ip6gre0",
    ]

    /// A namespace that somebody else uses under a name of ours is left alone. One without our mark and with nothing
    /// in it is what a killed `up` leaves.
    private func refuseForeign(_ snapshot: Snapshot) throws(LabError) {
        for (name, links) in snapshot.links.sorted(by: { $0.key < $1.key }) {
            guard links["lo"] == prefix || Self.fallbackLinks.isSuperset(of: links.keys) else {
                throw LabError(
                    "use", "namespace \(name)", cause: "it exists and is not of this lab; take another name for the lab")
            }
        }
    }

    private func addNamespaces(_ layout: Layout, _ before: Snapshot) async throws(LabError) {
        let names = [underlayNamespace] + layout.hosts.map(\.namespace) + layout.endpoints.map(\.namespace)
        let missing = names.filter { !before.has($0) }
        try await Command.ip(missing.map { "netns add \($0)" })
        let unmarked = names.filter { before.alias("lo", in: $0) != prefix }
        try await Command.forEach(unmarked) { name throws(LabError) in
            try Namespace.within(name) { Sysctl.quiet(isUnderlay: name == underlayNamespace) }
            try await Command.ip(["link set dev lo alias \(prefix)", "link set dev lo up"], in: name)
        }
        let hasBridge = before.alias("br0", in: underlayNamespace) != nil
        switch layout.underlay {
        case .bridged where !hasBridge:
            try await Command.ip(
                ["link add name br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0", "link set dev br0 up"],
                in: underlayNamespace)
        case .routed:
            if hasBridge { try await Command.ip(["link del dev br0"], in: underlayNamespace) }
            try Namespace.within(underlayNamespace) { Sysctl.forward() }
        case .bridged: break
        }
    }

    private func connectHosts(_ layout: Layout, _ before: Snapshot) async throws(LabError) {
        let wrong = layout.hosts.filter { before.alias($0.interface, in: $0.namespace) != $0.alias }
        let ports = Set(wrong.map(\.port))
        // Either end takes the other along.
        let old = before.links[underlayNamespace, default: [:]].keys.filter(ports.contains)
        try await Command.ip(old.sorted().map { "link del dev \($0)" }, in: underlayNamespace)
        try await Command.ip(wrong.map { Layout.creation($0, underlay: underlayNamespace) })
        try await Command.ip(wrong.flatMap { layout.underlayLines($0) }, in: underlayNamespace)
        try await Command.forEach(wrong) { link throws(LabError) in
            try await Command.ip(layout.hostLines(link), in: link.namespace)
        }
        // Before a host forwards in XDP; what no host needs any more stays until all have left it.
        if layout.needsChecksums { try setTransmitChecksum(false, layout.hosts) }
        try setReceiveAggregation(true, layout.hosts.filter(\.isXDP))
    }

    /// Takes back what XDP needed, where no host forwards in it any more.
    private func releaseOffloads(_ layout: Layout) throws(LabError) {
        if !layout.needsChecksums { try setTransmitChecksum(true, layout.hosts) }
        try setReceiveAggregation(false, layout.hosts.filter { !$0.isXDP })
    }

    private func setTransmitChecksum(_ isOn: Bool, _ links: [Layout.HostLink]) throws(LabError) {
        for link in links {
            let isSet = try Namespace.within(link.namespace) { Offload.transmitChecksum.set(isOn, interface: link.interface) }
            guard isSet else {
                throw LabError("set checksum offload of", "\(link.interface) of \(link.host)", cause: Files.errorText())
            }
        }
    }

    /// What XDP redirects out of a veth is picked up at the other end only if that end polls, as it does for GRO.
    private func setReceiveAggregation(_ isOn: Bool, _ links: [Layout.HostLink]) throws(LabError) {
        let refused = try Namespace.within(underlayNamespace) {
            links.first { !Offload.receiveAggregation.set(isOn, interface: $0.port) }
        }
        if let refused {
            throw LabError("set receive offload of", "the underlay's port of \(refused.host)", cause: Files.errorText())
        }
    }

    private func connectEndpoints(_ layout: Layout, _ before: Snapshot) async throws(LabError) {
        // Of a lab that was not there before, nothing but what was just made is there now.
        var now = before.links.isEmpty ? before : try await snapshot()
        var wrong = layout.endpoints.filter { !$0.stands(in: now) }
        // The name on the host may be taken, by an older link of the same endpoint or by another's.
        let taken = wrong.filter { now.alias($0.interface, in: $0.hostNamespace) != nil }
        let unfinished = wrong.filter { now.alias(Self.temporary, in: $0.namespace) != nil }
        if !taken.isEmpty || !unfinished.isEmpty {
            for link in unfinished { try await Command.ip(["link del dev \(Self.temporary)"], in: link.namespace) }
            let afterUnfinished = try await snapshot()
            for link in taken where afterUnfinished.alias(link.interface, in: link.hostNamespace) != nil {
                try await Command.ip(["link del dev \(link.interface)"], in: link.hostNamespace)
            }
            now = try await snapshot()
            wrong = layout.endpoints.filter { !$0.stands(in: now) }
        }
        // Make before break: the new link is there before the old one goes.
        let snapshot = now
        try await Command.ip(
            wrong.map { link in
                let isFirst = snapshot.alias("eth0", in: link.namespace) == nil
                return Layout.creation(link, name: isFirst ? "eth0" : Self.temporary)
            })
        var perHost: [String: [String]] = [:]
        for link in wrong { perHost[link.hostNamespace, default: []].append("link set dev \(link.interface) up") }
        try await Command.forEach(perHost.sorted { $0.key < $1.key }) { host throws(LabError) in
            try await Command.ip(host.value, in: host.key)
        }
        try await Command.forEach(wrong) { link throws(LabError) in
            let isFirst = snapshot.alias("eth0", in: link.namespace) == nil
            let swap = ["link del dev eth0", "link set dev \(Self.temporary) name eth0"]
            try await Command.ip((isFirst ? [] : swap) + Layout.lines(link), in: link.namespace)
        }
    }

    /// Gives endpoints whose links stay the MACs and gateways that they have by now.
    private func adjustEndpoints(_ layout: Layout) async throws(LabError) {
        let now = try await snapshot()
        let changed = layout.endpoints.filter { now.alias("eth0", in: $0.namespace) != $0.alias }
        try await Command.forEach(changed) { link throws(LabError) in
            try await Command.ip(Layout.adjustment(link), in: link.namespace)
        }
    }

    private static let temporary = "eth0-new"

    private func reconcileAll(
        _ hosts: [Host], _ phase: String, _ reconcile: @escaping @Sendable (Host, String) -> [String]?
    ) async throws(LabError) -> [Reconciliation] {
        let outcomes = await Command.map(hosts) { host -> Result<Reconciliation, LabError>? in
            guard let arguments = reconcile(host, phase) else { return nil }
            do throws(LabError) {
                let outcome = try await run(arguments, host: host.name)
                guard outcome.succeeded else {
                    let text = outcome.error.isEmpty ? outcome.output : outcome.error
                    return .failure(LabError("reconcile", host.name, cause: text.isEmpty ? Command.firstLine(text) : text))
                }
                return .success(Reconciliation(host: host.name, phase: phase, output: outcome.output))
            } catch {
                return .failure(error)
            }
        }.compactMap(\.self)
        var runs: [Reconciliation] = []
        var failures: [LabError] = []
        for outcome in outcomes {
            switch outcome {
            case .success(let run): runs.append(run)
            case .failure(let error): failures.append(error)
            }
        }
        guard let first = failures.first else { return runs }
        guard failures.count > 1 else { throw first }
        throw LabError(
            "reconcile", failures.map(\.subject).joined(separator: ", "),
            cause: failures.map { "\($0.subject): \($0.cause)" }.joined(separator: "\n"))
    }

    /// Runs `executable` in a host's network namespace, and waits for it.
    func run(_ arguments: [String], host: String) async throws(LabError) -> Command.Outcome {
        // By path: /proc/self would be nsenter's.
        let program = try Self.realPath(executable)
        return try await Command.run(
            "nsenter", ["--net=" + Namespace.path(namespace(host: host)), "--", program] + arguments)
    }

    private static func realPath(_ path: String) throws(LabError) -> String {
        guard let real = realpath(path, nil) else { throw LabError("find", path, cause: Files.errorText()) }
        defer { free(real) }
        return String(cString: real)
    }

    private static func mountBPFFileSystem() throws(LabError) {
        guard mzr_file_system_type("/sys/fs/bpf") != 0xcafe_4a11 else { return }  // BPF_FS_MAGIC
        guard mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=0700") == 0 else {
            throw LabError("mount", "/sys/fs/bpf", cause: Files.errorText())
        }
    }
}
