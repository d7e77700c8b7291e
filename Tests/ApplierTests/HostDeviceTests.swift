import CBPF
import Glibc
import Planner
import TestSupport
import Testing
import Topology

@testable import Applier

/// Devices of host endpoints in the kernel: made, read back, set again, removed.
@Suite(.enabled(if: NetworkNamespace.isAvailable))
struct HostDeviceTests {
    private static let device = Device(
        endpoint: "acme/prod/web/mgmt-1", name: "mzr86f610fdeb", ifindex: 1_500_000_000, port: "mzp86f610fdeb",
        portIndex: 1_500_000_001, mac: MACAddress(bits: 0x0a58_0a00_0114), mtu: 1438,
        addresses: ["10.0.1.20", "fd00:1:0:1::20"].compactMap { IPAddress($0) },
        routes: [
            Device.Route(
                destination: CIDR(containing: IPAddress(v4: 0x0a00_0000), length: 16), gateway: IPAddress("10.0.1.1"),
                source: IPAddress("10.0.1.20")),
            Device.Route(
                destination: CIDR(containing: IPAddress(bits: 0xfd00_0001 << 96), length: 48), gateway: IPAddress("fd00:1:0:1::1"),
                source: IPAddress("fd00:1:0:1::20")),
        ])

    /// Other addresses and on-link routes.
    private static let other: Device = {
        var other = device
        other.mac = MACAddress(bits: 0x0200_0000_0021)
        other.mtu = 1300
        other.addresses = ["10.0.1.21", "fd00:1:0:1::21"].compactMap { IPAddress($0) }
        for index in other.routes.indices {
            other.routes[index].gateway = nil
            other.routes[index].source = other.addresses[index]
        }
        return other
    }()

    private static func change(_ before: Device?, _ after: Device?) throws { try HostDevices().change(from: before, to: after) }

    private static func found() throws -> [Device] { try HostDevices().found() }

    @Test("made as it is wanted, once and again, and removed without a trace")
    func onAndOff() async throws {
        try await NetworkNamespace.run { host in
            let before = try host.command("ip", "-o", "addr", "show")
            for _ in 0..<2 { try Self.change(nil, Self.device) }
            #expect(try Self.found() == [Self.device])
            let address = try host.command("ip", "-o", "addr", "show", "dev", Self.device.name)
            #expect(address.contains("inet 10.0.1.20/32") && address.contains("inet6 fd00:1:0:1::20/128"))
            #expect(!address.contains("fe80") && !address.contains("tentative"), "no address but the endpoint's")
            #expect(try host.command("ip", "-o", "-6", "addr", "show", "dev", Self.device.port) == "")
            let routes = try host.command("ip", "route", "show") + host.command("ip", "-6", "route", "show")
            #expect(routes.contains("10.0.0.0/16 via 10.0.1.1 dev mzr86f610fdeb proto 109 src 10.0.1.20 onlink"))
            #expect(routes.contains("fd00:1::/48 via fd00:1:0:1::1 dev mzr86f610fdeb proto 109 src fd00:1:0:1::20"))
            #expect(routes.split(separator: "\n").count == 2, "no route but to the VPC: \(routes)")
            for family in ["-4", "-6"] {
                let rules = try host.command("ip", family, "rule", "show").split(separator: "\n")
                #expect(rules.filter { $0.contains("iif mzr86f610fdeb") && $0.contains("proto 109") }.count == 2, "\(rules)")
            }
            for _ in 0..<2 { try Self.change(Self.device, nil) }
            #expect(try Self.found() == [])
            #expect(try !host.command("sh", "-c", "ip rule; ip -6 rule").contains("mzr"))
            #expect(try host.command("ip", "-o", "addr", "show") == before)
        }
    }

    @Test("every change by others is seen, and set again in place")
    func drift() async throws {
        try await NetworkNamespace.run { host in
            try Self.change(nil, Self.device)
            let (name, port) = (Self.device.name, Self.device.port)
            var changes = [
                "ip link set dev \(name) down", "ip link set dev \(port) down", "ip link set dev \(name) mtu 1400",
                "ip link set dev \(port) mtu 1400", "ip link set dev \(name) address 02:00:00:00:00:99",
                "ip addr del 10.0.1.20/32 dev \(name)", "ip addr del fd00:1:0:1::20/128 dev \(name)",
                "ip addr add 10.0.1.99/32 dev \(name)", "ip addr add 10.0.1.99/24 dev \(name)",
                "ip -6 addr add fd00:1:0:1::99/128 dev \(name)", "ip -6 addr add fd00:1:0:1::99/64 dev \(name) nodad",
                "ip route del 10.0.0.0/16 dev \(name)", "ip -6 route del fd00:1::/48 dev \(name)",
                "ip route change 10.0.0.0/16 via 10.0.1.2 dev \(name) onlink proto 109 src 10.0.1.20",
                "ip route add 192.0.2.0/24 dev \(name) proto 109", "ip rule del iif \(name) blackhole", "ip -6 rule del pref 1",
            ]
            for (settings, name) in [(Setting.ofDevice, name), (Setting.ofPort, port)] {
                for setting in settings {
                    let path = "/proc/sys/net/\(setting.family.rawValue)/conf/\(name)/\(setting.name)"
                    // Another value, and one that the kernel takes.
                    let other = setting.name == "accept_source_route" ? "1" : setting.value == "0" ? "1" : "0"
                    if BPFFilesystem.exists(path) { changes.append("echo \(other) >\(path)") }
                }
            }
            #expect(changes.count >= 35)
            for change in changes {
                try host.command("sh", "-ec", change)
                let found = try Self.found()
                #expect(found != [Self.device], "\(change)")
                #expect(found.map(\.ifindex) == [Self.device.ifindex], "\(change)")
                try Self.change(try #require(found.first), Self.device)
                let again = try Self.found()
                #expect(again == [Self.device], "\(change)")
            }
            // What udev sets by distributions' rules is as good.
            try host.command("sh", "-ec", "echo 2 >/proc/sys/net/ipv4/conf/\(name)/rp_filter")
            #expect(try Self.found() == [Self.device])
        }
    }

    @Test("other addresses, MAC, MTU and routes, in place and back")
    func change() async throws {
        try await NetworkNamespace.run { host in
            try Self.change(nil, Self.device)
            for (before, after) in [(Self.device, Self.other), (Self.other, Self.device)] {
                try Self.change(before, after)
                #expect(try Self.found() == [after])
            }
            // A plan that was made on another state is refused.
            let error = #expect(throws: BPFError.self) { try Self.change(Self.other, nil) }
            #expect(error?.description.contains("changed since the plan was made") == true)
            #expect(try Self.found() == [Self.device])
        }
    }

    /// Another path: both ends have other names.
    private static let renamed: Device = {
        var renamed = device
        (renamed.endpoint, renamed.name, renamed.port) = ("acme/prod/web/other", "mzr0123456789", "mzp0123456789")
        return renamed
    }()

    @Test("renamed with all that it has, and back; nothing is left under the old name")
    func rename() async throws {
        try await NetworkNamespace.run { host in
            try Self.change(nil, Self.device)
            // What a program of the host's holds on to: by the interface's index.
            try host.command("ip", "route", "add", "192.0.2.0/24", "dev", Self.device.name)
            let addresses = try host.command("ip", "-o", "addr", "show").replacing(Self.device.name, with: "")
            for (before, after) in [(Self.device, Self.renamed), (Self.renamed, Self.device)] {
                try Self.change(before, after)
                #expect(try Self.found() == [after])
                #expect(try !host.command("sh", "-c", "ip rule; ip -6 rule; ip -o link").contains(before.name))
                let isKept = try host.command("ip", "route", "show").contains("192.0.2.0/24 dev \(after.name)")
                #expect(isKept == (HostCheck.kernelVersion() >= (6, 2)), "since Linux 6.2 it is never down")
            }
            #expect(try host.command("ip", "-o", "addr", "show").replacing(Self.device.name, with: "") == addresses)
            // Another interface has the name.
            try host.command("ip", "link", "add", "name", Self.renamed.name, "type", "bridge")
            #expect(throws: BPFError.self) { try Self.change(Self.device, Self.renamed) }
            try host.command("ip", "link", "del", "dev", Self.renamed.name)
            // Its rules were there already.
            let rest = try #require(try Self.found().first { $0.name == Self.renamed.name })
            #expect(!rest.isThere)
            try Self.change(Self.device, Self.renamed)
            #expect(try Self.found() == [Self.renamed])
        }
    }

    @Test("renamed while it is down, as Linux 6.1 needs it, it is whole again once it is set")
    func renameDown() async throws {
        try await NetworkNamespace.run { host in
            try Self.change(nil, Self.device)
            let devices = try HostDevices()
            try host.command("ip", "link", "add", "name", Self.renamed.name, "type", "bridge")
            #expect(throws: BPFError.self) { try devices.renameDown(Self.device.ifindex, to: Self.renamed.name, "") }
            #expect(try Self.found() == [Self.device], "it is as it was")
            try host.command("ip", "link", "del", "dev", Self.renamed.name)
            try devices.renameDown(Self.device.ifindex, to: Self.renamed.name, "")
            try devices.renameDown(Self.device.portIndex, to: Self.renamed.port, "")
            // As one that was killed there leaves it, but for the rules of the old name.
            let found = try #require(try Self.found().first(where: \.isThere))
            #expect(found.name == Self.renamed.name && found.port == Self.renamed.port && !found.isUp)
            #expect(found.routes.isEmpty && found.addresses == Self.device.addresses.filter(\.isIPv4))
            try Self.change(found, Self.renamed)
            #expect(try Self.found().contains(Self.renamed))
        }
    }

    @Test("a pair that is not whole is found by what it has of ours, and can be removed")
    func remains() async throws {
        try await NetworkNamespace.run { host in
            let (name, port) = (Self.device.name, Self.device.port)
            let damages: [(String, (Device) -> Bool)] = [
                // As a killed apply leaves it: made, without a name for whose it is.
                ("ip link set dev \(name) alias ''", { $0.endpoint == "" && $0.port == port }),
                ("ip link set dev \(port) alias 'somebody'", { $0.endpoint == "" && $0.port == port }),
                ("ip link set dev \(name) down; ip link set dev \(name) name eth7", { $0.name == "eth7" && $0.port == port }),
            ]
            for (damage, isSeen) in damages {
                try Self.change(nil, Self.device)
                try host.command("sh", "-ec", damage)
                let found = try #require(try Self.found().first)
                #expect(isSeen(found), "\(damage): \(found)")
                // Under the name that it had its rules may be left.
                for one in try Self.found() { try Self.change(one, nil) }
                #expect(try Self.found() == [])
            }
            // The group alone is not needed to know a device for ours.
            try Self.change(nil, Self.device)
            try host.command("ip", "link", "set", "dev", name, "group", "default")
            #expect(try Self.found().map(\.name) == [name])
        }
    }

    @Test("one end in another namespace: the other end is found and removed")
    func parted() async throws {
        try await NetworkNamespace.run { host in
            for end in [Self.device.name, Self.device.port] {
                try Self.change(nil, Self.device)
                let away = try host.spawn("unshare", "--net", "sleep", "1000")
                defer { away.end() }
                // Once it has a namespace of its own.
                try host.command(
                    "sh", "-ec",
                    "while [ $(readlink /proc/\(away.pid)/ns/net) = $(readlink /proc/self/ns/net) ]; do :; done; ip link set dev \(end) netns \(away.pid)"
                )
                let found = try #require(try Self.found().first)
                #expect(end == Self.device.name ? found.ifindex == 0 : found.portIndex == 0, "\(found)")
                // Under the name that it had its rules may be left.
                for one in try Self.found() { try Self.change(one, nil) }
                #expect(try Self.found() == [])
            }
        }
    }

    @Test("of a device that somebody deletes the rules stay, serve the next one, and can be removed")
    func rules() async throws {
        try await NetworkNamespace.run { host in
            for isMadeAgain in [true, false] {
                try Self.change(nil, Self.device)
                try host.command("ip", "link", "del", "dev", Self.device.name)
                let rest = try #require(try Self.found().first)
                #expect(rest.name == Self.device.name && !rest.isThere && rest.endpoint == "")
                if isMadeAgain {
                    try Self.change(nil, Self.device)
                    #expect(try Self.found() == [Self.device])
                    try Self.change(Self.device, nil)
                } else {
                    for _ in 0..<2 { try Self.change(rest, nil) }
                }
                #expect(try Self.found() == [])
                #expect(try !host.command("sh", "-c", "ip rule; ip -6 rule").contains("mzr"))
            }
        }
    }

    @Test("names and indices of others are left to them, and the error says who has them")
    func taken() async throws {
        try await NetworkNamespace.run { host in
            let claims = [
                ["name", Self.device.name], ["name", Self.device.port], ["name", "x0", "index", "\(Self.device.ifindex)"],
                ["name", "x0", "index", "\(Self.device.portIndex)"],
            ]
            for claim in claims {
                try host.command("sh", "-ec", "ip link add \(claim.joined(separator: " ")) type bridge")
                let error = #expect(throws: BPFError.self) { try Self.change(nil, Self.device) }
                #expect(
                    error?.description.contains("an interface \(claim[1]) of index") == true, "\(claim): \(error.map { "\($0)" } ?? "")")
                #expect(try Self.found() == [], "\(claim)")
                try host.command("ip", "link", "del", "dev", claim[1])
            }
        }
    }

    @Test("a route of somebody else's is not replaced")
    func foreignRoute() async throws {
        try await NetworkNamespace.run { host in
            try host.command("ip", "link", "add", "x0", "type", "bridge")
            try host.command("ip", "link", "set", "x0", "up")
            try host.command("ip", "route", "add", "10.0.0.0/16", "dev", "x0")
            let error = #expect(throws: BPFError.self) { try Self.change(nil, Self.device) }
            #expect(error?.description.contains("another route to the same addresses") == true)
            #expect(try host.command("ip", "route", "show", "10.0.0.0/16").contains("dev x0"))
            // The rest of it is there, and is completed once there is room.
            let found = try #require(try Self.found().first)
            try host.command("ip", "route", "del", "10.0.0.0/16", "dev", "x0")
            try Self.change(found, Self.device)
            #expect(try Self.found() == [Self.device])
        }
    }

    @Test("detach removes devices, and nothing that is not ours")
    func detach() async throws {
        try await NetworkNamespace.run { host in
            try host.command("ip", "link", "add", "theirs", "type", "veth", "peer", "name", "theirsp")
            let before = try host.command("ip", "-o", "link", "show")
            try Self.change(nil, Self.device)
            let removed = try Detach.run(directory: host.bpffs)
            #expect(removed == ["device mzr86f610fdeb of acme/prod/web/mgmt-1"])
            #expect(try host.command("ip", "-o", "link", "show") == before)
        }
    }

    @Test("the ABI of a request: header, attributes, padding")
    func message() {
        var header = ifinfomsg()
        header.ifi_index = 0x0102_0304
        var message = NetlinkMessage(change: Int(RTM_NEWLINK), flags: NLM_F_CREATE, header)
        message.add(3, "ab")
        message.nest(18) { $0.add(1, UInt8(7)) }
        #expect(
            message.finished == [
                52, 0, 0, 0, 16, 0, 0x05, 0x04, 0, 0, 0, 0, 0, 0, 0, 0,  // length, RTM_NEWLINK, REQUEST | ACK | CREATE
                0, 0, 0, 0, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0,  // ifinfomsg
                7, 0, 3, 0, 0x61, 0x62, 0, 0,  // “ab” and its zero byte, padded
                12, 0, 18, 0, 5, 0, 1, 0, 7, 0, 0, 0,  // an attribute within one, padded
            ])
    }
}
