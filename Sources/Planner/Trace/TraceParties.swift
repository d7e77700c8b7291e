import Topology

/// Who sends, and to what: the question's words, found in the topology.
struct TraceParties {
    let from: Endpoint
    let fromNetwork: Network
    let vpc: VPC
    let home: Host
    /// Nil: an address was asked for, and no endpoint of the VPC has it. Of another VPC: its address was asked for.
    let to: Endpoint?
    let isOfOtherVPC: Bool
    let source: IPAddress
    let destination: IPAddress
    var notes: [String] = []

    init(_ question: TraceQuestion, _ index: TopologyIndex) throws(TraceQuestion.Refusal) {
        from = try Self.endpoint(question.from, index)
        guard let network = index.network(from.network), let vpc = index.vpc(network.vpc), let home = index.host(from.host) else {
            throw TraceQuestion.Refusal("\(question.from) is in no network")
        }
        (fromNetwork, self.vpc, self.home) = (network, vpc, home)
        if let address = IPAddress(question.to) {
            destination = address
            to = index.endpoint(EndpointKey(vni: vpc.vni, address: address))
            if let family = question.family, (family == .ipv4) != address.isIPv4 {
                throw TraceQuestion.Refusal("\(address) is no IPv\(family.rawValue) address", hint: "leave --ip out")
            }
            source = try Self.address(of: from, isIPv4: address.isIPv4)
            isOfOtherVPC = false
        } else {
            let target = try Self.endpoint(question.to, index)
            to = target
            (source, destination) = try Self.addresses(from, target, family: question.family)
            let other = index.network(target.network)?.vpc ?? ""
            isOfOtherVPC = other != vpc.name
            if isOfOtherVPC {
                notes.append(
                    "\(target.name) is in VPC \(other): the trace asks who has its address in \(vpc.name), for VPCs share nothing")
            }
        }
        if home.state == .down {
            notes.append("host \(home.name), where \(from.name) is, is down (\(home.at)): nothing is expected to come from it")
        }
    }

    private static func endpoint(_ path: String, _ index: TopologyIndex) throws(TraceQuestion.Refusal) -> Endpoint {
        if let number = index.endpointByID[StableHash.id(path)], index.topology.endpoints[number].name == path {
            return index.topology.endpoints[number]
        }
        guard path.split(separator: "/", omittingEmptySubsequences: false).count == 4 else {
            throw TraceQuestion.Refusal(
                "“\(path)” is neither an endpoint's path nor an address", hint: "write tenant/vpc/network/endpoint, or 10.0.1.10")
        }
        let meant = Suggestion.closest(to: path, among: index.topology.endpoints.lazy.map(\.name))
        throw TraceQuestion.Refusal(
            "the topology has no endpoint “\(path)”", hint: meant.map { "did you mean “\($0)”?" })
    }

    private static func address(of endpoint: Endpoint, isIPv4: Bool) throws(TraceQuestion.Refusal) -> IPAddress {
        guard let address = endpoint.addresses.first(where: { $0.isIPv4 == isIPv4 }) else {
            throw TraceQuestion.Refusal(
                "\(endpoint.name) has no \(isIPv4 ? "IPv4" : "IPv6") address (\(endpoint.at))",
                hint: "it has \(endpoint.addresses.map(\.description).joined(separator: ", "))")
        }
        return address
    }

    /// Of the family that both have.
    private static func addresses(
        _ from: Endpoint, _ to: Endpoint, family: TraceQuestion.Family?
    ) throws(TraceQuestion.Refusal) -> (IPAddress, IPAddress) {
        for isIPv4 in family.map({ [$0 == .ipv4] }) ?? [true, false] {
            let source = from.addresses.first { $0.isIPv4 == isIPv4 }
            let destination = to.addresses.first { $0.isIPv4 == isIPv4 }
            if let source, let destination { return (source, destination) }
        }
        if let family {
            _ = try address(of: from, isIPv4: family == .ipv4)
            _ = try address(of: to, isIPv4: family == .ipv4)
        }
        throw TraceQuestion.Refusal(
            "\(from.name) and \(to.name) have no addresses of one family (\(from.at), \(to.at))",
            hint: "give one of them an address of the other's family")
    }
}
