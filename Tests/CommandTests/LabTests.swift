import Glibc
import Subprocess
import Testing
import Topology

@testable import Lab

/// Root, or nobody's excuse: with `MIZAR_REQUIRE_BPF=1` the tests run and fail.
private let isPrivileged = geteuid() == 0 || getenv("MIZAR_REQUIRE_BPF") != nil

@Suite(.enabled(if: isPrivileged, "network namespaces need root")) struct LabTests {
    @Test(arguments: Lab.Underlay.allCases)
    func hostsAndEndpointsAreAsTheTopologySays(underlay: Lab.Underlay) async throws {
        try await withLab { lab in
            try await lab.up(.sample, underlay: underlay) { _, _ in nil }
            for (from, to) in [("h1", "172.16.0.2"), ("h2", "172.16.0.3"), ("h3", "172.16.0.1")] {
                let ping = try await inside(lab.namespace(host: from), "ping", "-c1", "-W2", "-s", "1500", to)
                #expect(ping.isSuccess, "\(from) to \(to)")
            }
            let web = lab.namespace(endpoint: "acme/prod/web/web-1")
            let text = try await output("ip", "-n", web, "-o", "addr", "show", "dev", "eth0")
            #expect(text.contains("inet 10.0.1.10/24") && text.contains("inet6 fd00:1::10/64"))
            #expect(try await output("ip", "-n", web, "link", "show", "dev", "eth0").contains("0a:58:0a:00:01:0a"))
            #expect(try await output("ip", "-n", web, "link", "show", "dev", "eth0").contains("mtu 1500"))
            #expect(try await output("ip", "-n", web, "route").contains("default via 10.0.1.254 dev eth0 onlink"))
            #expect(try await output("ip", "-n", web, "-6", "route").contains("default via fd00:1::1 dev eth0"))
            let fixed = try await output("ip", "-n", lab.namespace(endpoint: "acme/prod/web/web-2"), "link", "show", "dev", "eth0")
            #expect(fixed.contains("02:00:00:00:00:11"))
            #expect(try await output("ip", "-n", lab.namespace(host: "h2"), "link", "show", "dev", "v-web-2").contains("UP"))
            #expect(try await output("ip", "-n", lab.namespace(host: "h1"), "link", "show", "dev", "up0").contains("mtu 1600"))
        }
    }

    @Test func checksumsAreCompleteWhereAHostForwardsInXDP() async throws {
        try await withLab { lab in
            var topology = Topology.sample
            try await lab.up(topology) { _, _ in nil }
            let host = lab.namespace(host: "h2")
            #expect(try await output("nsenter", "--net=/run/netns/\(host)", "ethtool", "-k", "up0").contains("tx-checksumming: on"))
            topology.hosts[0].datapath = .xdp
            for _ in 0..<2 { try await lab.up(topology) { _, _ in nil } }
            // The far end of an XDP host's uplink polls, and so takes what XDP redirects; no other needs to.
            func polls(_ host: String) async throws -> Bool {
                let port = Layout.port(host: host)
                return try await output("nsenter", "--net=/run/netns/\(lab.underlayNamespace)", "ethtool", "-k", port)
                    .contains("generic-receive-offload: on")
            }
            let (isPolling, isOtherPolling) = (try await polls("h1"), try await polls("h2"))
            #expect(isPolling && !isOtherPolling)
            #expect(try await output("nsenter", "--net=/run/netns/\(host)", "ethtool", "-k", "up0").contains("tx-checksumming: off"))
            topology.hosts[0].datapath = .tc
            try await lab.up(topology) { _, _ in nil }
            #expect(try await !polls("h1"))
        }
    }

    @Test func aRunningLabConverges() async throws {
        try await withLab { lab in
            let before = Topology.sample
            try await lab.up(before) { _, _ in nil }
            let (web1, web2) = (lab.namespace(endpoint: "acme/prod/web/web-1"), lab.namespace(endpoint: "acme/prod/web/web-2"))
            let index = try await output("ip", "-n", web1, "-o", "link", "show", "dev", "eth0")
            let inode = Namespace.inode(Namespace.path(web2))

            var after = before
            after.hosts.removeAll { $0.name == "h3" }
            after.hosts.append(host("h4", 4))
            after.endpoints.removeAll { $0.name == "acme/prod/web/web-3" }
            after.endpoints[1].host = "h4"  // web-2 moves
            after.endpoints.append(endpoint("web-5", 15, host: "h4"))
            try await lab.up(after) { _, _ in nil }

            let now = try await output("ip", "-n", web1, "-o", "link", "show", "dev", "eth0")
            #expect(now.prefix { $0 != "<" } == index.prefix { $0 != "<" }, "what is right is not made again")
            #expect(Namespace.inode(Namespace.path(web2)) == inode, "a moved endpoint keeps its namespace")
            #expect(try await lab.snapshot().alias("v-web-2", in: lab.namespace(host: "h2")) == nil)
            #expect(try await lab.snapshot().alias("v-web-2", in: lab.namespace(host: "h4")) != nil)
            #expect(try await output("ip", "-n", web2, "-o", "addr", "show", "dev", "eth0").contains("10.0.1.11/24"))
            #expect(!Namespace.isAlive(lab.namespace(endpoint: "acme/prod/web/web-3")))
            #expect(!Namespace.isAlive(lab.namespace(host: "h3")))
            #expect(try await inside(lab.namespace(host: "h1"), "ping", "-c1", "-W2", "172.16.0.4").isSuccess)
            // The other underlay, and an endpoint that takes another's interface name.
            after.endpoints[0].interface = "v-web-5"
            after.endpoints[0].host = "h4"
            after.endpoints[2].interface = "v-new"
            try await lab.up(after, underlay: .routed) { _, _ in nil }
            #expect(try await inside(lab.namespace(host: "h1"), "ping", "-c1", "-W2", "172.16.0.4").isSuccess)
            let links = try await lab.snapshot().links[lab.namespace(host: "h4")] ?? [:]
            #expect(Set(links.keys) == ["lo", "up0", "v-web-2", "v-web-5", "v-new"])
        }
    }

    @Test func hostsAreReconciledInRounds() async throws {
        try await withLab(executable: "/bin/sh") { lab in
            let arguments = { @Sendable (host: Host, phase: String) -> [String]? in ["-c", "ip -o link show; echo \(phase)"] }
            let first = try await lab.up(.sample, reconcile: arguments)
            #expect(first.map(\.phase) == ["remove", "remove", "remove"])
            #expect(first.first { $0.host == "h1" }?.output.contains("v-web-1") == true, "in the host's namespace")
            let second = try await lab.up(.sample, reconcile: arguments)
            #expect(second.map(\.phase) == ["add", "add", "add", "switch", "switch", "switch", "remove", "remove", "remove"])
            let error = await #expect(throws: LabError.self) {
                try await lab.up(.sample) { host, _ in ["-c", host.name == "h2" ? "echo no >&2; exit 5" : "true"] }
            }
            #expect(error?.description.contains("h2") == true && error?.description.contains("no") == true)
        }
    }

    @Test func downEndsWhatRunsInside() async throws {
        try await withLab { lab in
            try await lab.up(.sample) { _, _ in nil }
            let namespace = lab.namespace(endpoint: "acme/prod/web/web-1")
            _ = try await run(
                .name("nsenter"), arguments: ["--net=/run/netns/\(namespace)", "sleep", "1000"], input: .none,
                output: .discarded, error: .discarded
            ) { execution in
                while Namespace.inode("/proc/\(execution.processIdentifier.value)/ns/net")
                    != Namespace.inode(Namespace.path(namespace))
                { try await Task.sleep(for: .milliseconds(5)) }
                try await lab.down()
            }
            #expect(Namespace.names(prefix: lab.prefix).isEmpty)
        }
    }

    @Test func remainsOfACrashAreTakenUpAndRemoved() async throws {
        try await withLab { lab in
            // An empty namespace, a name without a namespace, half a link.
            _ = try await output("ip", "netns", "add", lab.namespace(host: "h1"))
            _ = try await output("touch", Namespace.path(lab.namespace(host: "h2")))
            _ = try await output("ip", "netns", "add", lab.namespace(endpoint: "acme/prod/web/web-1"))
            try await lab.up(.sample) { _, _ in nil }
            let web = lab.namespace(endpoint: "acme/prod/web/web-1")
            _ = try await output("ip", "-n", web, "link", "set", "eth0", "alias", "x")
            _ = try await output("ip", "-n", web, "link", "add", "eth0-new", "type", "bridge")
            try await lab.up(.sample) { _, _ in nil }
            #expect(try await output("ip", "-n", web, "-o", "link").split(separator: "\n").count == 2)
            _ = try await output("touch", Namespace.path(lab.namespace(host: "h9")))
            try await lab.down()
            #expect(Namespace.names(prefix: lab.prefix).isEmpty)
        }
    }

    @Test func aNamespaceOfSomebodyElseIsLeftAlone() async throws {
        try await withLab { lab in
            let name = lab.namespace(host: "h1")
            _ = try await output("ip", "netns", "add", name)
            _ = try await output("ip", "-n", name, "link", "add", "theirs", "type", "bridge")
            let error = await #expect(throws: LabError.self) { try await lab.up(.sample) { _, _ in nil } }
            #expect(error?.description.contains("is not of this lab") == true)
            #expect(try await output("ip", "-n", name, "link").contains("theirs"))
        }
    }

    @Test func namesAreAnsweredWithWhatThereIs() async throws {
        try await withLab { lab in
            #expect(throws: LabError.self) { try lab.find(.host("h1")) }
            try await lab.up(.sample) { _, _ in nil }
            #expect(try lab.find(.host("h1")) == lab.namespace(host: "h1"))
            #expect(try lab.find(.endpoint("acme/prod/web/web-1")) == lab.namespace(endpoint: "acme/prod/web/web-1"))
            let error = #expect(throws: LabError.self) { try lab.find(.endpoint("acme/prod/web/web-9")) }
            #expect(error?.cause.contains("acme/prod/web/web-1") == true)
        }
    }

    @Test func threeHostsAndTenEndpoints() async throws {
        try await withLab { lab in
            var topology = Topology.sample
            for number in 20..<27 { topology.endpoints.append(endpoint("web-\(number)", number, host: "h\(number % 3 + 1)")) }
            let clock = ContinuousClock()
            let made = try await clock.measure { try await lab.up(topology) { _, _ in nil } }
            for endpoint in topology.endpoints {
                #expect(Namespace.isAlive(lab.namespace(endpoint: endpoint.name)))
            }
            print("lab of \(topology.hosts.count) hosts and \(topology.endpoints.count) endpoints: up in \(made)")
        }
    }

    @Test func aSecondChangeAtATimeIsRefused() async throws {
        try await withLab { lab in
            let lock = try LabLock(lab)
            let error = await #expect(throws: LabError.self) { try await lab.down() }
            #expect(error?.description.contains("process \(getpid()) (") == true, "\(error?.description ?? "")")
            lock.unlock()
        }
    }
}

@Suite struct LabNameTests {
    @Test(arguments: ["", "a b", "../x", "UP", "-a", "a-", String(repeating: "a", count: 33)])
    func refused(name: String) { #expect(throws: LabError.self) { try Lab(name: name).check() } }

    @Test func longPathsGetANameThatFits() {
        let label = String(repeating: "a", count: 63)
        let lab = Lab()
        let first = lab.namespace(endpoint: "\(label)/\(label)/\(label)/\(label)")
        let second = lab.namespace(endpoint: "\(label)/\(label)/\(label)/\(label.dropLast())b")
        #expect(first.utf8.count <= 200 && first != second)
    }
}

// MARK: Support

/// A lab of a test's own, gone afterwards.
private func withLab(executable: String = "/bin/true", _ body: (Lab) async throws -> Void) async throws {
    let lab = Lab(name: "t" + String(UInt32.random(in: 0...UInt32.max), radix: 16), executable: executable)
    do {
        try await body(lab)
    } catch {
        try await lab.down()
        throw error
    }
    try await lab.down()
    #expect(!lab.exists)
    #expect(access(lab.bpffs, F_OK) != 0)
}

private func inside(_ namespace: String, _ command: String...) async throws -> TerminationStatus {
    try await run(
        .name("nsenter"), arguments: Arguments(["--net=/run/netns/\(namespace)"] + command), output: .discarded,
        error: .discarded
    ).terminationStatus
}

private func output(_ command: String...) async throws -> String {
    let result = try await run(
        .name(command[0]), arguments: Arguments(Array(command.dropFirst())), output: .string(limit: 1 << 20),
        error: .string(limit: 1 << 20))
    #expect(result.terminationStatus.isSuccess, "\(command): \(result.standardError)")
    return result.standardOutput
}

private let here = SourceLocation(file: "t.yaml", line: 1, column: 1)

private func host(_ name: String, _ number: UInt32, mtu: Int? = nil) -> Host {
    Host(name: name, address: IPAddress(v4: 0xac10_0000 | number), interface: "up0", mtu: mtu, at: here)
}

private func endpoint(_ name: String, _ number: Int, host: String, mac: MACAddress? = nil) -> Endpoint {
    Endpoint(
        name: "acme/prod/web/\(name)", network: "acme/prod/web",
        addresses: ["10.0.1.\(number)", "fd00:1::\(number)"].compactMap { IPAddress($0) }, host: host, interface: "v-\(name)",
        mac: mac, at: here)
}

extension Topology {
    fileprivate static var sample: Topology {
        Topology(
            hosts: [host("h1", 1), host("h2", 2), host("h3", 3)],
            networks: [
                Network(
                    name: "acme/prod/web", vpc: "acme/prod", cidrs: ["10.0.1.0/24", "fd00:1::/64"].compactMap { CIDR($0) },
                    gateways: [IPAddress("10.0.1.254"), IPAddress("fd00:1::1")], at: here)
            ],
            endpoints: [
                endpoint("web-1", 10, host: "h1"), endpoint("web-2", 11, host: "h2", mac: MACAddress("02:00:00:00:00:11")),
                endpoint("web-3", 12, host: "h3"),
            ])
    }
}
