import Topology

/// A value and where it is written.
struct Located<Value: Sendable>: Sendable {
    var value: Value
    var mark: Mark
}

/// The name of a resource, or of one that is referred to.
struct Name: Sendable {
    var text: String
    var mark: Mark
    /// False if the name itself is already reported.
    var isSound: Bool

    /// The path without its last part: empty for a path of one part.
    var parent: String {
        guard let slash = text.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "" }
        return String(text[..<slash])
    }
}

/// What one file says, read without any other: a pure function of its path and bytes.
///
/// In the drafts, nil is a value that is missing or already reported; defaults are filled in.
struct ParsedFile: Sendable {
    var path: String
    var clusters: [ClusterDraft] = []
    var hosts: [HostDraft] = []
    var tenants: [TenantDraft] = []
    var vpcs: [VPCDraft] = []
    var networks: [NetworkDraft] = []
    var endpoints: [EndpointsDraft] = []
    var diagnostics: [Diagnostic] = []
    /// Kinds of which this file may define more than was understood, so that a name that seems unknown may be theirs.
    var obscured: Set<ResourceKind> = []
    var hasDocuments = false

    /// How many of the diagnostics are errors.
    private(set) var errors = 0
    /// After as many errors as are listed: whoever reads must stop.
    private(set) var isClosed = false

    /// What nobody could read may define anything.
    init(path: String, obstacle: SourceFile.Obstacle) {
        self.path = path
        hasDocuments = true
        if case .copy = obstacle {} else { obscured = Set(ResourceKind.allCases) }
        let (code, message, hint): (DiagnosticCode, String, String) =
            switch obstacle {
            case .unreadable(let cause): (.unreadable, "this cannot be read: \(cause)", "make it readable, or move it away")
            case .tooDeep:
                (.foldersTooDeep, "folders are nested more than \(ReadLimits.depth) deep", "move this one up, or away")
            case .tooLarge:
                (.fileTooLarge, "this is larger than 16 MiB", "split it: any document may move to a file of its own")
            case .beyondLimits(let what):
                (.beyondLimits, "the tree is too large: it has \(what); nothing was read from here on", "choose a smaller folder: --path")
            case .pathTooLong: (.pathTooLong, "this path is longer than 1,024 bytes", "shorten it, or move it out of the tree")
            case .copy(let first):
                (.copiedFile, "this file has the same content as \(first), and would define all of it twice", "keep one of them")
            }
        report(code, Mark(line: 1, column: 1), message, hint: hint)
    }

    init(path: String, bytes: [UInt8]) {
        self = bytes.withUnsafeBytes { ParsedFile(path: path, bytes: $0) }
    }

    init(path: String, bytes: UnsafeRawBufferPointer) {
        self.path = path
        let yaml = YAMLParser.parse(bytes)
        hasDocuments = !yaml.roots.isEmpty || !yaml.isWhole
        if !yaml.isWhole { obscured = Set(ResourceKind.allCases) }
        for problem in yaml.problems {
            report(problem.code, problem.mark, problem.message, hint: problem.hint, other: problem.other)
        }
        var reader = ResourceReader(yaml: yaml, file: self)
        for root in yaml.roots where !reader.file.isClosed { reader.readDocument(root) }
        self = reader.file
    }

    /// Whether a second file of this content would be wrong, or wrong again.
    var saysSomething: Bool {
        errors > 0 || !(clusters.isEmpty && hosts.isEmpty && tenants.isEmpty && vpcs.isEmpty && networks.isEmpty)
            || endpoints.contains { !$0.list.isEmpty }
    }

    mutating func report(
        _ code: DiagnosticCode, _ mark: Mark, _ message: String, hint: String? = nil,
        other: Mark? = nil
    ) {
        guard !isClosed else { return }
        if code.severity == .error { errors += 1 }
        diagnostics.append(.finding(code, at: place(mark), message, hint: hint, other: other.map(place)))
        if errors >= ReadLimits.listed { close(after: "the rest of the file was not read") }
    }

    /// Says that there may be more errors, once.
    mutating func close(after what: String) {
        guard !isClosed else { return }
        isClosed = true
        obscured = Set(ResourceKind.allCases)
        let last = diagnostics.map(\.at).max() ?? place(Mark(line: 1, column: 1))
        diagnostics.append(
            .finding(
                .tooManyFindings, at: last, "there are \(ReadLimits.listed) errors or more: \(what)",
                hint: "mend those above first", other: nil))
    }

    func place(_ mark: Mark) -> SourceLocation {
        SourceLocation(file: path, line: Int(mark.line), column: Int(mark.column))
    }
}

struct ClusterDraft: Sendable {
    var mark: Mark
    var name: Name?
    var port: Int?
    var settle: UInt64?
    var direct: Cluster.Direct?
    var health: Cluster.Health?
    var guards: Cluster.Guards?
    var dscp: Cluster.DSCP?
}

struct HostDraft: Sendable {
    var name: Name
    var address: Located<IPAddress>?
    var interface: Located<String>?
    var zone: String?
    var weight: Int?
    var state: Host.State?
    var datapath: Host.Datapath?
    var mtu: Located<Int>?
    var ipsec: Host.IPsec?
}

struct TenantDraft: Sendable {
    var name: Name
    var protect: Bool
}

struct VPCDraft: Sendable {
    var name: Name
    var vni: Located<Int>?
    var cidrs: Blocks
    var dividers: Located<Int>?
    var protect: Bool
}

/// The CIDRs of a VPC or network.
struct Blocks: Sendable {
    var list: [Located<CIDR>] = []
    /// False if some of them are missing here, as already reported.
    var isSound = true
}

struct NetworkDraft: Sendable {
    var name: Name
    var cidrs: Blocks
    var gateways: [Located<IPAddress>]
    var bouncers: Located<Int>?
    var protect: Bool
}

/// Endpoints of one network from one document.
struct EndpointsDraft: Sendable {
    /// Nil if it cannot be told.
    var network: Name?
    /// Whether the document is the network's own.
    var isNetwork: Bool
    var list: [EndpointDraft]
}

struct EndpointDraft: Sendable {
    /// The last part of its path.
    var name: String
    var mark: Mark
    var addresses: [Located<IPAddress>]
    var type: EndpointType
    var host: Located<String>?
    /// Of a host endpoint, its device's, if one is given.
    var interface: Located<String>?
    var mac: MACAddress?
}
