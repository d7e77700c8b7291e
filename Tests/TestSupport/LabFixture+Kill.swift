extension LabFixture {
    /// Runs the program on a host and kills it as it is about to make its `number`th system call of that name, by strace(1).
    ///
    /// - Parameter call: a name, or a regular expression behind a slash: architectures have different ones. Of several that
    ///   match, whichever is made so often first.
    /// - Returns: whether it was killed; false: it ended, in success, before it came to that call.
    public func kill(
        _ tool: Tool = Tool(), on host: String, at number: Int, of call: String, _ words: [String]
    ) async throws -> Bool {
        let outcome = try await Tool.execute(
            ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=\(call):signal=KILL:when=\(number)", tool.path] + words,
            namespace: namespace(host: host))
        if outcome.status == 137 { return true }
        guard outcome.succeeded else {
            throw FixtureError(text: "\(words.joined(separator: " ")): exit \(outcome.status)\n\(outcome.output)\n\(outcome.error)")
        }
        return false
    }

    /// Of all the bpf(2) calls that the program makes on a host, the numbers of those with a command.
    public func calls(_ command: String, on host: String, _ words: [String]) async throws -> [Int] {
        let log = "\(git.folder)/calls"
        let outcome = try await Tool.execute(
            ["strace", "-f", "-qq", "-o", log, "-e", "trace=bpf", Tool().path] + words, namespace: namespace(host: host))
        guard outcome.succeeded else { throw FixtureError(text: "\(words.joined(separator: " ")): \(outcome.error)") }
        let lines = try await Tool.execute(["cat", log]).output.split(separator: "\n").filter { $0.contains(" bpf(") }
        return lines.indices.filter { lines[$0].contains(command) }.map { $0 + 1 }
    }

    /// What `detach` must not leave on a host: programs, pins and their folder, qdiscs, devices with their routes, and a
    /// loopback that forwards.
    public func remains(on host: String) async throws -> [String] {
        var found = try await attached(host)
        let qdiscs = try await on(host, "tc", "qdisc", "show").output.split(separator: "\n")
        found += qdiscs.filter { $0.contains("clsact") }.map(String.init)
        for words in [["-o", "link"], ["route"], ["-6", "route"], ["rule"], ["-6", "rule"]] {
            let lines = try await Tool.execute(["ip"] + words, namespace: namespace(host: host)).output.split(separator: "\n")
            found += lines.filter { line in ["mzr", "mzp", "mizar-gro", "proto 109"].contains { line.contains($0) } }.map(String.init)
        }
        if try await Tool.execute(["test", "-e", bpffs(host)]).succeeded { found.append("folder \(bpffs(host))") }
        if try await forwardsOnLoopback(host), try await !forwards(host, "default") { found.append("forwarding on lo") }
        return found
    }

    /// Whether `lo` forwards, as our program there has it and nothing else in a lab.
    public func forwardsOnLoopback(_ host: String) async throws -> Bool { try await forwards(host, "lo") }

    private func forwards(_ host: String, _ interface: String) async throws -> Bool {
        try await on(host, "cat", "/proc/sys/net/ipv4/conf/\(interface)/forwarding").output == "1\n"
    }
}
