/// Settings of the network namespace that the calling thread is in.
enum Sysctl {
    /// Nothing speaks or changes by itself: a lab shows the overlay's packets.
    static func quiet(isUnderlay: Bool) {
        for scope in ["all", "default"] {
            let v6 = "/proc/sys/net/ipv6/conf/\(scope)/"
            for (name, value) in [
                ("accept_ra", "0"), ("autoconf", "0"), ("router_solicitations", "0"), ("accept_dad", "0"),
                ("dad_transmits", "0"),
            ] { Files.write(value, to: v6 + name) }  // absent where IPv6 is off, and then not needed
            if isUnderlay { Files.write("1", to: v6 + "disable_ipv6") }
            Files.write("0", to: "/proc/sys/net/ipv4/conf/\(scope)/rp_filter")
        }
    }

    static func forward() { Files.write("1", to: "/proc/sys/net/ipv4/ip_forward") }
}
