import Glibc

extension Lab {
    /// Removes every namespace, link and pin of this lab, whatever state a crash left it in, and ends the processes
    /// that run in its namespaces.
    ///
    /// - Returns: how many namespaces were removed.
    @discardableResult
    public func down() async throws(LabError) -> Int {
        let lock = try LabLock(self)
        defer { lock.unlock() }
        let names = Namespace.names(prefix: prefix)
        try await remove(names)
        // Programs and maps end with their last pin.
        Files.removeTree(bpffs)
        return names.count
    }

    /// Whether anything of this lab exists.
    public var exists: Bool { !Namespace.names(prefix: prefix).isEmpty }

    /// Removes namespaces: what runs in them, their links, and their names.
    func remove(_ names: [String]) async throws(LabError) {
        guard !names.isEmpty else { return }
        Namespace.endProcesses(in: names)
        for name in names where !Namespace.isAlive(name) { unlink(Namespace.path(name)) }
        let alive = names.filter(Namespace.isAlive)
        // The kernel removes a namespace's links some time later; whoever makes the same names next must not meet them.
        let snapshot = try await Snapshot.read(alive)
        let ends = alive.filter { !$0.hasPrefix(prefix + "host.") }
        try await Command.forEach(ends) { name throws(LabError) in
            let links = snapshot.links[name, default: [:]].keys.filter { $0 != "lo" }.sorted()
            // Gone already where the other end was in a namespace that is going, too.
            for link in links { _ = try await Command.run("ip", ["-n", name, "link", "del", "dev", link]) }
        }
        try await Command.ip(alive.map { "netns del \($0)" })
    }

    /// Removes the hosts of a running lab that the topology has no longer.
    func removeHosts(_ before: Snapshot, kept: Set<String>) async throws(LabError) {
        let gone = before.links.keys.filter { $0.hasPrefix(prefix + "host.") }
            .map { String($0.dropFirst((prefix + "host.").count)) }.filter { !kept.contains($0) }.sorted()
        for host in gone {
            let port = Layout.port(host: host)
            if before.alias(port, in: underlayNamespace) != nil {
                try await Command.ip(["link del dev \(port)"], in: underlayNamespace)
            }
            try await remove([namespace(host: host)])
            Files.removeTree(bpffs(host: host))
        }
    }
}
