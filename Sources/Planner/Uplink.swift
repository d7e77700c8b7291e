import Topology

/// Which interface of a host carries the underlay.
///
/// Policy: the topology names an interface, and the host's address says which one it is. A name may go to another card at a
/// reboot, an address moves along when an interface is renamed or becomes the port of a bridge. So the first of these is
/// the uplink:
///
/// 1. The interface of that name, or alternative name, that has the address.
/// 2. The uplink of before, while it has the address: what works is not taken apart.
/// 3. Whichever interface has the address.
/// 4. The interface of that name: the address is on loopback or on a dummy, as where hosts speak a routing protocol.
/// 5. The uplink of before: likewise, and somebody has renamed it.
///
/// An endpoint's interface is never the uplink, nor is one without Ethernet headers, which the programs read.
enum Uplink: Hashable, Sendable {
    case found(Interface)
    /// Only this interface could be the uplink, and the programs cannot read what it carries.
    case unsuited(Interface)
    case awaited

    /// - Parameters:
    ///   - ports: names of interfaces that are endpoints'.
    ///   - taken: indices of interfaces that are ours.
    init(of host: Host, ports: Set<String>, taken: Set<UInt32>, observation: Observation) {
        let others = observation.interfaces.filter { !ports.contains($0.name) && !taken.contains($0.ifindex) }
        let before = observation.image.config.flatMap { $0.address == host.address ? $0.uplink : nil }
        let carriers = others.filter { $0.medium == .ethernet }
        let holders = carriers.filter { $0.addresses.contains(host.address) }
        func isBefore(_ interface: Interface) -> Bool { interface.ifindex == before }
        func isNamed(_ interface: Interface) -> Bool { interface.isCalled(host.interface) }
        // A port whose endpoint has left is still one, unless the topology says otherwise.
        let free = holders.filter { $0.resolvesNeighbours && observation.image.ports[$0.ifindex] == nil }
        if let one = holders.first(where: isNamed) ?? holders.first(where: isBefore) ?? free.min(by: { $0.ifindex < $1.ifindex }) {
            self = .found(one)
            return
        }
        let unreadable = others.filter { $0.medium == .other && $0.addresses.contains(host.address) }
        let isElsewhere = observation.interfaces.contains { $0.medium != .other && $0.addresses.contains(host.address) }
        if let named = others.first(where: isNamed), named.medium != .ethernet {
            self = .unsuited(named)
        } else if let one = unreadable.first, !isElsewhere {
            self = .unsuited(one)
        } else if let one = carriers.first(where: isNamed) ?? carriers.first(where: isBefore) {
            self = .found(one)
        } else {
            self = .awaited
        }
    }

    var interface: Interface? {
        switch self {
        case .found(let interface): interface
        case .unsuited, .awaited: nil
        }
    }

    /// What the host's line in the topology should say; nil: it is right.
    func finding(_ host: Host) -> Diagnostic? {
        switch self {
        case .awaited: return nil
        case .found(let interface):
            guard !interface.isCalled(host.interface) else { return nil }
            let why = interface.addresses.contains(host.address) ? "has its address \(host.address)" : "was its uplink before"
            return Diagnostic(
                .warning, "MZ510", at: host.at,
                "the uplink of \(host.name) is \(interface.name), which \(why), and not \(host.interface)",
                hint: "write `interface: \(interface.name)`, or rename the interface")
        case .unsuited(let interface):
            return Diagnostic(
                .error, "MZ511", at: host.at,
                "\(interface.name) cannot be the uplink of \(host.name): it carries packets without an Ethernet header",
                hint: "tun, WireGuard, IPIP and PPP are such interfaces; name one that has Ethernet, or take a tunnel that has it "
                    + "(tap, VXLAN, GRETAP)")
        }
    }
}

extension Interface {
    /// By its name, or an alternative one.
    func isCalled(_ name: String) -> Bool { self.name == name || altnames.contains(name) }
}
