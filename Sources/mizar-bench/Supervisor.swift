import CBPF
import Glibc
import Lab

/// Runs the measurements in a process group of their own and removes all that they made: when they end, when they crash,
/// and on Ctrl-C. It needs to know nothing of them but the names of their labs.
struct Supervisor {
    private let arguments: [String]
    private let bench: Bench
    private let hadBPFFS = Self.isBPFFSMounted

    init(_ arguments: [String]) {
        let prefix = "bench-\(getpid())"
        let place = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        self.arguments = arguments
        bench = Bench(prefix: prefix, folder: "\(place)/mizar-\(prefix)", isQuick: false)
    }

    /// Removes all that the measurements may have made, and ends what still runs in their namespaces.
    func clean() async {
        for name in Bench.LabName.allCases {
            do {
                try await bench.lab(name).down()
            } catch {
                MizarBench.complain("\(error)")
            }
        }
        _ = try? await Command.run("rm", ["-rf", bench.folder])
        if !hadBPFFS, Self.isBPFFSMounted { umount("/sys/fs/bpf") }
    }

    private static var isBPFFSMounted: Bool { mzr_file_system_type("/sys/fs/bpf") == 0xcafe_4a11 }

    /// Runs this program once more, and gives its exit code; kills it and all that it started if a signal comes.
    func measure() -> Int32 {
        guard mkdir(bench.folder, 0o700) == 0 else {
            MizarBench.complain("cannot make \(bench.folder): \(String(cString: strerror(errno)))")
            exit(1)
        }
        let signals = mzr_signals_open()
        // The rest is cleaning up, which no second Ctrl-C interrupts.
        defer { for number in [SIGINT, SIGTERM, SIGHUP] { signal(number, SIG_IGN) } }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The signals that this process waits for are blocked here and must not be there.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
        var words = (["mizar-bench", "--measure", bench.prefix, bench.folder] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var pid: pid_t = 0
        guard posix_spawn(&pid, "/proc/self/exe", nil, &attributes, &words, environ) == 0 else {
            MizarBench.complain("cannot start the measurements")
            return 1
        }
        var status: Int32 = 0
        while waitpid(pid, &status, WNOHANG) == 0 {
            var ready = pollfd(fd: signals, events: Int16(POLLIN), revents: 0)
            guard poll(&ready, 1, 100) > 0 else { continue }
            let number = mzr_signals_read(signals)
            guard number > 0 else { continue }
            kill(-pid, SIGKILL)
            while waitpid(pid, &status, 0) < 0, errno == EINTR {}
            MizarBench.say("\nstopped; cleaning up", to: STDERR_FILENO)
            return 128 + number
        }
        // What it started and did not end.
        kill(-pid, SIGKILL)
        return status & 0x7f == 0 ? status >> 8 & 0xff : 1
    }
}
