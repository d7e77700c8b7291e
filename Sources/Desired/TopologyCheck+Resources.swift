import Topology

/// Clusters, hosts, tenants, VPCs: names, references, and what must be unique.
extension TopologyCheck {
    mutating func checkClusters() -> Cluster {
        var first: (draft: ClusterDraft, place: Place)?
        for (index, file) in files.enumerated() {
            for draft in file.clusters {
                let place = Place(file: index, mark: draft.mark)
                if let first {
                    report(
                        .secondCluster, place, "there is already a Cluster at \(location(first.place))",
                        hint: "keep one of them", other: first.place)
                } else {
                    first = (draft, place)
                }
            }
        }
        guard let first, let name = first.draft.name else { return Cluster() }
        var cluster = Cluster(name: name.text, at: location(first.place))
        if let port = first.draft.port { cluster.port = UInt16(port) }
        if let settle = first.draft.settle { cluster.settle = settle }
        if let direct = first.draft.direct { cluster.direct = direct }
        if let health = first.draft.health { cluster.health = health }
        if let guards = first.draft.guards { cluster.guards = guards }
        if let dscp = first.draft.dscp { cluster.dscp = dscp }
        return cluster
    }

    mutating func collectTenants() {
        for (index, file) in files.enumerated() {
            for draft in file.tenants {
                let place = Place(file: index, mark: draft.name.mark)
                if let first = tenantByName[draft.name.text] {
                    reportDuplicate("tenant", draft.name.text, place, first: first)
                    continue
                }
                tenantByName[draft.name.text] = place
                tenants.append(draft)
                claimID(draft.name.text, place)
            }
        }
    }

    mutating func collectHosts() {
        var addresses: [IPAddress: Int] = [:]
        for (index, file) in files.enumerated() {
            for draft in file.hosts {
                let facts = HostFacts(draft: draft, place: Place(file: index, mark: draft.name.mark))
                if let first = hostByName[draft.name.text] {
                    reportDuplicate("host", draft.name.text, facts.place, first: hosts[first].place)
                    continue
                }
                hostByName[draft.name.text] = hosts.count
                if let address = draft.address {
                    if let first = addresses[address.value] {
                        report(
                            .hostAddressTaken, Place(file: index, mark: address.mark),
                            "host “\(hosts[first].draft.name.text)” (\(location(hosts[first].place))) has the address "
                                + "\(address.value) already",
                            hint: "correct one of them", other: hosts[first].place)
                    } else {
                        addresses[address.value] = hosts.count
                    }
                }
                hosts.append(facts)
                claimID(draft.name.text, facts.place)
            }
        }
    }

    mutating func collectVPCs() {
        var vnis: [Int: Int] = [:]
        var tags: [VPCTag: Int] = [:]
        for (index, file) in files.enumerated() {
            for draft in file.vpcs {
                let facts = VPCFacts(draft: draft, place: Place(file: index, mark: draft.name.mark))
                if let first = vpcByName[draft.name.text] {
                    reportDuplicate("VPC", draft.name.text, facts.place, first: vpcs[first].place)
                    continue
                }
                vpcByName[draft.name.text] = vpcs.count
                if draft.name.isSound, tenantByName[draft.name.parent] == nil {
                    miss(.tenant, draft.name.parent, facts.place)
                }
                if let vni = draft.vni {
                    if let first = vnis[vni.value] {
                        report(
                            .duplicateVNI, Place(file: index, mark: vni.mark),
                            "VPC “\(vpcs[first].draft.name.text)” (\(location(vpcs[first].place))) has the VNI "
                                + "\(vni.value) already",
                            hint: "choose another number", other: vpcs[first].place)
                    } else {
                        vnis[vni.value] = vpcs.count
                    }
                }
                vpcs.append(facts)
                claimID(draft.name.text, facts.place)
                let tag = VPCTag(of: identify(draft.name.text))
                if let first = tags[tag] {
                    report(
                        .tagCollision, facts.place,
                        "“\(draft.name.text)” and “\(vpcs[first].draft.name.text)” (\(location(vpcs[first].place))) have the same tag",
                        hint: "rename one of them", other: vpcs[first].place)
                } else {
                    tags[tag] = vpcs.count - 1
                }
            }
        }
    }

    /// Whether bouncers and dividers find hosts to be on.
    mutating func checkRoles() {
        let asks =
            vpcs.map { (place: $0.place, asked: $0.draft.dividers, word: "dividers") }
            + networks.map { (place: $0.place, asked: $0.draft.bouncers, word: "bouncers") }
        guard !obscured.contains(.host), let first = asks.map(\.place).min() else { return }
        // What a host's wrong field should have said is unknown: it counts as eligible.
        let eligible = hosts.count { ($0.draft.state ?? .active) == .active && ($0.draft.weight ?? 1) > 0 }
        guard eligible > 0 else {
            return report(
                .noEligibleHost, first,
                hosts.isEmpty
                    ? "there is no host to take the bouncer and divider roles"
                    : "none of the \(hosts.count) hosts may take the bouncer and divider roles",
                hint: hosts.isEmpty ? "add a Host" : "at least one must be active with a weight above 0")
        }
        for ask in asks {
            guard let asked = ask.asked else { continue }
            let place = Place(file: ask.place.file, mark: asked.mark)
            if asked.value > eligible, eligible <= Self.roleLimit {
                report(
                    .fewEligibleHosts, place,
                    "\(asked.value) \(ask.word) are asked for, and \(eligible) host\(eligible == 1 ? " is" : "s are") eligible",
                    hint: "\(eligible == 1 ? "it serves" : "all of them serve")")
            } else if asked.value > Self.roleLimit {
                report(
                    .roleLimit, place, "\(asked.value) \(ask.word) are asked for, and \(Self.roleLimit) are the most",
                    hint: "\(Self.roleLimit) serve")
            }
        }
    }

    /// `MZR_MEMBERS_MAX` of mizar_abi.h, which this module does not see; a test compares the two.
    static let roleLimit = 64
}
