import CGit2
import Glibc

extension Mirror {
    /// Brings the mirror of `url` up to date, within `deadlineSeconds`.
    ///
    /// libgit2 knows no time-outs, so a child process does it (this program with the hidden command
    /// `fetch-mirror URL CACHE`, which calls `fetchInProcess`) and is killed at the deadline. Whoever has a mirror already
    /// may go on with it after an error.
    ///
    /// - Parameter isSuspect: whether something in the mirror could not be read.
    /// - Parameter executable: what to run instead of this program.
    public static func fetch(
        url: String, cache: String? = nil, deadlineSeconds: Int = 60, isSuspect: Bool = false,
        executable: String = "/proc/self/exe"
    ) throws(DesiredError) {
        _ = try folder(url: url, cache: cache)
        let subject = GitLocation.redacted(url)
        let child = try FetchChild(
            executable: executable, arguments: ["fetch-mirror", url, try Self.cache(cache)] + (isSuspect ? ["--suspect"] : []),
            deadlineSeconds: deadlineSeconds, subject: subject)
        let (output, finished) = child.readAll(seconds: deadlineSeconds)
        if !finished { child.kill() }
        let status = child.wait()
        guard finished else {
            let seconds = "\(deadlineSeconds) second\(deadlineSeconds == 1 ? "" : "s")"
            throw DesiredError("fetch", subject, cause: "not done within \(seconds), so it was ended")
        }
        guard status == 0 else {
            // libgit2 quotes a URL that it cannot read, with the password in it.
            let said = String(decoding: output, as: UTF8.self).replacing(url, with: subject)
            let text = said.split(separator: "\n").joined(separator: " ")
            throw DesiredError("fetch", subject, cause: Self.cause(in: text, subject: subject, status: status))
        }
        // A warning: such as that the mirror was made anew.
        output.withUnsafeBytes { _ = Glibc.write(2, $0.baseAddress, $0.count) }
    }

    /// What the child said, without the words that the parent says again.
    private static func cause(in text: String, subject: String, status: Int32) -> String {
        guard !text.isEmpty else { return "the process that fetches ended with status \(status)" }
        if let own = text.firstRange(of: "fetch \(subject): ") { return String(text[own.upperBound...]) }
        let label = "error: "
        return text.hasPrefix(label) ? String(text.dropFirst(label.count)) : text
    }
}

/// The process that fetches, in a group of its own, its standard error in a pipe.
struct FetchChild {
    /// How long the child may take, for the case that its parent is killed and nobody watches it any more.
    static let deadlineVariable = "MIZAR_FETCH_DEADLINE"

    private let pid: pid_t
    private let pipeEnd: Int32

    init(executable: String, arguments: [String], deadlineSeconds: Int, subject: String) throws(DesiredError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw DesiredError("fetch", subject, cause: String(cString: strerror(errno))) }
        // Nobody else's child may keep our pipe open.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setpgroup(&attributes, 0)

        var argv = (["mizar-reconcile"] + arguments).map { strdup($0) } + [nil]
        var envp = Self.inheritedEnvironment().map { strdup($0) }
        envp.append(strdup("\(Self.deadlineVariable)=\(max(1, deadlineSeconds) + 5)"))
        envp.append(nil)
        defer { (argv + envp).forEach { free($0) } }
        var child: pid_t = 0
        let code = posix_spawn(&child, executable, &actions, &attributes, &argv, &envp)
        close(ends[1])
        guard code == 0 else {
            close(ends[0])
            throw DesiredError("fetch", subject, cause: "cannot run \(executable): \(String(cString: strerror(code)))")
        }
        pid = child
        pipeEnd = ends[0]
    }

    private static func inheritedEnvironment() -> [String] {
        var strings: [String] = []
        var next = mzr_environ()
        while let entry = next?.pointee {
            let text = String(cString: entry)
            if !text.hasPrefix(deadlineVariable + "=") { strings.append(text) }
            next = next?.advanced(by: 1)
        }
        return strings
    }

    /// Everything that the child writes (its last 64 KiB) until it closes its end; false if that took longer than `seconds`.
    func readAll(seconds: Int) -> (output: [UInt8], finished: Bool) {
        let end = Self.now() + Int64(seconds) * 1000
        var output: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let left = end - Self.now()
            guard left > 0 else { return (output, false) }
            var watched = pollfd(fd: pipeEnd, events: Int16(POLLIN), revents: 0)
            let ready = poll(&watched, 1, Int32(clamping: left))
            if ready == 0 || ready < 0 && errno == EINTR { continue }
            let count = read(pipeEnd, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return (output, true) }
            output += buffer[..<count]
            if output.count > 65536 { output.removeFirst(output.count - 65536) }
        }
    }

    /// Ends the child and whatever it has started.
    func kill() { _ = Glibc.kill(-pid, SIGKILL) }

    /// The child's exit code, or 128 and the number of the signal that ended it.
    func wait() -> Int32 {
        close(pipeEnd)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + (status & 0x7f)
    }

    private static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
