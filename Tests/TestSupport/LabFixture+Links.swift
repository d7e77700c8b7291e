extension LabFixture {
    /// Takes an endpoint's interface away, both ends.
    public func unplug(_ endpoint: Fleet.Endpoint) async throws {
        try await ip(endpoint.host, "link", "del", "dev", endpoint.interface)
    }

    /// Gives an endpoint an interface again, as a container runtime would: all steps in one process, so that the host
    /// sees it appear once. `mac` is the endpoint's, if not the one that its address gives.
    public func plug(_ endpoint: Fleet.Endpoint, mac: String? = nil) async throws {
        let inner = namespace(endpoint: endpoint.path)
        var commands = [
            "ip -n \(namespace(host: endpoint.host)) link add name \(endpoint.interface) type veth "
                + "peer name eth0 \(mac.map { "address \($0) " } ?? "")netns \(inner)",
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
