import Glibc

/// Forwarding on the loopback interface of the thread's network namespace: /proc/sys/net is the reader's.
///
/// XDP looks up the routes of packets that pass through on behalf of this interface, and bpf_fib_lookup refuses one that
/// does not forward. It makes the host forward nothing else.
enum Loopback {
    private static let directory = "/proc/sys/net/ipv4/conf"

    static func forward() throws(BPFError) { try set("1") }

    /// As interfaces of this host are by default.
    static func restore() throws(BPFError) { try set(HostCheck.text(of: "\(directory)/default/forwarding")) }

    private static func set(_ value: String) throws(BPFError) { try Setting.write(value, to: "\(directory)/lo/forwarding") }
}
