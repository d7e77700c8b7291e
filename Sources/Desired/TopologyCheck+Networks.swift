import Topology

/// Networks: their VPC, their blocks and their gateways.
extension TopologyCheck {
    mutating func collectNetworks() {
        for (index, file) in files.enumerated() {
            for draft in file.networks {
                var facts = NetworkFacts(draft: draft, place: Place(file: index, mark: draft.name.mark))
                if let first = networkByName[draft.name.text] {
                    reportDuplicate("network", draft.name.text, facts.place, first: networks[first].place)
                    continue
                }
                networkByName[draft.name.text] = networks.count
                if draft.name.isSound {
                    facts.vpc = vpcByName[draft.name.parent]
                    if facts.vpc == nil { miss(.vpc, draft.name.parent, facts.place) }
                }
                checkContainment(facts)
                facts.gateways = gateways(of: facts)
                networks.append(facts)
                claimID(draft.name.text, facts.place)
            }
        }
    }

    private mutating func checkContainment(_ network: NetworkFacts) {
        guard let vpc = network.vpc, vpcs[vpc].draft.cidrs.isSound else { return }
        let blocks = vpcs[vpc].draft.cidrs.list.map(\.value)
        for cidr in network.draft.cidrs.list where !blocks.contains(where: { $0.contains(cidr.value) }) {
            report(
                .outsideVPC, Place(file: network.place.file, mark: cidr.mark),
                "\(cidr.value) is not within VPC “\(network.draft.name.parent)”",
                hint: "its CIDRs are \(blocks.map(\.description).joined(separator: ", "))")
        }
    }

    /// The gateway of each block: as said, or the first usable address.
    private mutating func gateways(of network: NetworkFacts) -> [IPAddress?] {
        let blocks = network.draft.cidrs.list.map(\.value)
        var said = [Located<IPAddress>?](repeating: nil, count: blocks.count)
        for gateway in network.draft.gateways {
            let place = Place(file: network.place.file, mark: gateway.mark)
            guard let index = blocks.firstIndex(where: { $0.contains(gateway.value) }) else {
                if network.draft.cidrs.isSound {
                    report(
                        .gatewayOutside, place, "the gateway \(gateway.value) is not within the network",
                        hint: "its CIDRs are \(blocks.map(\.description).joined(separator: ", "))")
                }
                continue
            }
            if let first = said[index] {
                report(
                    .secondGateway, place, "\(blocks[index]) has the gateway \(first.value) already",
                    hint: "keep one of them", other: Place(file: network.place.file, mark: first.mark))
                continue
            }
            said[index] = gateway
            if let word = Self.reservation(of: gateway.value, in: blocks[index]) {
                report(
                    .gatewayReserved, place, "\(gateway.value) is the \(word) address of \(blocks[index])",
                    hint: "leave the gateway out for \(IPAddress(bits: blocks[index].first.bits + 1))")
            }
        }
        return zip(blocks, said).map { block, gateway in
            gateway?.value ?? (block.isPointToPoint ? nil : IPAddress(bits: block.first.bits + 1))
        }
    }

    /// What keeps an address of a block from being anybody's: `network` or `broadcast`.
    static func reservation(of address: IPAddress, in block: CIDR) -> String? {
        if block.isPointToPoint { return nil }
        if address == block.first { return "network" }
        return block.isIPv4 && address == block.last ? "broadcast" : nil
    }

    mutating func checkOverlaps() {
        for vpc in vpcs {
            let blocks = vpc.draft.cidrs.list.map { ($0.value, Place(file: vpc.place.file, mark: $0.mark)) }
            for (inner, outer) in Self.overlaps(blocks) {
                report(
                    .overlapInVPC, inner.1, "\(inner.0) overlaps \(outer.0) of the same VPC",
                    hint: "remove the smaller one", other: outer.1)
            }
        }
        var byVPC: [[(CIDR, Place)]] = Array(repeating: [], count: vpcs.count)
        var nameByPlace: [[(Place, String)]] = Array(repeating: [], count: vpcs.count)
        for network in networks {
            guard let vpc = network.vpc else { continue }
            for cidr in network.draft.cidrs.list {
                let place = Place(file: network.place.file, mark: cidr.mark)
                byVPC[vpc].append((cidr.value, place))
                nameByPlace[vpc].append((place, network.draft.name.text))
            }
        }
        for (vpc, blocks) in byVPC.enumerated() {
            for (later, earlier) in Self.overlaps(blocks) {
                let owner = nameByPlace[vpc].first { $0.0 == earlier.1 }?.1 ?? ""
                report(
                    .overlappingNetworks, later.1,
                    "\(later.0) overlaps \(earlier.0) of network “\(owner)” at \(location(earlier.1))",
                    hint: "choose another block", other: earlier.1)
            }
        }
    }

    /// For each block that another one contains, the two, the one whose place is later first.
    ///
    /// Blocks either contain each other or are apart. So in the order of their prefixes, larger ones first, a block
    /// overlaps an earlier one exactly if it lies in the one that was last kept.
    private static func overlaps(_ blocks: [(CIDR, Place)]) -> [(later: (CIDR, Place), earlier: (CIDR, Place))] {
        let sorted = blocks.sorted {
            ($0.0.isIPv4 ? 0 : 1, $0.0.prefix, $0.0.fullLength, $0.1) < ($1.0.isIPv4 ? 0 : 1, $1.0.prefix, $1.0.fullLength, $1.1)
        }
        var overlaps: [((CIDR, Place), (CIDR, Place))] = []
        var outer: (CIDR, Place)?
        for block in sorted {
            if let outer, outer.0.contains(block.0) {
                overlaps.append(block.1 < outer.1 ? (outer, block) : (block, outer))
            } else {
                outer = block
            }
        }
        return overlaps
    }
}
