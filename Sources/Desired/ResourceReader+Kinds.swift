import Topology

/// One function a kind of document.
extension ResourceReader {
    mutating func readCluster(_ fields: Fields) {
        let name = name(fields, .name, .cluster)
        let port = integer(fields, .port, in: 1...65535)
        let settle = duration(fields, .settle)
        let direct = fields[.direct].map { self.direct($0, settle: fields[.settle] == nil ? Cluster().settle : settle) }
        let isAgeGiven = fields[.direct].map { yaml.nodes[$0].kind != .mapping || value(of: .age, in: $0) != nil } ?? false
        if let node = fields[.settle], !isAgeGiven { checkAge(Cluster.Direct().age, at: node, settle: settle) }
        let health = fields[.health].map { self.health($0) }
        let guards = fields[.guards].map { self.guards($0) }
        let dscp = dscp(fields)
        file.clusters.append(
            ClusterDraft(
                mark: name?.mark ?? yaml.nodes[fields.mapping].mark, name: name, port: port?.value, settle: settle,
                direct: direct, health: health, guards: guards, dscp: dscp))
    }

    /// - Parameter settle: the cluster's, in milliseconds; nil: what it should have been is unknown.
    private mutating func direct(_ node: Int, settle: UInt64?) -> Cluster.Direct {
        var direct = Cluster.Direct()
        guard let fields = nested(node, .direct, .direct, example: "{after: 1, age: 30s}") else { return direct }
        if let after = integer(fields, .after, in: 1...1_000_000) { direct.after = UInt32(after.value) }
        if let node = fields[.age], let age = duration(fields, .age, atLeast: Self.leastAge) {
            direct.age = age
            checkAge(age, at: node, settle: settle)
        }
        return direct
    }

    /// Of `direct.age`, in milliseconds.
    private static let leastAge: UInt64 = 1000

    /// A host that an endpoint has left answers for it until *switch*, one settle time on, and sends on until *remove*, two.
    private mutating func checkAge(_ age: UInt64, at node: Int, settle: UInt64?) {
        guard let settle, settle > 0, age > settle else { return }
        report(
            .ageBeyondSettle, node,
            "an answer is believed for \(age)ms (`direct.age`), which is longer than `settle`, \(settle)ms: an idle pair may lose "
                + "a packet after a move",
            hint: settle < Self.leastAge
                ? "set `settle` to \(Self.leastAge)ms or more, and `direct.age` to no more than that"
                : "set `direct.age` to \(settle)ms or less, or `settle` to \(age)ms or more")
    }

    private mutating func health(_ node: Int) -> Cluster.Health {
        var health = Cluster.Health()
        guard let fields = nested(node, .health, .health, example: "{interval: 200ms, count: 3}") else { return health }
        if let interval = duration(fields, .interval, atLeast: 50, atMost: 60_000) { health.interval = interval }
        if let count = integer(fields, .count, in: 1...100) { health.count = UInt8(count.value) }
        return health
    }

    private mutating func guards(_ node: Int) -> Cluster.Guards {
        var guards = Cluster.Guards()
        guard let fields = nested(node, .guards, .guards, example: "{destroy: 10%, least: 5}") else { return guards }
        if let share = percentage(fields, .destroy) { guards.destroy = share }
        if let least = integer(fields, .least, in: 0...1_000_000) { guards.least = least.value }
        return guards
    }

    /// `copy`, or a number.
    private mutating func dscp(_ fields: Fields) -> Cluster.DSCP? {
        guard let node = fields[.dscp] else { return nil }
        if yaml.nodes[node].kind == .plain, yaml.string(node) == "copy" { return .copy }
        return integer(fields, .dscp, in: 0...Int(Cluster.DSCP.most), or: "copy").map { .fixed(UInt8($0.value)) }
    }

    /// The fields of a mapping within a document; nil if it is none, which is said.
    private mutating func nested(_ node: Int, _ field: Field, _ shape: Shape, example: String) -> Fields? {
        if yaml.nodes[node].kind == .mapping { return fields(of: node, shape) }
        if yaml.nodes[node].kind != .refused {
            report(
                .wrongType, node, "`\(field.rawValue)` must be a mapping, not \(described(node))", hint: "write \(example)")
        }
        return nil
    }

    /// A duration within bounds, in milliseconds.
    private mutating func duration(
        _ fields: Fields, _ field: Field, atLeast least: UInt64, atMost most: UInt64 = .max
    ) -> UInt64? {
        guard let node = fields[field], let value = duration(fields, field) else { return nil }
        guard (least...most).contains(value) else {
            let bounds = most == .max ? "\(least)ms or more" : "\(least)ms to \(most)ms"
            report(.badDuration, node, "`\(field.rawValue)` is \(value)ms, which is out of bounds", hint: "write \(bounds)")
            return nil
        }
        return value
    }

    mutating func readHost(_ fields: Fields) {
        let name = name(fields, .name, .host)
        var address: Located<IPAddress>?
        if let node = fields[.address] { address = self.address(node, .address) }
        if let found = address, !found.value.isIPv4 {
            report(
                .underlayNotIPv4, found.mark, "the underlay is IPv4, and \(found.value) is not",
                hint: "inner addresses may be IPv6, a host's may not yet")
            address = nil
        }
        let interface = interface(fields)
        let zone = zone(fields)
        let weight = fields[.weight] == nil ? 100 : integer(fields, .weight, in: 0...1000)?.value
        let state = word(fields, .state, Host.State.active)
        let datapath = word(fields, .datapath, Host.Datapath.auto)
        let mtu = integer(fields, .mtu, in: 576...65535)
        let ipsec = word(fields, .ipsec, Host.IPsec.refuse)
        guard let name else { return obscure(.host) }
        file.hosts.append(
            HostDraft(
                name: name, address: address, interface: interface, zone: zone, weight: weight, state: state,
                datapath: datapath, mtu: mtu, ipsec: ipsec))
    }

    mutating func readTenant(_ fields: Fields) {
        let protect = boolean(fields, .protect) ?? false
        guard let name = name(fields, .name, .tenant) else { return obscure(.tenant) }
        file.tenants.append(TenantDraft(name: name, protect: protect))
    }

    mutating func readVPC(_ fields: Fields) {
        let name = name(fields, .name, .vpc)
        let vni = integer(fields, .vni, in: 1...16_777_215)
        let cidrs = cidrs(fields)
        let dividers = integer(fields, .dividers, in: 1...10_000)
        let protect = boolean(fields, .protect) ?? false
        guard let name else { return obscure(.vpc) }
        file.vpcs.append(VPCDraft(name: name, vni: vni, cidrs: cidrs, dividers: dividers, protect: protect))
    }

    mutating func readNetwork(_ fields: Fields) {
        let name = name(fields, .name, .network)
        let cidrs = cidrs(fields)
        let bouncers = integer(fields, .bouncers, in: 1...10_000)
        let gateways = addresses(fields, .gateway, .gateways)
        let protect = boolean(fields, .protect) ?? false
        if let node = fields[.endpoints] {
            file.endpoints.append(EndpointsDraft(network: name, isNetwork: true, list: endpoints(node)))
        }
        guard let name else { return obscure(.network) }
        file.networks.append(NetworkDraft(name: name, cidrs: cidrs, gateways: gateways, bouncers: bouncers, protect: protect))
    }

    mutating func readEndpoints(_ fields: Fields) {
        let network = name(fields, .network, .endpoints)
        guard let node = fields[.endpoints] else { return }
        file.endpoints.append(EndpointsDraft(network: network, isNetwork: false, list: endpoints(node)))
    }

    private mutating func obscure(_ kind: ResourceKind) { file.obscured.insert(kind) }

    /// A path of DNS labels, as many as its kind has.
    private mutating func name(_ fields: Fields, _ field: Field, _ kind: ResourceKind) -> Name? {
        guard let node = fields[field], let text = string(node, field) else { return nil }
        let parts = text.value.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let depth = kind.path.split(separator: "/").count
        if let wrong = parts.first(where: { !DNSLabel.isValid($0) }) {
            report(
                .badName, node,
                wrong == text.value ? "“\(wrong)” is no name" : "“\(wrong)” in “\(text.value)” is no name",
                hint: DNSLabel.hint(wrong))
        } else if parts.count != depth {
            report(
                .wrongDepth, node,
                "“\(text.value)” has \(parts.count) part\(parts.count == 1 ? "" : "s"), and `\(field.rawValue)` of "
                    + "\(kind.shape.what) has \(depth)",
                hint: depth == 1 ? "a single label, without /" : "write \(kind.path)")
        } else {
            return Name(text: text.value, mark: text.mark, isSound: true)
        }
        return Name(text: text.value, mark: text.mark, isSound: false)
    }

    /// One address, or a list of them: never both.
    private mutating func addresses(_ fields: Fields, _ one: Field, _ many: Field) -> [Located<IPAddress>] {
        var addresses: [Located<IPAddress>] = []
        if let node = fields[one], let address = address(node, one) { addresses.append(address) }
        guard let list = fields[many] else { return addresses }
        if fields[one] != nil {
            report(
                .exclusiveFields, list, "`\(one.rawValue)` and `\(many.rawValue)` are both given",
                hint: "put all of them into `\(many.rawValue)`")
            return addresses
        }
        let items = items(fields, many) ?? []
        var marks: [IPAddress: Mark] = [:]
        for item in items {
            guard let address = address(item, many) else { continue }
            // Nearly all lists are too short for a table.
            let first = items.count > 8 ? marks[address.value] : addresses.first { $0.value == address.value }?.mark
            if let first {
                report(
                    .repeatedAddress, item,
                    "\(address.value) is given twice, first at line \(first.line), column \(first.column)",
                    hint: "keep one of them")
            } else {
                addresses.append(address)
                if items.count > 8 { marks[address.value] = address.mark }
            }
        }
        return addresses
    }

    private mutating func endpoints(_ node: Int) -> [EndpointDraft] {
        guard yaml.nodes[node].kind == .mapping else {
            if yaml.nodes[node].kind != .refused {
                report(
                    .wrongType, node, "`endpoints` must be a mapping of names to endpoints, not \(described(node))",
                    hint: type(of: node) == .null ? "write {} for none" : "write a name before each: web-1: {…}")
            }
            return []
        }
        var drafts: [EndpointDraft] = []
        var child = node + 1
        while child < yaml.nodes[node].next, !file.isClosed {
            let (key, value) = (child, yaml.nodes[child].next)
            child = yaml.nodes[value].next
            if let draft = endpoint(key, value) { drafts.append(draft) }
        }
        return drafts
    }

    private mutating func endpoint(_ key: Int, _ value: Int) -> EndpointDraft? {
        guard yaml.nodes[key].kind != .refused else { return nil }
        let name = string(key, "an endpoint's name")
        if let name, !DNSLabel.isValid(name.value) {
            report(.badName, key, "“\(name.value)” is no name", hint: DNSLabel.hint(name.value))
        }
        guard yaml.nodes[value].kind == .mapping else {
            if yaml.nodes[value].kind != .refused {
                report(
                    .wrongType, value, "an endpoint must be a mapping, not \(described(value))",
                    hint: "write {ip: …, host: …, interface: …}")
            }
            return nil
        }
        // What it must have depends on its type; a type that is none is said below.
        let isHost =
            self.value(of: .type, in: value).map {
                (yaml.nodes[$0].kind == .plain || yaml.nodes[$0].kind == .text) && yaml.string($0) == EndpointType.host.rawValue
            } ?? false
        let shape = isHost ? Shape.hostEndpoint : Shape.endpoint
        let fields = fields(of: value, shape)
        if fields[.ip] == nil, fields[.ips] == nil, !hasUnknownFields(fields) {
            missing(.ip, in: fields, shape, hint: "add ip: or ips:")
        }
        let type = word(fields, .type, EndpointType.simple)
        let addresses = addresses(fields, .ip, .ips)
        let host = string(fields, .host)
        let interface = interface(fields)
        let mac = mac(fields)
        return EndpointDraft(
            name: name?.value ?? "", mark: yaml.nodes[key].mark, addresses: addresses, type: type ?? .simple, host: host,
            interface: interface, mac: mac)
    }

    /// Whether one of the keys may be a misspelt one, which is then what is wrong.
    private func hasUnknownFields(_ fields: Fields) -> Bool {
        var count = 0
        var child = fields.mapping + 1
        while child < yaml.nodes[fields.mapping].next {
            count += 1
            child = yaml.nodes[yaml.nodes[child].next].next
        }
        return count > fields.values.count
    }
}
