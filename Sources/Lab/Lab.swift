import Topology

/// A whole topology on this machine: a network namespace for each host, one for each endpoint, one for the underlay.
///
/// It keeps no file about itself. What exists is read from the namespaces, whose names begin with `mizar-NAME.`, and
/// whose links carry an alias that says what they were made for.
public struct Lab: Sendable {
    /// How the hosts are joined.
    public enum Underlay: String, Sendable, CaseIterable {
        /// All on one Ethernet.
        case bridged
        /// Each on a link of its own to a router.
        case routed
    }

    /// A command that was run for a host, and what it printed.
    public struct Reconciliation: Sendable {
        public let host: String
        /// `add`, `switch` or `remove`.
        public let phase: String
        public let output: String
    }

    public let name: String
    /// What `reconcile` runs: this program.
    let executable: String

    /// - Parameter name: a DNS label of at most 32 letters; labs of different names do not touch each other.
    /// - Parameter executable: the program that reconciles a host.
    public init(name: String = "lab", executable: String = "/proc/self/exe") {
        self.name = name
        self.executable = executable
    }

    // MARK: Names

    var prefix: String { "mizar-\(name)." }
    public var underlayNamespace: String { prefix + "underlay" }

    /// The name of a host's network namespace, as `ip netns` lists it.
    public func namespace(host: String) -> String { prefix + "host." + host }

    /// The name of an endpoint's network namespace; `endpoint` is its path.
    public func namespace(endpoint: String) -> String {
        let name = prefix + "ep." + String(endpoint.map { $0 == "/" ? "." : $0 })
        // A file's name has at most 255 bytes.
        guard name.utf8.count > 200 else { return name }
        return String(decoding: name.utf8.prefix(180), as: UTF8.self) + "-" + String(StableHash.id(endpoint), radix: 16)
    }

    /// Where the hosts' maps are pinned, a folder for each host.
    public var bpffs: String { "/sys/fs/bpf/mizar-\(name)" }

    /// Where a host's maps are pinned.
    public func bpffs(host: String) -> String { bpffs + "/" + host }

    func check() throws(LabError) {
        let letters = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
            default: false
            }
        }
        guard letters, (1...32).contains(name.utf8.count), name.first != "-", name.last != "-" else {
            throw LabError("use", "lab “\(name)”", cause: "a lab's name has 1 to 32 of a-z, 0-9 and -")
        }
    }
}
