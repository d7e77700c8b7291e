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

/// What one file says, read without any other: a pure function of its path and bytes, to be kept by blob id.
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

    init(_ file: SourceFile) {
        if let obstacle = file.obstacle {
            self.init(path: file.path, obstacle: obstacle)
        } else {
            self.init(path: file.path, bytes: file.bytes)
        }
    }

    /// What nobody could read may define anything.
    private init(path: String, obstacle: SourceFile.Obstacle) {
        self.path = path
        hasDocuments = true
        obscured = Set(ResourceKind.allCases)
        let (code, message, hint): (DiagnosticCode, String, String) =
            switch obstacle {
            case .unreadable(let cause): (.unreadable, "this cannot be read: \(cause)", "make it readable, or move it away")
            case .tooDeep:
                (.foldersTooDeep, "folders are nested more than \(SourceTree.depthMax) deep", "move this one up, or away")
            }
        diagnostics = [.finding(code, at: SourceLocation(file: path, line: 1, column: 1), message, hint: hint, other: nil)]
    }

    init(path: String, bytes: [UInt8]) {
        self.path = path
        let yaml = YAMLParser.parse(bytes)
        hasDocuments = !yaml.roots.isEmpty || !yaml.isWhole
        if !yaml.isWhole { obscured = Set(ResourceKind.allCases) }
        diagnostics = yaml.problems.map { problem in
            .finding(
                problem.code, at: place(problem.mark), problem.message, hint: problem.hint,
                other: problem.other.map(place))
        }
        var reader = ResourceReader(yaml: yaml, file: self)
        for root in yaml.roots { reader.readDocument(root) }
        self = reader.file
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
}

struct TenantDraft: Sendable {
    var name: Name
}

struct VPCDraft: Sendable {
    var name: Name
    var vni: Located<Int>?
    var cidrs: Blocks
    var dividers: Located<Int>?
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
