extension LabFixture {
    /// A container that is no endpoint: behind a host, which routes for it as a container runtime sets it up.
    public struct Container: Sendable {
        public var namespace: String
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
        let (container, outer) = (Container(namespace: "mizar-\(name).container"), namespace(host: host))
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
        let outcome = try await Tool.execute(["sh", "-ec", commands.joined(separator: "\n")])
        guard outcome.succeeded else { throw FixtureError(text: "a container behind \(host): \(outcome.error)") }
        return container
    }
}
