public import Topology

/// The host that a machine's rows are of.
public struct Owner: Hashable, Sendable, CustomStringConvertible {
    /// Nil: only its id is known.
    public var name: String?
    public var address: IPAddress?

    public init(name: String? = nil, address: IPAddress? = nil) { (self.name, self.address) = (name, address) }

    /// `h1 (172.16.0.1)`, or as much of it as is known.
    public var description: String {
        switch (name, address) {
        case (let name?, let address?): "\(name) (\(address))"
        case (let name?, nil): name
        case (nil, let address?): "at \(address)"
        case (nil, nil): "of an unknown name"
        }
    }
}

extension Image {
    /// Whose rows these are, if they are another's than `host`'s.
    ///
    /// A host that has another name by now is the same machine if its underlay address is the same; one that has another
    /// address by now is the same if its name is.
    ///
    /// - Parameters:
    ///   - address: the underlay address of `host`; nil: the name alone decides.
    ///   - topology: names a host that rows of an older version do not.
    public func owner(otherThan host: String, at address: IPAddress? = nil, in topology: Topology? = nil) -> Owner? {
        if let applied, applied.host == StableHash.id(host) { return nil }
        if let config, config.address == address { return nil }
        // Killed in its first apply, a host has left no name.
        guard applied != nil || (config != nil && address != nil) else { return nil }
        let known = topology?.hosts.first { known in
            applied.map { $0.host == StableHash.id(known.name) } ?? (known.address == config?.address)
        }
        return Owner(name: applied.flatMap { names[$0.host] } ?? known?.name, address: config?.address ?? known?.address)
    }
}
