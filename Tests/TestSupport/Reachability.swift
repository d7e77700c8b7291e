public import Planner
public import Topology

/// The forwarding rule of docs/architecture.md over the tables of several hosts, written apart from the planner and from
/// bpf/: what becomes of a packet, for every choice that the hashes may make.
public struct Reachability {
    public enum Outcome: Hashable, Sendable {
        case delivered(host: IPAddress, ifindex: UInt32, endpoint: UInt64)
        case gateway
        case dropped(String)
    }

    /// Tables and attachments by underlay address.
    public struct Node {
        public var image: Image
        public var attachments: Set<Attachment>

        public init(image: Image, attachments: Set<Attachment>) {
            self.image = image
            self.attachments = attachments
        }
    }

    public var nodes: [IPAddress: Node]

    public init(_ nodes: [IPAddress: Node]) { self.nodes = nodes }

    private enum Stage {
        static let none = 0
        static let divider = 1
        static let bouncer = 2
        static let host = 3
        static let last = 7
    }

    /// What can become of a packet that the port sends.
    public func send(from host: IPAddress, port: UInt32, source: IPAddress, to destination: IPAddress) -> Set<Outcome> {
        guard let node = nodes[host], let row = node.image.ports[port] else { return [.dropped("unknown-port")] }
        guard node.attachments.contains(where: { $0.point == .port && $0.ifindex == port }) else {
            return [.dropped("not attached")]
        }
        guard let own = node.image.endpoints[EndpointKey(vni: row.vni, address: source)], own.ifindex == port else {
            return [.dropped("spoofed-ip")]
        }
        var outcomes: Set<Outcome> = []
        walk(at: host, vni: row.vni, destination: destination, asked: nil, into: &outcomes)
        return outcomes
    }

    /// The rule at one host. `asked`: the stage that a packet from the underlay carries; nil: it comes from a port.
    private func walk(at host: IPAddress, vni: UInt32, destination: IPAddress, asked: Int?, into outcomes: inout Set<Outcome>) {
        guard let node = nodes[host] else {
            outcomes.insert(.dropped("no such machine"))
            return
        }
        let image = node.image
        if let row = image.endpoints[EndpointKey(vni: vni, address: destination)] {
            switch row.kind {
            case .local:
                guard row.ifindex != 0 else {
                    outcomes.insert(.dropped("pending"))
                    return
                }
                outcomes.insert(.delivered(host: host, ifindex: row.ifindex, endpoint: image.ports[row.ifindex]?.endpoint ?? 0))
            case .remote:
                let stage: Int
                switch asked {
                case nil: stage = Stage.none
                case Stage.divider?, Stage.bouncer?: stage = Stage.host
                case Stage.none?: stage = Stage.host + 1
                case let stage?:
                    guard stage < Stage.last else {
                        outcomes.insert(.dropped("stage"))
                        return
                    }
                    hop(from: host, to: row.host, vni: vni, destination: destination, stage: stage + 1, into: &outcomes)
                    return
                }
                hop(from: host, to: row.host, vni: vni, destination: destination, stage: stage, into: &outcomes)
            case .gateway: outcomes.insert(asked == nil ? .gateway : .dropped("gateway"))
            case .unreachable: outcomes.insert(.dropped("host-down"))
            case .broadcast: outcomes.insert(.dropped("broadcast"))
            }
            return
        }
        if let asked, asked != Stage.divider {
            outcomes.insert(.dropped(asked == Stage.bouncer ? "no-endpoint" : "not-here"))
            return
        }
        let vpc = image.vpcs[vni]
        if let vpc {
            for length in destination.isIPv4 ? vpc.lengths4 : vpc.lengths6 {
                let mask = length == 0 ? 0 : UInt128.max << UInt128(128 - Int(length))
                guard let cidr = CIDR(prefix: IPAddress(bits: destination.bits & mask), fullLength: Int(length)),
                    let network = image.networks[NetworkKey(vni: vni, cidr: cidr)]
                else { continue }
                if network.held {
                    outcomes.insert(.dropped("no-endpoint"))
                    return
                }
                // The programs never choose the host itself.
                if network.bouncers.allSatisfy({ $0 == host }) { outcomes.insert(.dropped("not-here")) }
                for bouncer in network.bouncers where bouncer != host {
                    hop(from: host, to: bouncer, vni: vni, destination: destination, stage: Stage.bouncer, into: &outcomes)
                }
                return
            }
        }
        guard let vpc else {
            outcomes.insert(.dropped("no-vpc"))
            return
        }
        if vpc.held || asked != nil {
            outcomes.insert(.dropped("no-endpoint"))
            return
        }
        if vpc.dividers.allSatisfy({ $0 == host }) { outcomes.insert(.dropped("not-here")) }
        for divider in vpc.dividers where divider != host {
            hop(from: host, to: divider, vni: vni, destination: destination, stage: Stage.divider, into: &outcomes)
        }
    }

    private func hop(
        from: IPAddress, to: IPAddress, vni: UInt32, destination: IPAddress, stage: Int, into outcomes: inout Set<Outcome>
    ) {
        guard let node = nodes[to] else {
            outcomes.insert(.dropped("no such machine"))
            return
        }
        guard from != to else {
            outcomes.insert(.dropped("to itself"))
            return
        }
        let sent = nodes[from]?.image.config?.port ?? 0
        guard let config = node.image.config, ([config.port] + config.otherPorts).contains(sent) else {
            outcomes.insert(.dropped("UDP port \(sent)"))
            return
        }
        guard node.image.hosts[from] != nil else {
            outcomes.insert(.dropped("foreign-host"))
            return
        }
        guard node.attachments.contains(where: { $0.point == .uplink }) else {
            outcomes.insert(.dropped("uplink not attached"))
            return
        }
        walk(at: to, vni: vni, destination: destination, asked: stage, into: &outcomes)
    }
}
