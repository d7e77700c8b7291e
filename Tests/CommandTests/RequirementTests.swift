import TestSupport
import Testing

/// What a host must have: without it every command says so, says what to do, and changes nothing.
@Suite(.needsRoot) struct RequirementTests {
    /// A lab whose h1 has nothing of ours, and must have nothing after.
    private static func onABareHost(_ body: (LabFixture) async throws -> Void) async throws {
        try await LabFixture.with(ApplyTests.twoHosts("xdp")) { lab in
            #expect(try await lab.detach("h1").succeeded)
            try await body(lab)
            #expect(try await lab.remains(on: "h1") == [])
        }
    }

    /// Commands about a host, without the program's name.
    private static func commands(_ lab: LabFixture, bpffs: String) -> [[String]] {
        [
            ["apply", "--repo", lab.repo, "--host", "h1", "--bpffs", bpffs],
            ["plan", "--repo", lab.repo, "--host", "h1", "--bpffs", bpffs],
            ["status", "--host", "h1", "--bpffs", bpffs],
            ["detach", "--host", "h1", "--bpffs", bpffs],
        ]
    }

    /// Runs the program on h1, by way of `wrapper`.
    private static func run(_ wrapper: [String], _ words: [String], _ lab: LabFixture) async throws -> Tool.Outcome {
        try await Tool.execute(wrapper + [Tool().path] + words, namespace: lab.namespace(host: "h1"))
    }

    @Test func aFolderThatIsOnNoBPFFileSystem() async throws {
        let fleet = ApplyTests.twoHosts("xdp")
        try await LabFixture.with(fleet) { lab in
            let attached = try await lab.attached("h1")
            for words in Self.commands(lab, bpffs: lab.git.folder) {
                let refused = try await Self.run([], words, lab)
                #expect(refused.status == 1, "\(words[0])")
                for text in [lab.git.folder, "not on a bpffs", "mount -t bpf"] {
                    #expect(refused.error.contains(text), "\(words[0]): \(refused.error)")
                }
            }
            let missing = try await Self.run([], Self.commands(lab, bpffs: "\(lab.git.folder)/new/pins")[0], lab)
            #expect(missing.status == 1 && missing.error.contains("mount -t bpf"), "\(missing.error)")
            #expect(try await !Tool.execute(["test", "-e", "\(lab.git.folder)/new"]).succeeded, "no folder was made")
            #expect(try await lab.attached("h1") == attached)
            try await ScenarioTests.holds(lab, fleet)
        }
    }

    /// In a mount namespace of its own, with nothing mounted at /sys/fs/bpf: what only reads mounts nothing, `apply` does.
    @Test func theFileSystemIsNotMounted() async throws {
        try await Self.onABareHost { lab in
            let commands = Self.commands(lab, bpffs: "/sys/fs/bpf/mizar-\(lab.name)-own/h1")
            func after(_ words: [String], _ check: String) -> [String] {
                ["unshare", "-m", "sh", "-ec", "umount -l /sys/fs/bpf; \"$@\"; \(check)", "sh", Tool().path] + words
            }
            let isMounted = "mountpoint -q /sys/fs/bpf"
            for (words, check) in [(commands[0], isMounted), (commands[3], "! " + isMounted), (commands[1], "! " + isMounted)] {
                let outcome = try await Tool.execute(after(words, check), namespace: lab.namespace(host: "h1"))
                #expect(outcome.succeeded, "\(words[0]): \(outcome.output)\(outcome.error)")
            }
            // A kernel, or a container, without the mount point.
            let refused = try await Self.run(
                ["unshare", "-m", "sh", "-ec", "mount -t tmpfs none /sys/fs; exec \"$@\"", "sh"], commands[0], lab)
            #expect(refused.status == 1)
            #expect(refused.error.contains("/sys/fs/bpf does not exist: is /sys mounted"), "\(refused.error)")
        }
    }

    @Test func privileges() async throws {
        try await Self.onABareHost { lab in
            for (dropped, named) in [
                ("-net_admin", "CAP_NET_ADMIN missing"), ("-sys_admin", "CAP_SYS_ADMIN missing"),
                ("-all,+bpf,+dac_override", "CAP_NET_ADMIN and CAP_SYS_ADMIN missing"),
            ] {
                for words in Self.commands(lab, bpffs: lab.bpffs("h1")) {
                    let refused = try await Self.run(["setpriv", "--bounding-set", dropped, "--inh-caps", "-all", "--"], words, lab)
                    #expect(refused.status == 1, "\(words[0]), \(dropped)")
                    #expect(refused.error.contains("\(named); run as root"), "\(words[0]), \(dropped): \(refused.error)")
                }
            }
        }
    }

    @Test func theKernelIsTooOld() async throws {
        try await Self.onABareHost { lab in
            for words in Self.commands(lab, bpffs: lab.bpffs("h1")) {
                let refused = try await Self.run(["setarch", "--uname-2.6"], words, lab)
                #expect(refused.status == 1, "\(words[0])")
                #expect(refused.error.contains("Linux 6.1 or newer is needed, this is 2.6"), "\(words[0]): \(refused.error)")
            }
        }
    }
}
