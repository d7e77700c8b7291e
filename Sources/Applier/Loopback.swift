import Glibc

/// Forwarding on the loopback interface of the thread's network namespace: /proc/sys/net is the reader's.
///
/// Programs look up next hops on behalf of this interface, and bpf_fib_lookup refuses one that does not forward. It makes the
/// host forward nothing else. Others change it unasked: `net.ipv4.ip_forward` sets it on all interfaces.
enum Loopback {
    private static let directory = "/proc/sys/net/ipv4/conf"
    private static let forwarding = Setting(family: .ipv4, name: "forwarding", value: "1")

    /// Of no matter to settings of IPv4.
    private static let mtu = 65_536

    static func forwards() throws(BPFError) -> Bool { try forwarding.holds(on: "lo", mtu: Self.mtu) }

    static func forward() throws(BPFError) { try forwarding.set(on: "lo", mtu: Self.mtu) }

    /// As interfaces of this host are by default.
    static func restore() throws(BPFError) {
        try Setting.write(HostCheck.text(of: "\(directory)/default/forwarding"), to: "\(directory)/lo/forwarding")
    }
}
