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
                hint: "its CIDRs are \(Self.list(blocks))")
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
                        hint: "its CIDRs are \(Self.list(blocks))")
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
        return network.draft.cidrs.list.indices.map { index in
            if let gateway = said[index] { return gateway.value }
            if blocks[index].isPointToPoint { return nil }
            let first = IPAddress(bits: blocks[index].first.bits + 1)
            if !first.isUnicast {
                report(
                    .notUnicast, Place(file: network.place.file, mark: network.draft.cidrs.list[index].mark),
                    "the first usable address of \(blocks[index]), \(first), cannot be a gateway's",
                    hint: "say one: gateway:")
            }
            return first
        }
    }

    /// For a message: the first of them.
    static func list(_ blocks: [CIDR]) -> String {
        blocks.prefix(8).map(\.description).joined(separator: ", ") + (blocks.count > 8 ? ", …" : "")
    }

    /// What keeps an address of a block from being anybody's: `network` or `broadcast`.
    static func reservation(of address: IPAddress, in block: CIDR) -> String? {
        if block.isPointToPoint { return nil }
        if address == block.first { return "network" }
        return block.isIPv4 && address == block.last ? "broadcast" : nil
    }

    /// A block, its place for a message, and the name of whose it is.
    struct Owned {
        var block: CIDR
        var place: Place
        var owner: String
    }

    mutating func checkOverlaps() {
        for vpc in vpcs {
            let blocks = vpc.draft.cidrs.list.map {
                Owned(block: $0.value, place: Place(file: vpc.place.file, mark: $0.mark), owner: "")
            }
            for (inner, outer) in Self.overlaps(blocks) {
                report(
                    .overlapInVPC, inner.place, "\(inner.block) overlaps \(outer.block) of the same VPC",
                    hint: "the larger one covers it: remove this one", other: outer.place)
            }
        }
        var byVPC: [[Owned]] = Array(repeating: [], count: vpcs.count)
        for network in networks {
            guard let vpc = network.vpc else { continue }
            for cidr in network.draft.cidrs.list {
                let place = Place(file: network.place.file, mark: cidr.mark)
                byVPC[vpc].append(Owned(block: cidr.value, place: place, owner: network.draft.name.text))
            }
        }
        for blocks in byVPC {
            for (inner, outer) in Self.overlaps(blocks) {
                report(
                    .overlappingNetworks, inner.place,
                    "\(inner.block) overlaps \(outer.block) of network “\(outer.owner)” at \(location(outer.place))",
                    hint: "choose another block", other: outer.place)
            }
        }
    }

    /// Each block that lies in others, with the smallest of those; of equal ones the later in the earlier.
    ///
    /// Blocks either contain each other or are apart. So in the order of their prefixes, larger ones first, the blocks
    /// around one are a stack. What is not an inner block is apart from all others: mending one finds no new one.
    static func overlaps(_ blocks: [Owned]) -> [(inner: Owned, outer: Owned)] {
        let sorted = blocks.sorted { left, right in
            if left.block.isIPv4 != right.block.isIPv4 { return left.block.isIPv4 }
            return (left.block, left.place) < (right.block, right.place)
        }
        var overlaps: [(Owned, Owned)] = []
        var around: [Owned] = []
        for inner in sorted {
            while let outer = around.last, !outer.block.contains(inner.block) { around.removeLast() }
            if let outer = around.last { overlaps.append((inner, outer)) }
            around.append(inner)
        }
        return overlaps
    }
}
