import Topology

/// The rules over all files together, and the topology that passes them.
///
/// Each wrong thing is reported once, where it is wrong: what only follows from another error stays silent.
struct TopologyCheck {
    /// A place in one of `files`.
    struct Place: Comparable, Hashable {
        var file: Int
        var mark: Mark

        static func < (left: Self, right: Self) -> Bool { (left.file, left.mark) < (right.file, right.mark) }
    }

    struct HostFacts {
        var draft: HostDraft
        var place: Place
    }

    struct VPCFacts {
        var draft: VPCDraft
        var place: Place
    }

    struct NetworkFacts {
        var draft: NetworkDraft
        var place: Place
        /// In `vpcs`; nil if that is unknown.
        var vpc: Int?
        /// One for each of the draft's blocks, defaults filled in.
        var gateways: [IPAddress?] = []
    }

    /// A name that no document defines, and who names it.
    struct Missing {
        var kind: ResourceKind
        var name: String
        var first: Place
        var count: Int
    }

    let files: [ParsedFile]
    /// Of a name; a parameter so that collisions can be tested.
    let identify: (String) -> UInt64
    var diagnostics: [Diagnostic]
    private var listed: [Diagnostic.Severity: Int] = [:]
    /// Whether there are as many errors as are listed: nothing more needs to be checked.
    var isFull: Bool { listed[.error, default: 0] >= ReadLimits.listed }
    var obscured: Set<ResourceKind> = []

    var hosts: [HostFacts] = []
    var tenants: [TenantDraft] = []
    var vpcs: [VPCFacts] = []
    var networks: [NetworkFacts] = []
    var endpoints: [Endpoint] = []
    var hostEndpoints: [HostEndpointFacts] = []
    var hostByName: [String: Int] = [:]
    var tenantByName: [String: Place] = [:]
    var vpcByName: [String: Int] = [:]
    var networkByName: [String: Int] = [:]
    var missing: [Missing] = []
    var missingByName: [String: Int] = [:]
    var names: [UInt64: (name: String, place: Place)] = [:]

    /// `files` sorted by path.
    init(_ files: [ParsedFile], skipped: [Diagnostic] = [], identify: @escaping (String) -> UInt64 = StableHash.id) {
        self.files = files
        self.identify = identify
        diagnostics = files.flatMap(\.diagnostics) + skipped
        for file in files { obscured.formUnion(file.obscured) }
    }

    consuming func run() -> ReadResult {
        let cluster = checkClusters()
        collectTenants()
        collectHosts()
        collectVPCs()
        collectNetworks()
        checkOverlaps()
        checkEndpoints()
        checkHostEndpoints()
        checkRoles()
        reportMissing()
        reportUnlisted()
        if !files.contains(where: \.hasDocuments) {
            diagnostics.append(
                .finding(
                    .emptyTree, at: SourceLocation(file: ".", line: 1, column: 1),
                    files.isEmpty
                        ? "there is no *.yaml or *.yml file here" : "none of the \(files.count) files holds a document",
                    hint: "check the path; an empty tree is never applied", other: nil))
        }
        diagnostics.sort()
        let hasErrors = diagnostics.contains { $0.severity == .error }
        return ReadResult(topology: hasErrors ? nil : topology(cluster), diagnostics: diagnostics)
    }

    // MARK: Reporting

    func location(_ place: Place) -> SourceLocation { files[place.file].place(place.mark) }

    mutating func report(
        _ code: DiagnosticCode, _ place: Place, _ message: String, hint: String? = nil,
        other: Place? = nil
    ) {
        listed[code.severity, default: 0] += 1
        guard listed[code.severity, default: 0] <= ReadLimits.listed else { return }
        diagnostics.append(
            .finding(code, at: location(place), message, hint: hint, other: other.map(location)))
    }

    /// Says that there are more findings than are listed, behind the last one of their severity.
    private mutating func reportUnlisted() {
        for (severity, code) in [(Diagnostic.Severity.error, DiagnosticCode.tooManyFindings), (.warning, .tooManyWarnings)] {
            let count = listed[severity, default: 0] - ReadLimits.listed
            guard count >= (severity == .error ? 0 : 1),
                let last = diagnostics.filter({ $0.severity == severity }).map(\.at).max()
            else { continue }
            diagnostics.append(
                .finding(
                    code, at: last,
                    severity == .error
                        ? "there are \(ReadLimits.listed) errors or more: the rest was not checked"
                        : "there \(count == 1 ? "is 1 more warning" : "are \(count) more warnings")",
                    hint: "mend those above first", other: nil))
        }
    }

    /// Remembers a name that is not defined, unless an unreadable document may define it.
    mutating func miss(_ kind: ResourceKind, _ name: String, _ place: Place) {
        guard !obscured.contains(kind) else { return }
        let key = "\(kind.rawValue) \(name)"
        if let index = missingByName[key] {
            missing[index].count += 1
            missing[index].first = min(missing[index].first, place)
        } else if missing.count >= ReadLimits.listed * ResourceKind.allCases.count {
            return
        } else {
            missingByName[key] = missing.count
            missing.append(Missing(kind: kind, name: name, first: place, count: 1))
        }
    }

    private mutating func reportMissing() {
        // Bounded: a tree of nothing but mistakes must not take for ever.
        var budget = 200_000
        for missing in missing {
            let (code, word, known): (DiagnosticCode, String, [String]) =
                switch missing.kind {
                case .tenant: (.unknownTenant, "tenant", Array(tenantByName.keys))
                case .vpc: (.unknownVPC, "VPC", Array(vpcByName.keys))
                case .host: (.unknownHost, "host", Array(hostByName.keys))
                case .network, .endpoints, .cluster: (.unknownNetwork, "network", Array(networkByName.keys))
                }
            budget -= known.count
            let meant = budget >= 0 ? Suggestion.closest(to: missing.name, among: known) : nil
            // A definition whose own name is wrong, as already reported, is what is meant.
            if let meant, isUnsound(meant, missing.kind) { continue }
            report(
                code, missing.first,
                "there is no \(word) “\(missing.name)”"
                    + (missing.count > 1 ? ", which \(missing.count) places name" : ""),
                hint: meant.map { "did you mean “\($0)”?" } ?? "add it, or correct the name")
        }
    }

    private func isUnsound(_ name: String, _ kind: ResourceKind) -> Bool {
        switch kind {
        case .host: hostByName[name].map { !hosts[$0].draft.name.isSound } ?? false
        case .vpc: vpcByName[name].map { !vpcs[$0].draft.name.isSound } ?? false
        case .network, .endpoints: networkByName[name].map { !networks[$0].draft.name.isSound } ?? false
        case .tenant: tenants.contains { $0.name.text == name && !$0.name.isSound }
        case .cluster: false
        }
    }

    /// Reports `name` if another name has its id already; gives the place of the same name, if there was one.
    ///
    /// A host and a tenant may share a name and so an id: they never meet in one table.
    @discardableResult
    mutating func claimID(_ name: String, _ place: Place) -> Place? {
        let id = identify(name)
        guard let first = names.updateValue((name, place), forKey: id) else { return nil }
        names[id] = first
        if first.name == name { return first.place }
        report(
            .idCollision, place, "“\(name)” and “\(first.name)” (\(location(first.place))) have the same id",
            hint: "rename one of them", other: first.place)
        return nil
    }

    mutating func reportDuplicate(_ word: String, _ name: String, _ place: Place, first: Place) {
        report(
            .duplicateName, place, "\(word) “\(name)” is already defined at \(location(first))",
            hint: "rename or remove one of them", other: first)
    }

    private func topology(_ cluster: Cluster) -> Topology {
        Topology(
            cluster: cluster,
            hosts: hosts.compactMap { host in
                guard let address = host.draft.address, let interface = host.draft.interface,
                    let zone = host.draft.zone, let weight = host.draft.weight, let state = host.draft.state,
                    let datapath = host.draft.datapath, let ipsec = host.draft.ipsec
                else { return nil }
                return Host(
                    name: host.draft.name.text, address: address.value, interface: interface.value, zone: zone,
                    weight: weight, state: state, datapath: datapath, mtu: host.draft.mtu?.value,
                    ipsec: ipsec, at: location(host.place))
            },
            tenants: tenants.compactMap { tenant in
                tenantByName[tenant.name.text].map { Tenant(name: tenant.name.text, protect: tenant.protect, at: location($0)) }
            },
            vpcs: vpcs.compactMap { vpc in
                guard let vni = vpc.draft.vni else { return nil }
                let dividers = vpc.draft.dividers
                return VPC(
                    name: vpc.draft.name.text, vni: UInt32(vni.value), cidrs: vpc.draft.cidrs.list.map(\.value),
                    dividers: dividers?.value ?? 2, dividersAt: dividers.map { location(Place(file: vpc.place.file, mark: $0.mark)) },
                    protect: vpc.draft.protect, at: location(vpc.place))
            },
            networks: networks.map { network in
                let bouncers = network.draft.bouncers
                return Network(
                    name: network.draft.name.text, vpc: network.draft.name.parent,
                    cidrs: network.draft.cidrs.list.map(\.value), gateways: network.gateways,
                    bouncers: bouncers?.value ?? 2,
                    bouncersAt: bouncers.map { location(Place(file: network.place.file, mark: $0.mark)) },
                    protect: network.draft.protect, at: location(network.place))
            },
            endpoints: endpoints)
    }
}
