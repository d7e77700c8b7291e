extension LabFixture {
    /// A container that is no endpoint: behind a host, which routes for it as a container runtime sets it up.
    public struct Container: Sendable {
        public var namespace: String
        /// Where what it sends comes from: itself, or a namespace behind it.
        public var inner: String
        public let address = "192.168.99.2"
        public let mac = "02:00:00:00:99:02"
        /// The host's, on the link to it.
        public let gateway = "192.168.99.1"
        public let gatewayMAC = "02:00:00:00:99:01"

        /// A UDP frame to its gateway.
        public func frame(from source: String, to target: String, port: Int) -> Frame {
            var frame = Frame(srcMac: mac, src: source, dst: target)
            frame.dstMac = gatewayMAC
            frame.dport = port
            return frame
        }
    }

    /// Puts a container behind a host. It goes with the lab.
    public func container(behind host: String) async throws -> Container {
        let (container, outer) = (Container(namespace: "mizar-\(name).container", inner: "mizar-\(name).container"), namespace(host: host))
        let commands = [
            "ip netns add \(container.namespace)",
            "ip -n \(outer) link add name c0 address \(container.gatewayMAC) type veth "
                + "peer name eth0 address \(container.mac) netns \(container.namespace)",
            "ip -n \(outer) addr add \(container.gateway)/24 dev c0",
            "ip -n \(outer) link set dev c0 up",
            "ip -n \(container.namespace) addr add \(container.address)/24 dev eth0",
            "ip -n \(container.namespace) link set dev eth0 up",
            "ip -n \(container.namespace) route add default via \(container.gateway)",
            "nsenter --net=/run/netns/\(outer) sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 0 >/proc/sys/net/ipv4/conf/c0/rp_filter'",
        ]
        try await run(commands, "a container behind \(host)")
        return container
    }

    /// Puts a container on a macvlan of a host's uplink, which routes for a namespace behind it, by an interface that has in
    /// its namespace the index that an endpoint's has on the host. It goes with the lab.
    ///
    /// - Parameter to: the host that it knows the way to.
    public func container(
        onMacvlanOf host: String, forgingPortOf endpoint: Fleet.Endpoint, to other: String
    ) async throws -> Container {
        let container = Container(namespace: "mizar-\(name).container", inner: "mizar-\(name).container-inner")
        let (outer, here, inner) = (namespace(host: host), container.namespace, container.inner)
        let commands = [
            "index() { ip -n $1 -o link show dev $2 | cut -d: -f1; }",
            "mac() { ip -n $1 -o link show dev $2 | sed 's/.*link.ether \\([^ ]*\\).*/\\1/'; }",
            "ip netns add \(here); ip netns add \(inner)",
            "ip -n \(outer) link add name m0 link eth0 type macvlan mode bridge",
            "ip -n \(outer) link set dev m0 netns \(here)",
            "ip -n \(here) link set dev m0 up",
            "ip -n \(here) link add name c0 index $(index \(outer) \(endpoint.interface)) address \(container.gatewayMAC) type veth "
                + "peer name eth0 address \(container.mac) netns \(inner)",
            "ip -n \(here) addr add \(container.gateway)/24 dev c0",
            "ip -n \(here) link set dev c0 up",
            "ip -n \(inner) link set dev eth0 up",
            "address=$(ip -n \(namespace(host: other)) -o -4 addr show dev eth0 | sed 's/.*inet \\([0-9.]*\\).*/\\1/')",
            "ip -n \(here) route add $address dev m0",
            "ip -n \(here) neigh add $address lladdr $(mac \(namespace(host: other)) eth0) dev m0",
            "nsenter --net=/run/netns/\(here) sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'",
        ]
        try await run(commands, "a container on a macvlan of \(host)")
        return container
    }

    private func run(_ commands: [String], _ what: String) async throws {
        let outcome = try await Tool.execute(["sh", "-ec", commands.joined(separator: "\n")])
        guard outcome.succeeded else { throw FixtureError(text: "\(what): \(outcome.error)") }
    }
}
