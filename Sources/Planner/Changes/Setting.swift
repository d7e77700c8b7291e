import Topology

/// A field of a resource, as its file says it: everything that has an effect, so that no change of it is invisible.
struct Setting {
    let field: String
    /// Nil: not there.
    let value: String?
    /// What it is if no file says it; nil: that has no meaning.
    let usual: String?

    init(_ field: String, _ value: String?, usual: String? = nil) {
        self.field = field
        self.value = value
        self.usual = usual
    }

    init(_ field: String, _ values: [some CustomStringConvertible]) {
        self.init(field, values.map { "\($0)" }.joined(separator: ", "))
    }

    /// Worth a word of something that comes or goes.
    var isSaid: Bool { value != nil && value != usual }

    static func differences(_ before: [Setting], _ after: [Setting]) -> [ResourceChange.Difference] {
        zip(before, after).filter { $0.value != $1.value }.map {
            ResourceChange.Difference(field: $0.field, before: $0.value, after: $1.value)
        }
    }

    /// `60s`, `1500ms`: as durations are written in files.
    static func duration(_ milliseconds: UInt64) -> String {
        milliseconds % 1000 == 0 ? "\(milliseconds / 1000)s" : "\(milliseconds)ms"
    }
}

extension Cluster {
    var settings: [Setting] {
        [
            Setting("name", name), Setting("port", "\(port)"), Setting("settle", Setting.duration(settle)),
            Setting("direct.after", "\(direct.after)"), Setting("direct.age", Setting.duration(direct.age)),
            Setting("health.interval", Setting.duration(health.interval)), Setting("health.count", "\(health.count)"),
            Setting("guards.destroy", "\(guards.destroy)%"), Setting("guards.least", "\(guards.least)"),
            Setting("dscp", dscp.description),
        ]
    }
}

extension Host {
    var settings: [Setting] {
        [
            Setting("address", "\(address)"), Setting("interface", interface), Setting("zone", zone, usual: "default"),
            Setting("weight", "\(weight)", usual: "100"),
            Setting("state", state.rawValue, usual: State.active.rawValue),
            Setting("datapath", datapath.rawValue, usual: Datapath.auto.rawValue), Setting("mtu", mtu.map { "\($0)" }),
            Setting("ipsec", ipsec.rawValue, usual: IPsec.refuse.rawValue),
        ]
    }
}

extension Tenant {
    var settings: [Setting] { [Setting("protect", "\(protect)", usual: "false")] }
}

extension VPC {
    var settings: [Setting] {
        [
            Setting("vni", "\(vni)"), Setting("cidrs", cidrs), Setting("dividers", "\(dividers)", usual: "2"),
            Setting("protect", "\(protect)", usual: "false"),
        ]
    }
}

extension Network {
    var settings: [Setting] {
        [
            Setting("cidrs", cidrs), Setting("gateway", gateways.map { $0.map { "\($0)" } ?? "none" }),
            Setting("bouncers", "\(bouncers)", usual: "2"), Setting("protect", "\(protect)", usual: "false"),
        ]
    }
}

extension Endpoint {
    /// - Parameter home: what the host is called in the head.
    func settings(home: String) -> [Setting] {
        // The port of a host endpoint is named after the path: nobody wrote it.
        [
            Setting("ips", addresses), Setting("host", home), Setting("interface", isHost ? nil : interface),
            Setting("type", isHost ? "host" : nil), Setting("device", device == Self.deviceName(of: name) ? nil : device),
            Setting("mac", mac.map { "\($0)" }),
        ]
    }
}
