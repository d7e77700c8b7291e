import CBPF
import Glibc

// What interfaces carry.
extension LabFixture {
    /// Programs of ours on a host's interfaces, and pins below its folder, as ip, tc, tcx and ls show them.
    public func attached(_ host: String) async throws -> [String] {
        let pins = try await Tool.execute(["find", bpffs(host), "-type", "f"]).output.split(separator: "\n")
        return try await programs(on: host).map(\.place) + pins.map { "pin \($0)" }
    }

    /// Places on a host's interfaces with a program, and the program's id, as ip, tc and tcx show them.
    public func programs(on host: String) async throws -> [(place: String, id: Int)] {
        var found: [(place: String, id: Int)] = []
        let links = try await on(host, "ip", "-o", "-d", "link", "show").output.split(separator: "\n")
        for link in links {
            let name = String(link.split(separator: " ")[1].prefix { $0 != "@" && $0 != ":" })
            if link.contains("prog/xdp") { found.append(("XDP on \(name)", Self.programID(link, after: "prog/xdp"))) }
            for direction in ["ingress", "egress"] {
                let filters = try await on(host, "tc", "filter", "show", "dev", name, direction).output
                for line in filters.split(separator: "\n") where line.contains(" bpf ") && line.contains("handle") {
                    found.append(("tc \(direction) on \(name)", Self.programID(line, after: "handle")))
                }
                for id in try within(host, { Self.tcx(name, direction) }) {
                    found.append(("tc \(direction) on \(name)", Int(id)))
                }
            }
        }
        return found
    }

    /// The number behind the first “id” after a word.
    private static func programID(_ line: Substring, after word: String) -> Int {
        let words = line.split(separator: " ").drop { $0 != word }
        return words.firstIndex(of: "id").flatMap { Int(words[$0 + 1]) } ?? 0
    }

    /// Takes every program of tc off one direction of an interface, whichever hook the kernel has.
    public func takeOff(_ host: String, _ interface: String, _ direction: String) async throws {
        let place = "tc \(direction) on \(interface)"
        guard try await programs(on: host).contains(where: { $0.place == place }) else { throw FixtureError(text: "no \(place)") }
        _ = try await Tool.execute(
            ["tc", "filter", "del", "dev", interface, direction], namespace: namespace(host: host))
        try within(host) {
            for id in Self.tcx(interface, direction) {
                let program = bpf_prog_get_fd_by_id(id)
                defer { close(program) }
                let result = mzr_tcx_detach(if_nametoindex(interface), direction == "egress", program)
                guard result == 0 else { throw FixtureError(text: "tcx of \(interface): \(String(cString: strerror(-result)))") }
            }
        }
    }

    /// Fills the list of tcx of an interface's ingress with somebody's programs, so that no other finds room. Each leaves packets to
    /// the next.
    public func crowd(_ host: String, _ interface: String) throws {
        try within(host) {
            while true {
                // r0 = -1; exit
                var code = [bpf_insn(), bpf_insn()]
                (code[0].code, code[0].imm, code[1].code) = (0xb7, -1, 0x95)
                let program = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "somebody", "GPL", code, code.count, nil)
                guard program >= 0 else { throw FixtureError(text: "load: \(String(cString: strerror(-program)))") }
                defer { close(program) }
                let result = mzr_tcx_attach(if_nametoindex(interface), false, program, -1)
                if result == -ERANGE { return }
                guard result == 0 else { throw FixtureError(text: "tcx of \(interface): \(String(cString: strerror(-result)))") }
            }
        }
    }

    private static func tcx(_ interface: String, _ direction: String) -> [UInt32] {
        var ids = [UInt32](repeating: 0, count: Int(MZR_TCX_MAX))
        let count = mzr_tcx_query(if_nametoindex(interface), direction == "egress", &ids)
        return Array(ids.prefix(Int(max(0, count))))
    }

    /// Runs `body`, which cannot suspend, with this thread in a host's network namespace.
    public func within<Value>(_ host: String, _ body: () throws -> Value) throws -> Value {
        let (own, target) = (
            open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), open("/run/netns/\(namespace(host: host))", O_RDONLY | O_CLOEXEC)
        )
        defer {
            close(own)
            close(target)
        }
        guard own >= 0, mzr_enter_network_namespace(target) == 0 else { throw FixtureError(text: "enter \(host)") }
        // A thread that stayed there would run other tests in the wrong network.
        defer { precondition(mzr_enter_network_namespace(own) == 0) }
        return try body()
    }
}
