/// Why the data plane drops a packet: mizar_abi.h's reasons by the words that `status` prints.
public enum DropReason: String, Hashable, Sendable, Codable, CaseIterable {
    case malformed, vlan, ethertype
    case unknownPort = "unknown-port"
    case spoofedMAC = "spoofed-mac"
    case spoofedIP = "spoofed-ip"
    case broadcast, multicast, neighbor
    case noEndpoint = "no-endpoint"
    case noVPC = "no-vpc"
    case pending
    case hostDown = "host-down"
    case notHere = "not-here"
    case stage
    case tooBig = "too-big"
    case foreignHost = "foreign-host"
    case foreignSender = "foreign-sender"
    case geneveVersion = "geneve-version"
    case geneveOption = "geneve-option"
    case geneveProtocol = "geneve-protocol"
    case geneveControl = "geneve-control"
    case outerFragment = "outer-fragment"
    case outerChecksum = "outer-checksum"
    case gateway
    case noProgram = "no-program"
    case `internal`
    case congested
    case timeExceeded = "time-exceeded"
    case endpointKind = "endpoint-kind"
    case otherVPC = "other-vpc"

    /// Whether the sender gets an ICMP error, where its own port drops the packet.
    public var isTold: Bool { [.tooBig, .timeExceeded, .noEndpoint, .hostDown].contains(self) }
}
