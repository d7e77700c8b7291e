import Applier

extension StatusReport {
    /// What went through ports, in the endpoints' view. In JSON its members stand beside those of whose traffic it is.
    struct Traffic: Encodable {
        var sentPackets: UInt64 = 0
        var sentBytes: UInt64 = 0
        var receivedPackets: UInt64 = 0
        var receivedBytes: UInt64 = 0
        var directPackets: UInt64 = 0
        var bouncerPackets: UInt64 = 0
        var dividerPackets: UInt64 = 0

        static func += (sum: inout Traffic, more: Traffic) {
            sum.sentPackets += more.sentPackets
            sum.sentBytes += more.sentBytes
            sum.receivedPackets += more.receivedPackets
            sum.receivedBytes += more.receivedBytes
            sum.directPackets += more.directPackets
            sum.bouncerPackets += more.bouncerPackets
            sum.dividerPackets += more.dividerPackets
        }

        /// Sent, received, and by what way to other hosts.
        var columns: [String] {
            [
                "\(sentPackets) pkts, \(sentBytes) B", "\(receivedPackets) pkts, \(receivedBytes) B",
                "\(directPackets) direct, \(bouncerPackets) by bouncer, \(dividerPackets) by divider",
            ]
        }
    }

    /// The traffic of a network's or a VPC's endpoints on this host.
    struct Sum: Encodable {
        let name: String
        var endpoints = 0
        var traffic = Traffic()

        static func each(_ endpoints: [Endpoint], by name: KeyPath<Endpoint, String>) -> [Sum] {
            var sums: [String: Sum] = [:]
            for endpoint in endpoints {
                let key = endpoint[keyPath: name]
                sums[key, default: Sum(name: key)].endpoints += 1
                sums[key]?.traffic += endpoint.traffic
            }
            return sums.values.sorted { $0.name < $1.name }
        }

        private enum CodingKeys: String, CodingKey { case name, endpoints }

        func encode(to encoder: any Encoder) throws {
            var values = encoder.container(keyedBy: CodingKeys.self)
            try values.encode(name, forKey: .name)
            try values.encode(endpoints, forKey: .endpoints)
            try traffic.encode(to: encoder)
        }
    }
}

extension StatusReport.Traffic {
    init(_ counters: HostStatus.Traffic) {
        self.init(
            sentPackets: counters.sentPackets, sentBytes: counters.sentBytes, receivedPackets: counters.receivedPackets,
            receivedBytes: counters.receivedBytes, directPackets: counters.directPackets,
            bouncerPackets: counters.bouncerPackets, dividerPackets: counters.dividerPackets)
    }
}

extension StatusReport.Endpoint {
    private enum CodingKeys: String, CodingKey { case name, network, vpc, addresses, interface, interfaceWas, device, mac, macEnforced }

    func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(name, forKey: .name)
        try values.encode(network, forKey: .network)
        try values.encode(vpc, forKey: .vpc)
        try values.encode(addresses, forKey: .addresses)
        try values.encodeIfPresent(interface, forKey: .interface)
        try values.encodeIfPresent(interfaceWas, forKey: .interfaceWas)
        try values.encodeIfPresent(device, forKey: .device)
        try values.encodeIfPresent(mac, forKey: .mac)
        try values.encode(macEnforced, forKey: .macEnforced)
        try traffic.encode(to: encoder)
    }
}
