import Glibc

/// One of the kernel's settings of an interface, in the thread's network namespace: /proc/sys/net is the reader's.
struct Setting: Sendable {
    enum Family: String, Sendable { case ipv4, ipv6 }

    var family: Family
    var name: String
    var value: String
    /// Values that do as well, where others like to set them too.
    var orElse: [String] = []

    private func path(_ interface: String) -> String { "/proc/sys/net/\(family.rawValue)/conf/\(interface)/\(name)" }

    /// Whether the interface has it. What this kernel lacks, or this interface (IPv6 that is off), cannot be wrong.
    func holds(on interface: String) throws(BPFError) -> Bool {
        guard BPFFilesystem.exists(path(interface)) else { return true }
        let found = try HostCheck.text(of: path(interface)).filter { !$0.isWhitespace }
        return found == value || orElse.contains(found)
    }

    func set(on interface: String) throws(BPFError) {
        guard try !holds(on: interface) else { return }
        try Self.write(value, to: path(interface))
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

    /// Of the port at its other end: should its program be missing, the host's stack takes nothing there.
    static let ofPort: [Setting] = [
        Setting(family: .ipv4, name: "forwarding", value: "0"),
        Setting(family: .ipv4, name: "rp_filter", value: "1", orElse: ["2"]),
        Setting(family: .ipv4, name: "arp_ignore", value: "8"),
        Setting(family: .ipv6, name: "disable_ipv6", value: "1"),
    ]
}
