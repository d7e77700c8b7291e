import Topology

/// Endpoints: names, addresses, hosts and interfaces.
extension TopologyCheck {
    /// What must be unique, with who has it.
    private struct Claims {
        struct Address: Hashable {
            var vpc: Int
            var address: IPAddress
        }

        struct Interface: Hashable {
            var host: Int
            var name: String
        }

        var addresses: [Address: Place] = [:]
        var interfaces: [Interface: Place] = [:]
    }

    mutating func checkEndpoints() {
        var claims = Claims()
        let count = files.reduce(0) { $0 + $1.endpoints.reduce(0) { $0 + $1.list.count } }
        claims.addresses.reserveCapacity(count)
        claims.interfaces.reserveCapacity(count)
        names.reserveCapacity(names.count + count)
        endpoints.reserveCapacity(count)
        for (index, file) in files.enumerated() {
            for document in file.endpoints where !isFull { check(document, file: index, &claims) }
        }
    }

    private mutating func check(_ document: EndpointsDraft, file: Int, _ claims: inout Claims) {
        var network: Int?
        if let name = document.network {
            network = networkByName[name.text]
            let place = Place(file: file, mark: name.mark)
            if document.isNetwork, let found = network, networks[found].place != place {
                // A second definition of the network, already reported: nothing in it can be judged.
                return
            }
            if network == nil, name.isSound { miss(.network, name.text, place) }
        }
        for draft in document.list where !isFull {
            let place = Place(file: file, mark: draft.mark)
            let name = "\(document.network?.text ?? "")/\(draft.name)"
            if document.network != nil, !draft.name.isEmpty {
                if let first = claimID(name, place) {
                    reportDuplicate("endpoint", name, place, first: first)
                    continue
                }
            }
            if let network { checkAddresses(of: draft, network, file, place, &claims) }
            checkPort(of: draft, name, file, place, &claims)
            if let network, draft.type == .host { noteHostEndpoint(draft, network, place) }
            guard let network = document.network, let host = draft.host, let interfaces = interfaces(of: draft, name) else {
                continue
            }
            endpoints.append(
                Endpoint(
                    name: name, network: network.text, addresses: draft.addresses.map(\.value), host: host.value,
                    interface: interfaces.port, device: interfaces.device, mac: draft.mac, at: location(place)))
        }
    }

    private mutating func checkAddresses(
        of draft: EndpointDraft, _ index: Int, _ file: Int, _ place: Place, _ claims: inout Claims
    ) {
        let cidrs = networks[index].draft.cidrs
        for address in draft.addresses {
            let at = Place(file: file, mark: address.mark)
            guard let block = cidrs.list.firstIndex(where: { $0.value.contains(address.value) }) else {
                if cidrs.isSound {
                    report(
                        .outsideNetwork, at,
                        "\(address.value) is not within network “\(networks[index].draft.name.text)”",
                        hint: "its CIDRs are \(Self.list(cidrs.list.map(\.value)))")
                }
                continue
            }
            if let word = Self.reservation(of: address.value, in: cidrs.list[block].value) {
                report(
                    .addressReserved, at, "\(address.value) is the \(word) address of \(cidrs.list[block].value)",
                    hint: "choose another one")
            } else if networks[index].gateways[block] == address.value {
                report(
                    .addressOfGateway, at, "\(address.value) is the gateway of \(cidrs.list[block].value)",
                    hint: "choose another address, or say another gateway")
            } else if let vpc = networks[index].vpc {
                let key = Claims.Address(vpc: vpc, address: address.value)
                if let first = claims.addresses.updateValue(place, forKey: key) {
                    claims.addresses[key] = first
                    report(
                        .addressTaken, at,
                        "\(address.value) is taken in VPC “\(vpcs[vpc].draft.name.text)” by the endpoint at \(location(first))",
                        hint: "choose another one", other: first)
                }
            }
        }
    }

    /// The interfaces on its host that an endpoint needs; nil if that is unknown.
    private func interfaces(of draft: EndpointDraft, _ path: String) -> (port: String, device: String?)? {
        switch draft.type {
        case .simple: draft.interface.map { ($0.value, nil) }
        case .host: (Endpoint.portName(of: path), draft.interface?.value ?? Endpoint.deviceName(of: path))
        }
    }

    private mutating func checkPort(
        of draft: EndpointDraft, _ path: String, _ file: Int, _ place: Place, _ claims: inout Claims
    ) {
        guard let host = draft.host else { return }
        guard let index = hostByName[host.value] else {
            return miss(.host, host.value, Place(file: file, mark: host.mark))
        }
        guard let interfaces = interfaces(of: draft, path) else { return }
        for name in [interfaces.device, interfaces.port].compactMap(\.self) {
            // A name that nobody wrote has the endpoint's own place.
            let at = draft.interface.flatMap { $0.value == name ? Place(file: file, mark: $0.mark) : nil } ?? place
            if hosts[index].draft.interface?.value == name {
                return report(
                    .interfaceOfUnderlay, at, "“\(name)” is the uplink of host “\(host.value)”",
                    hint: "name the endpoint's own veth or tap", other: hosts[index].place)
            }
            let key = Claims.Interface(host: index, name: name)
            if let first = claims.interfaces.updateValue(place, forKey: key) {
                claims.interfaces[key] = first
                return report(
                    .interfaceTaken, at,
                    "“\(name)” of host “\(host.value)” is the interface of the endpoint at \(location(first))",
                    hint: "give one of them another", other: first)
            }
        }
    }
}
