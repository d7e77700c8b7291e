import Testing
import Topology

@testable import Planner

/// Which interface is the uplink, and what a plan says of those that cannot be.
struct UplinkTests {
    static let address = IPAddress(v4: 0xac10_0001)
    static let host = Host(name: "h1", address: address, interface: "eth0", at: SourceLocation(file: "h.yaml", line: 1, column: 1))

    private static func choose(_ interfaces: [Interface], before: UInt32 = 0, ports: Set<String> = []) -> Uplink {
        var observation = Observation(interfaces: interfaces)
        if before != 0 { observation.image.config = ConfigRow(address: address, uplink: before, port: 6081, mtu: 1500) }
        return Uplink(of: host, ports: ports, taken: [], observation: observation)
    }

    @Test("by name or alternative name, by the address, by what was")
    func choice() {
        let named = Interface(name: "eth0", ifindex: 5, addresses: [Self.address])
        let bare = Interface(name: "eth0", ifindex: 5)
        let second = Interface(name: "eth1", ifindex: 4, addresses: [Self.address])
        let other = Interface(name: "ens3", altnames: ["eth0"], ifindex: 6, addresses: [Self.address])
        let lo = Interface(name: "lo", ifindex: 1, medium: .loopback, addresses: [Self.address])
        let dummy = Interface(name: "d0", ifindex: 3, resolvesNeighbours: false, addresses: [Self.address])
        let tunnel = Interface(name: "tun0", ifindex: 2, medium: .other, resolvesNeighbours: false, addresses: [Self.address])

        #expect(Self.choose([second, named]) == .found(named))
        #expect(Self.choose([second, other]) == .found(other))
        #expect(Self.choose([second, other]).interface.map { $0.isCalled("eth0") } == true)
        #expect(Self.choose([bare, second]) == .found(second), "the address says which it is")
        #expect(Self.choose([second, Interface(name: "eth2", ifindex: 9, addresses: [Self.address])], before: 9).interface?.name == "eth2")
        for elsewhere in [lo, dummy] { #expect(Self.choose([elsewhere, bare]) == .found(bare)) }
        #expect(Self.choose([lo, Interface(name: "ens3", ifindex: 5)], before: 5).interface?.name == "ens3")
        #expect(Self.choose([lo, Interface(name: "ens3", ifindex: 5)]) == .awaited)
        #expect(Self.choose([second], ports: ["eth1"]) == .awaited, "an endpoint's is never the uplink")
        #expect(Self.choose([tunnel, bare]) == .unsuited(tunnel))
        #expect(Self.choose([tunnel, named]) == .found(named))
        #expect(Self.choose([tunnel]) == .unsuited(tunnel))
        #expect(Self.choose([]) == .awaited)
    }

    @Test("a name that differs is a warning, an interface without Ethernet an error")
    func findings() throws {
        let renamed = Self.choose([Interface(name: "ens3", ifindex: 5, addresses: [Self.address])]).finding(Self.host)
        #expect(try #require(renamed).severity == .warning)
        #expect(Self.choose([Interface(name: "x", altnames: ["eth0"], ifindex: 5, addresses: [Self.address])]).finding(Self.host) == nil)
        let tunnel = Interface(name: "eth0", ifindex: 5, medium: .other, addresses: [Self.address])
        #expect(try #require(Self.choose([tunnel]).finding(Self.host)).severity == .error)
    }

    @Test("the judge refuses to cut off what has the address")
    func judge() {
        let up = Interface(name: "eth0", ifindex: 5, addresses: [Self.address])
        var observation = Observation(interfaces: [up, Interface(name: "eth1", ifindex: 6)])
        observation.image.config = ConfigRow(address: Self.address, uplink: 6, port: 6081, mtu: 1500)
        let step = Step(
            phase: .add, change: .detach(Attachment(ifindex: 5, interface: "eth0", point: .uplink)), subject: "program uplink on eth0")
        let plan = Plan(host: "h1", commit: "", stateDigest: observation.digest, steps: [step])
        #expect(PlanCheck.violations(plan, on: observation).contains { $0.contains("has the host's address") })
        observation.image.config?.uplink = 5
        #expect(PlanCheck.violations(Plan(host: "h1", commit: "", stateDigest: observation.digest, steps: [step]), on: observation) == [])
    }

    @Test("what policies ask of Geneve: the first that matches, by priority")
    func ipsec() {
        let peer = IPAddress(v4: 0xac10_0002)
        var observation = Observation()
        observation.image.config = ConfigRow(address: Self.address, uplink: 5, port: 6081, mtu: 1500)
        observation.image.hosts = [peer: HostRow(host: 2, isDown: false)]
        let all = CIDR(containing: IPAddress(v4: 0), length: 0)
        let net = CIDR(containing: IPAddress(v4: 0xac10_0000), length: 24)
        func demands(_ policies: IPsecPolicy...) -> [IPsecPolicy.Action] {
            observation.ipsec = policies
            return observation.ipsecDemands(observation.image).map(\.action)
        }
        let protect = IPsecPolicy(direction: .out, action: .protect, source: net, destination: net, priority: 10)
        #expect(demands(protect) == [.protect])
        #expect(demands(protect, IPsecPolicy(direction: .in, action: .block, source: all, destination: all)) == [.protect, .block])
        let exempt = IPsecPolicy(
            direction: .out, action: .pass, source: all, destination: all, ipProtocol: 17,
            destinationPort: IPsecPolicy.Port(number: 6081, mask: 0xffff), priority: 1)
        #expect(demands(protect, exempt) == [])
        var other = protect
        other.destination = CIDR(containing: IPAddress(v4: 0xac10_0100), length: 24)
        #expect(demands(other) == [])
        (other, other.ipProtocol) = (protect, 6)
        #expect(demands(other) == [])
        (other, other.destinationPort) = (protect, IPsecPolicy.Port(number: 4789, mask: 0xffff))
        #expect(demands(other) == [])
        (other, other.ifindex) = (protect, 6)
        #expect(demands(other) == [])
    }
}
