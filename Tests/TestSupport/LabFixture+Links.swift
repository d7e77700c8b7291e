extension LabFixture {
    /// Takes an endpoint's interface away, both ends.
    public func unplug(_ endpoint: Fleet.Endpoint) async throws {
        try await ip(endpoint.host, "link", "del", "dev", endpoint.interface)
    }

    /// Gives an endpoint an interface again, as a container runtime would: all steps in one process, so that the host
    /// sees it appear once. `mac` is the endpoint's, if not the one that its IPv4 address gives.
    public func plug(_ endpoint: Fleet.Endpoint, mac: String? = nil) async throws {
        let inner = namespace(endpoint: endpoint.path)
        let bytes = LabFixture.addressBytes(endpoint.addresses[0]).suffix(4).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
        let mac = mac ?? "0a:58:" + bytes.joined(separator: ":")
        var commands = [
            "ip -n \(namespace(host: endpoint.host)) link add name \(endpoint.interface) type veth "
                + "peer name eth0 address \(mac) netns \(inner)",
            "ip -n \(inner) link set dev eth0 up",
            "ip -n \(namespace(host: endpoint.host)) link set dev \(endpoint.interface) up",
        ]
        for address in endpoint.addresses {
            let isV6 = address.contains(":")
            commands.append("ip -n \(inner) addr add \(address)/\(isV6 ? "64 nodad" : "24") dev eth0")
            let gateway =
                isV6
                ? address.split(separator: "::")[0] + "::1"
                : address.split(separator: ".").dropLast().joined(separator: ".") + ".1"
            commands.append("ip -n \(inner) route replace default via \(gateway) dev eth0")
        }
        let outcome = try await Tool.execute(["sh", "-ec", commands.joined(separator: "\n")])
        guard outcome.succeeded else { throw FixtureError(text: "plug \(endpoint.path): \(outcome.error)") }
    }

    /// Gives an endpoint a second interface, `eth1`, on the host that it is about to move to: with the addresses and the MAC
    /// of the first, and nothing routed by it yet.
    public func plugSecond(_ endpoint: Fleet.Endpoint, on host: String) async throws {
        let (inner, outer) = (namespace(endpoint: endpoint.path), namespace(host: host))
        var commands = [
            "ip -n \(outer) link add name \(endpoint.interface) type veth peer name eth1 "
                + "address $(ip netns exec \(inner) cat /sys/class/net/eth0/address) netns \(inner)",
            "ip netns exec \(inner) sh -c 'for file in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $file; done'",
            "ip -n \(inner) link set dev eth1 up", "ip -n \(outer) link set dev \(endpoint.interface) up",
        ]
        for address in endpoint.addresses {
            let size = address.contains(":") ? "128 nodad" : "32"
            commands.append("ip -n \(inner) addr add \(address)/\(size) dev eth1 noprefixroute")
        }
        try await shell(commands)
    }

    /// Sends what the endpoint sends by its second interface from now on.
    public func useSecond(_ endpoint: Fleet.Endpoint) async throws {
        let inner = namespace(endpoint: endpoint.path)
        try await shell(
            endpoint.addresses.flatMap { address in
                let isV6 = address.contains(":")
                let block =
                    isV6 ? address.split(separator: "::")[0] + "::" : address.split(separator: ".").dropLast().joined(separator: ".") + "."
                return [
                    "ip -n \(inner) route replace \(block)\(isV6 ? "/64" : "0/24") dev eth1 src \(address)\(isV6 ? " metric 256" : "")",
                    "ip -n \(inner) \(isV6 ? "-6" : "-4") route replace default via \(block)1 dev eth1",
                ]
            })
    }

    private func shell(_ commands: [String]) async throws {
        let outcome = try await Tool.execute(["sh", "-ec", commands.joined(separator: "\n")])
        guard outcome.succeeded else { throw FixtureError(text: outcome.error) }
    }

    private func ip(_ host: String, _ words: String...) async throws {
        let outcome = try await Tool.execute(["ip", "-n", namespace(host: host)] + words)
        guard outcome.succeeded else { throw FixtureError(text: "ip \(words): \(outcome.error)") }
    }

    /// Whether one ping gets its answer within two seconds.
    public func pings(_ endpoint: String, _ address: String, _ more: String...) async throws -> Bool {
        try await Tool.execute(
            ["ping", "-c", "1", "-W", "2"] + more + [address], namespace: namespace(endpoint: endpoint)
        ).succeeded
    }
}
