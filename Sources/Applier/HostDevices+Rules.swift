import CBPF
import Glibc

/// A rule of policy routing about what comes by a device.
struct RoutingRule: Hashable {
    enum Action: Hashable { case lookupLocal, drop }

    var family: Int32
    var action: Action
    var interface: String

    /// Of what comes by the device, what is for the host itself is delivered, and nothing is forwarded: whatever the settings
    /// of forwarding, which others set for all interfaces at once, and wherever address translation would lead it.
    static func wanted(of interface: String) -> [RoutingRule] {
        [AF_INET, AF_INET6].flatMap { family in
            [Action.lookupLocal, .drop].map { RoutingRule(family: family, action: $0, interface: interface) }
        }
    }

    /// Right behind the rule for local addresses, where that is in its usual place.
    fileprivate var priority: UInt32 { action == .lookupLocal ? 1 : 2 }
}

/// Our routing rules, and the families that this kernel has any of.
struct RoutingRules {
    var ours: Set<RoutingRule> = []
    var families: Set<Int32> = []

    /// Those that hold what comes by the interface and are not there, as far as this kernel can have them.
    func missing(of interface: String) -> [RoutingRule] {
        RoutingRule.wanted(of: interface).filter { families.contains($0.family) && !ours.contains($0) }
    }
}

extension HostDevices {
    /// RTM_GETRULE, of both families.
    func rules() throws(BPFError) -> RoutingRules {
        var rules = RoutingRules()
        for family in [AF_INET, AF_INET6] {
            var header = fib_rule_hdr()
            header.family = UInt8(family)
            do throws(BPFError) {
                let found = try netlink.dump(Int(RTM_GETRULE), header, "the routing rules") { Self.rule($0, family) }
                // Where there can be rules, there is one of the kernel's own.
                if !found.isEmpty { rules.families.insert(family) }
                rules.ours.formUnion(found.filter(\.isOurs).map(\.rule))
            } catch {
                guard [EOPNOTSUPP, EAFNOSUPPORT].contains(error.number) else { throw error }
            }
        }
        return rules
    }

    private static func rule(_ message: UnsafeRawBufferPointer, _ family: Int32) -> (rule: RoutingRule, isOurs: Bool)? {
        guard message.count >= MemoryLayout<fib_rule_hdr>.size else { return nil }
        let header = message.loadUnaligned(as: fib_rule_hdr.self)
        guard Int32(header.family) == family else { return nil }
        var (interface, origin) = ("", UInt8(0))
        forEachAttribute(of: message, after: MemoryLayout<fib_rule_hdr>.size) { type, value in
            switch type {
            case Int(FRA_IIFNAME): interface = cString(value)
            case Int(FRA_PROTOCOL) where value.count == 1: origin = value[0]
            default: break
            }
        }
        let action: RoutingRule.Action = Int(header.action) == Int(FR_ACT_TO_TBL) ? .lookupLocal : .drop
        return (RoutingRule(family: family, action: action, interface: interface), origin == routeProtocol)
    }

    func addRules(of interface: String) throws(BPFError) {
        for rule in try rules().missing(of: interface) { try request(rule, Int(RTM_NEWRULE), NLM_F_CREATE | NLM_F_EXCL) }
    }

    func removeRules(of interface: String) throws(BPFError) {
        for rule in try rules().ours where rule.interface == interface {
            do throws(BPFError) {
                try request(rule, Int(RTM_DELRULE), 0)
            } catch {
                guard error.number == ENOENT else { throw error }
            }
        }
    }

    private func request(_ rule: RoutingRule, _ type: Int, _ flags: Int32) throws(BPFError) {
        var header = fib_rule_hdr()
        header.family = UInt8(rule.family)
        header.action = UInt8(rule.action == .lookupLocal ? FR_ACT_TO_TBL : FR_ACT_BLACKHOLE)
        if rule.action == .lookupLocal { header.table = UInt8(RT_TABLE_LOCAL.rawValue) }
        var message = NetlinkMessage(change: type, flags: flags, header)
        message.add(Int(FRA_PRIORITY), rule.priority)
        message.add(Int(FRA_IIFNAME), rule.interface)
        message.add(Int(FRA_PROTOCOL), Self.routeProtocol)
        try netlink.request(message, type == Int(RTM_NEWRULE) ? "add" : "remove", "the routing rule for what comes by \(rule.interface)")
    }
}
