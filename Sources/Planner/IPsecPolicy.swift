public import Topology

/// A policy of the host's IPsec (xfrm) for IPv4.
///
/// Our programs send past the stack, and take packets before it: no policy of the host is asked, whatever it wants.
public struct IPsecPolicy: Hashable, Sendable, Codable {
    public enum Direction: String, Hashable, Sendable, Codable { case `in`, out }
    public enum Action: String, Hashable, Sendable, Codable {
        /// As they are.
        case pass
        /// By a transformation: ESP, AH.
        case protect
        case block
    }

    /// Bits of a port that are compared; mask 0: all ports.
    public struct Port: Hashable, Sendable, Codable {
        public var number: UInt16
        public var mask: UInt16

        public init(number: UInt16 = 0, mask: UInt16 = 0) {
            self.number = number
            self.mask = mask
        }

        func matches(_ port: UInt16) -> Bool { (port ^ number) & mask == 0 }
    }

    public var direction: Direction
    public var action: Action
    public var source: CIDR
    public var destination: CIDR
    /// 0: all.
    public var ipProtocol: UInt8
    public var sourcePort: Port
    public var destinationPort: Port
    /// 0: all.
    public var ifindex: UInt32
    /// The lowest decides.
    public var priority: UInt32

    public init(
        direction: Direction, action: Action, source: CIDR, destination: CIDR, ipProtocol: UInt8 = 0, sourcePort: Port = Port(),
        destinationPort: Port = Port(), ifindex: UInt32 = 0, priority: UInt32 = 0
    ) {
        self.direction = direction
        self.action = action
        self.source = source
        self.destination = destination
        self.ipProtocol = ipProtocol
        self.sourcePort = sourcePort
        self.destinationPort = destinationPort
        self.ifindex = ifindex
        self.priority = priority
    }
}

/// What the host's IPsec asks of Geneve with another host, and does not get.
public struct IPsecDemand: Hashable, Sendable, Codable {
    public var peer: IPAddress
    public var direction: IPsecPolicy.Direction
    public var action: IPsecPolicy.Action
}

extension Observation {
    /// What the policies ask of Geneve by these rows, by peer; empty: nothing.
    public func ipsecDemands(_ image: Image) -> [IPsecDemand] {
        guard let config = image.config, !ipsec.isEmpty else { return [] }
        var demands: [IPsecDemand] = []
        for peer in image.hosts.keys.sorted() {
            for direction in [IPsecPolicy.Direction.out, .in] {
                let (from, to) = direction == .out ? (config.address, peer) : (peer, config.address)
                let deciding = ipsec.filter {
                    $0.direction == direction && $0.source.contains(from) && $0.destination.contains(to)
                        && $0.isForGeneve(port: config.port, uplink: config.uplink)
                }.min { $0.priority < $1.priority }
                guard let action = deciding?.action, action != .pass else { continue }
                demands.append(IPsecDemand(peer: peer, direction: direction, action: action))
            }
        }
        return demands
    }
}

extension IPsecPolicy {
    /// Geneve's source ports are many: a policy for some of them is for Geneve.
    fileprivate func isForGeneve(port: UInt16, uplink: UInt32) -> Bool {
        [0, 17].contains(ipProtocol) && destinationPort.matches(port) && [0, uplink].contains(ifindex)
            && (sourcePort.mask != 0xffff || sourcePort.number >= 49152)
    }
}

extension IPsecDemand {
    /// `asks for IPsec of what goes to`, as the middle of a sentence.
    public var words: String {
        let verb = action == .block ? "forbids" : "asks for IPsec of"
        return "\(verb) \(direction == .out ? "packets to" : "packets from") \(peer)"
    }
}
