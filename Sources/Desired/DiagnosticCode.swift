public import Topology

/// The stable codes of all findings about a topology, grouped by their first digit.
///
/// `MZ0xx` files and YAML, `MZ1xx` the shape of a document, `MZ2xx` values, `MZ3xx` references, `MZ4xx` rules over several
/// resources. A code keeps its meaning for ever; docs/errors.md is made from what is said here.
public enum DiagnosticCode: String, CaseIterable, Sendable {
    case fileTooLarge = "MZ001"
    case notUTF8 = "MZ002"
    case yamlSyntax = "MZ003"
    case nestingTooDeep = "MZ004"
    case anchorOrAlias = "MZ005"
    case tag = "MZ006"
    case duplicateKey = "MZ007"
    case keyNotText = "MZ008"
    case emptyTree = "MZ009"
    case unreadable = "MZ010"
    case foldersTooDeep = "MZ011"
    case beyondLimits = "MZ012"
    case pathTooLong = "MZ013"
    case valueTooLong = "MZ014"
    case innerByteOrderMark = "MZ015"
    case lfsPointer = "MZ016"
    case skippedFile = "MZ017"
    case copiedFile = "MZ018"
    case tooManyFindings = "MZ019"
    case tooManyWarnings = "MZ020"

    case notAMapping = "MZ101"
    case missingField = "MZ102"
    case unknownField = "MZ103"
    case wrongType = "MZ104"
    case unknownVersion = "MZ105"
    case unknownKind = "MZ106"
    case exclusiveFields = "MZ107"
    case emptyList = "MZ108"
    case listTooLong = "MZ109"

    case badName = "MZ201"
    case wrongDepth = "MZ202"
    case numberOutOfRange = "MZ203"
    case unknownValue = "MZ204"
    case badCIDR = "MZ205"
    case hostBits = "MZ206"
    case badAddress = "MZ207"
    case notUnicast = "MZ208"
    case mappedAddress = "MZ209"
    case badMAC = "MZ210"
    case macNotUnicast = "MZ211"
    case badInterface = "MZ212"
    case badDuration = "MZ213"
    case underlayNotIPv4 = "MZ214"
    case badZone = "MZ215"
    case leadingZero = "MZ216"
    case badPercentage = "MZ217"

    case unknownTenant = "MZ301"
    case unknownVPC = "MZ302"
    case unknownNetwork = "MZ303"
    case unknownHost = "MZ304"

    case duplicateName = "MZ401"
    case secondCluster = "MZ402"
    case duplicateVNI = "MZ403"
    case overlapInVPC = "MZ404"
    case outsideVPC = "MZ405"
    case overlappingNetworks = "MZ406"
    case gatewayOutside = "MZ407"
    case secondGateway = "MZ408"
    case gatewayReserved = "MZ409"
    case outsideNetwork = "MZ410"
    case addressTaken = "MZ411"
    case addressReserved = "MZ412"
    case addressOfGateway = "MZ413"
    case repeatedAddress = "MZ414"
    case interfaceTaken = "MZ415"
    case interfaceOfUnderlay = "MZ416"
    case hostAddressTaken = "MZ417"
    case noEligibleHost = "MZ418"
    case fewEligibleHosts = "MZ419"
    case roleLimit = "MZ420"
    case idCollision = "MZ421"
    case ambiguousRoutes = "MZ422"
    case underlayInBlock = "MZ423"
    case ageBeyondSettle = "MZ424"
    case tagCollision = "MZ425"

    public var severity: Diagnostic.Severity {
        switch self {
        case .skippedFile, .tooManyWarnings, .fewEligibleHosts, .roleLimit, .ageBeyondSettle: .warning
        default: .error
        }
    }
}
