import Glibc
import Topology

extension Lab {
    /// What `lab exec` enters.
    public enum Target: Hashable, Sendable {
        /// By its path, `tenant/vpc/network/endpoint`; of a host endpoint it is its host.
        case endpoint(String)
        case host(String)
    }

    /// Becomes `command`, in the network namespace of `target`. Everything else stays: files, pins, terminal.
    ///
    /// - Throws: if there is no such namespace or program. It does not return.
    public func exec(_ target: Target, _ command: [String]) throws(LabError) -> Never {
        try check()
        guard let program = command.first else {
            throw LabError("run", "nothing", cause: "a command is missing: lab exec ENDPOINT -- COMMAND…")
        }
        try Namespace.enter(find(target))
        // The command starts as from a shell: this process's threads block signals that it must hear.
        var none = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, nil)
        for number in [SIGPIPE, SIGCHLD, SIGINT, SIGQUIT, SIGTERM, SIGHUP] { signal(number, SIG_DFL) }
        var arguments = command.map { strdup($0) } + [nil]
        execvp(program, &arguments)
        throw LabError("run", program, cause: Files.errorText())
    }

    /// The namespace of `target`.
    func find(_ target: Target) throws(LabError) -> String {
        let (wanted, kind, text) =
            switch target {
            case .endpoint(let path): (namespace(endpoint: path), "ep.", path)
            case .host(let name): (namespace(host: name), "host.", name)
            }
        if Namespace.isAlive(wanted) { return wanted }
        if case .endpoint(let path) = target, let host = try host(of: path) { return host }
        let names = Namespace.names(prefix: prefix + kind).map { String($0.dropFirst((prefix + kind).count)) }
        guard !names.isEmpty else { throw LabError("enter", text, cause: "lab \(name) is not up") }
        let shown = names.prefix(10).map { String($0.map { $0 == "." ? "/" : $0 }) }
        throw LabError(
            "enter", text,
            cause: "lab \(name) has none of this name; it has \(shown.joined(separator: ", "))\(names.count > 10 ? ", …" : "")")
    }

    /// The namespace of the host that has a host endpoint's port.
    private func host(of path: String) throws(LabError) -> String? {
        for name in Namespace.names(prefix: prefix + "host.") where Namespace.isAlive(name) {
            if try Namespace.within(name, { if_nametoindex(Endpoint.portName(of: path)) }) != 0 { return name }
        }
        return nil
    }
}
