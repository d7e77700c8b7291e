/// Topology files of the bench's labs: one VPC with one network, 10.0.0.0/8, whose tables h3 holds.
struct TopologyFiles {
    struct Endpoint {
        let name: String
        let address: String
        let host: String
        let interface: String
    }

    var datapath = "tc"
    /// Hosts h1, h2, … at 172.16.0.1, …
    var hosts = 3
    /// The host that takes all roles.
    var roles = "h3"
    var endpoints: [Endpoint] = []

    /// The number-th of many endpoints, whose address is 10.1.0.1 and on.
    static func address(_ number: Int) -> String {
        let at = number + 1
        return "10.\(1 + at >> 16).\(at >> 8 & 255).\(at & 255)"
    }

    private var structure: String {
        var text = "apiVersion: mizar/v1\nkind: Cluster\nname: bench\nsettle: 0s\n"
        for number in 1...hosts {
            text += """
                ---
                apiVersion: mizar/v1
                kind: Host
                name: h\(number)
                address: 172.16.0.\(number)
                interface: eth0
                weight: \(roles == "h\(number)" ? 100 : 0)
                datapath: \(datapath)

                """
        }
        return text + """
            ---
            apiVersion: mizar/v1
            kind: Tenant
            name: t
            ---
            apiVersion: mizar/v1
            kind: VPC
            name: t/v
            vni: 100
            cidrs: [10.0.0.0/8]
            dividers: 1
            ---
            apiVersion: mizar/v1
            kind: Network
            name: t/v/n
            cidrs: [10.0.0.0/8]
            bouncers: 1

            """
    }

    /// Writes them into a folder, so many endpoints a file that none is too large.
    func write(to folder: String) throws {
        try Bench.write(structure, to: "\(folder)/topology.yaml")
        for (number, start) in stride(from: 0, to: endpoints.count, by: 10_000).enumerated() {
            var text = "apiVersion: mizar/v1\nkind: Endpoints\nnetwork: t/v/n\nendpoints:\n"
            for one in endpoints[start..<min(endpoints.count, start + 10_000)] {
                text += "  \(one.name): {ip: \(one.address), host: \(one.host), interface: \(one.interface)}\n"
            }
            try Bench.write(text, to: "\(folder)/endpoints-\(number).yaml")
        }
    }
}
