import Glibc
import Topology

/// One of the kernel's settings of an interface, in the thread's network namespace: /proc/sys/net is the reader's.
struct Setting: Sendable {
    enum Family: String, Sendable { case ipv4, ipv6 }

    var family: Family
    var name: String
    var value: String
    /// Values that do as well, where others like to set them too.
    var orElse: [String] = []

    /// IPv6 has no smaller links (RFC 8200 5): the kernel takes it off an interface that becomes one.
    private static let leastIPv6 = 1280

    private static let root = "/proc/sys/net"

    private func folder(_ interface: String) -> String { "\(Self.root)/\(family.rawValue)/conf/\(interface)" }

    /// Whether an interface of this MTU can have it. A kernel without IPv6 has none of IPv6's, and so has an interface that is too
    /// small for it. All others every interface has.
    private func concerns(mtu: Int) -> Bool {
        switch family {
        case .ipv4: true
        case .ipv6: mtu >= Self.leastIPv6 && BPFFilesystem.exists("\(Self.root)/ipv6/conf")
        }
    }

    /// Whether the interface has it; false if it is nowhere to be found, too.
    func holds(on interface: String, mtu: Int) throws(BPFError) -> Bool {
        guard concerns(mtu: mtu) else { return true }
        let path = try path(interface)
        guard BPFFilesystem.exists(path) else { return false }
        let found = try HostCheck.text(of: path).filter { !$0.isWhitespace }
        return found == value || orElse.contains(found)
    }

    func set(on interface: String, mtu: Int) throws(BPFError) {
        guard try !holds(on: interface, mtu: mtu) else { return }
        let path = try path(interface)
        guard BPFFilesystem.exists(path) else {
            let isThere = BPFFilesystem.exists(folder(interface))
            throw BPFError(
                "set", path,
                .unavailable(
                    isThere
                        ? "this kernel has no such setting"
                        : "the interface has no settings of \(family.rawValue) in this network namespace"))
        }
        try Self.write(value, to: path)
    }

    /// The name becomes a part of a path: none that leads elsewhere.
    private func path(_ interface: String) throws(BPFError) -> String {
        if let fault = InterfaceName.fault(interface) {
            throw BPFError("set", "\(name) of interface “\(interface.printable)”", .unavailable("no interface has such a name: \(fault)"))
        }
        if interface == "all" || interface == "default" {
            throw BPFError("set", "\(name) of interface “\(interface)”", .unavailable("the kernel's settings use it for all interfaces"))
        }
        return "\(folder(interface))/\(name)"
    }

    static func write(_ value: String, to path: String) throws(BPFError) {
        let raw = open(path, O_WRONLY | O_CLOEXEC)
        guard raw >= 0 else { throw BPFError("set", path, .errno(errno)) }
        let file = Descriptor(owning: raw)
        guard Glibc.write(file.raw, value, value.utf8.count) >= 0 else { throw BPFError("set", path, .errno(errno)) }
    }

    // MARK: Host endpoints

    /// Of a host endpoint's device. Nothing that comes by it is forwarded, redirects or routes nothing, and is answered for
    /// no other address; the host asks for neighbours as the endpoint alone, and makes no addresses up.
    static let ofDevice: [Setting] = [
        Setting(family: .ipv4, name: "forwarding", value: "0"),
        // By udev, distributions set 2, loosely, on every new interface. No sender of the VPC can have a source outside of it.
        Setting(family: .ipv4, name: "rp_filter", value: "1", orElse: ["2"]),
        Setting(family: .ipv4, name: "arp_ignore", value: "1"),
        Setting(family: .ipv4, name: "arp_announce", value: "2"),
        Setting(family: .ipv4, name: "proxy_arp", value: "0"),
        Setting(family: .ipv4, name: "accept_local", value: "0"),
        Setting(family: .ipv4, name: "accept_redirects", value: "0"),
        Setting(family: .ipv4, name: "accept_source_route", value: "0"),
        Setting(family: .ipv4, name: "route_localnet", value: "0"),
        // The host may have IPv6 off; this device is ours. The first of IPv6's, as it brings the address family back.
        Setting(family: .ipv6, name: "disable_ipv6", value: "0"),
        Setting(family: .ipv6, name: "forwarding", value: "0"),
        Setting(family: .ipv6, name: "addr_gen_mode", value: "1"),  // none: no link-local address
        Setting(family: .ipv6, name: "accept_ra", value: "0"),
        Setting(family: .ipv6, name: "autoconf", value: "0"),
        Setting(family: .ipv6, name: "router_solicitations", value: "0"),
        Setting(family: .ipv6, name: "dad_transmits", value: "0"),
        Setting(family: .ipv6, name: "accept_redirects", value: "0"),
        Setting(family: .ipv6, name: "accept_source_route", value: "-1"),
        Setting(family: .ipv6, name: "seg6_enabled", value: "0"),
        Setting(family: .ipv6, name: "rpl_seg_enabled", value: "0"),
        Setting(family: .ipv6, name: "proxy_ndp", value: "0"),
        Setting(family: .ipv6, name: "use_oif_addrs_only", value: "1"),
    ]

    /// Of every endpoint's port: should its program be missing, the host's stack takes nothing there. `Link.isClosed` reads them all at
    /// once.
    static let ofPort: [Setting] = [
        Setting(family: .ipv4, name: "forwarding", value: "0"),
        Setting(family: .ipv4, name: "rp_filter", value: "1"),
        Setting(family: .ipv4, name: "arp_ignore", value: "8"),
        Setting(family: .ipv6, name: "disable_ipv6", value: "1"),
    ]

    /// Sets a port. An interface without IPv6 takes none.
    static func close(_ interface: String) throws(BPFError) {
        guard if_nametoindex(interface) != 0 else { throw BPFError("attach to", "interface \(interface)", .errno(ENODEV)) }
        for setting in ofPort where setting.family == .ipv4 || BPFFilesystem.exists(setting.folder(interface)) {
            try setting.set(on: interface, mtu: leastIPv6)
        }
    }

    /// Sets an interface that is a port no longer as new ones are in this network namespace: what it had before, nobody knows. One
    /// that has gone has none.
    static func reopen(_ interface: String) throws(BPFError) {
        for setting in ofPort {
            let (path, usual) = (try setting.path(interface), "\(root)/\(setting.family.rawValue)/conf/default/\(setting.name)")
            guard BPFFilesystem.exists(path), BPFFilesystem.exists(usual) else { continue }
            try write(HostCheck.text(of: usual), to: path)
        }
    }
}
