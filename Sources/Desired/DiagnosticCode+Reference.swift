extension DiagnosticCode {
    /// What a reference says about a code.
    public struct Entry: Sendable {
        /// A few words, without a full stop.
        public let title: String
        /// What the rule is and why there is one.
        public let explanation: String
        /// What to do, with an example.
        public let remedy: String
    }

    public var entry: Entry {
        switch self {
        case .fileTooLarge, .notUTF8, .yamlSyntax, .nestingTooDeep, .anchorOrAlias, .tag, .duplicateKey, .keyNotText,
            .emptyTree, .unreadable, .foldersTooDeep, .beyondLimits, .pathTooLong, .valueTooLong, .innerByteOrderMark, .lfsPointer,
            .skippedFile, .copiedFile, .tooManyFindings, .tooManyWarnings:
            fileEntry
        case .notAMapping, .missingField, .unknownField, .wrongType, .unknownVersion, .unknownKind, .exclusiveFields,
            .emptyList, .listTooLong:
            shapeEntry
        case .badName, .wrongDepth, .numberOutOfRange, .unknownValue, .badCIDR, .hostBits, .badAddress, .notUnicast,
            .mappedAddress, .badMAC, .macNotUnicast, .badInterface, .badDuration, .underlayNotIPv4, .badZone,
            .leadingZero, .badPercentage:
            valueEntry
        case .unknownTenant, .unknownVPC, .unknownNetwork, .unknownHost:
            referenceEntry
        case .duplicateName, .secondCluster, .duplicateVNI, .overlapInVPC, .outsideVPC, .overlappingNetworks,
            .gatewayOutside, .secondGateway, .gatewayReserved, .outsideNetwork, .addressTaken, .addressReserved,
            .addressOfGateway, .repeatedAddress, .interfaceTaken, .interfaceOfUnderlay, .hostAddressTaken,
            .noEligibleHost, .fewEligibleHosts, .roleLimit, .idCollision, .ambiguousRoutes, .underlayInBlock,
            .ageBeyondSettle, .tagCollision:
            ruleEntry
        }
    }

    private var shapeEntry: Entry {
        switch self {
        case .notAMapping:
            Entry(
                title: "document is no mapping",
                explanation: "Each YAML document is one resource, a mapping of fields.",
                remedy: "Begin with `apiVersion: mizar/v1`; separate documents by `---`.")
        case .missingField:
            Entry(
                title: "field missing",
                explanation: "A field without a default is absent. The place is the mapping that lacks it.",
                remedy: "Add it: `vni: 4097`.")
        case .unknownField:
            Entry(
                title: "unknown field",
                explanation: "A resource has only the fields of the reference: a misspelt field must not pass in silence.",
                remedy: "Take the suggestion, or look it up in topology.md: `adress:` is `address:`.")
        case .wrongType:
            Entry(
                title: "wrong type",
                explanation: "A field has one type, by YAML 1.2's rules: `123`, `true`, `null` and `1.5` without quotes are "
                    + "no text, and a number in quotes is no number.",
                remedy: "Quote text that looks like something else: `zone: \"1\"`; leave the quotes off a number: `vni: 4097`.")
        case .unknownVersion:
            Entry(
                title: "unknown apiVersion",
                explanation: "This release reads `mizar/v1`. What another version means by its fields is unknown here.",
                remedy: "Write `apiVersion: mizar/v1`, or use the release that the files are written for.")
        case .unknownKind:
            Entry(
                title: "unknown kind",
                explanation: "Kinds are Cluster, Host, Tenant, VPC, Network and Endpoints, written exactly so.",
                remedy: "Take the suggestion: `kind: vpc` is `kind: VPC`.")
        case .exclusiveFields:
            Entry(
                title: "fields that exclude each other",
                explanation: "`ip` and `ips`, and `gateway` and `gateways`, are two spellings of one thing.",
                remedy: "Put all addresses into the list: `ips: [10.0.1.10, \"fd00:1:1::10\"]`.")
        case .listTooLong:
            Entry(
                title: "list too long",
                explanation: "A list of addresses or blocks has at most 1,024 items.",
                remedy: "Use larger blocks, or several endpoints, networks or VPCs.")
        default:
            Entry(
                title: "empty list",
                explanation: "A list of addresses or blocks has at least one.",
                remedy: "Give one: `cidrs: [10.0.0.0/16]`; leave `gateways` out for the default.")
        }
    }

    private var valueEntry: Entry {
        switch self {
        case .badName:
            Entry(
                title: "not a name",
                explanation: "Each part of a name is a DNS label: 1 to 63 lower-case letters, digits and hyphens, with a "
                    + "letter or digit at each end.",
                remedy: "`Web_1` is `web-1`.")
        case .wrongDepth:
            Entry(
                title: "path of another depth",
                explanation: "A VPC is `tenant/vpc`, a network `tenant/vpc/network`; clusters, hosts and tenants have one part.",
                remedy: "Write the whole path: `name: acme/prod/web`.")
        case .numberOutOfRange:
            Entry(
                title: "number out of range",
                explanation: "`vni` is 1 to 16777215 (24 bits, RFC 8926), `port` 1 to 65535, `weight` 0 to 1000, `mtu` 576 to "
                    + "65535, `dividers` and `bouncers` 1 to 10000, `least` 0 to 1000000.",
                remedy: "Choose one within: `vni: 4097`.")
        case .unknownValue:
            Entry(
                title: "unknown word",
                explanation:
                    "`state` is active, draining or down; `datapath` is auto, xdp or tc; `ipsec` is refuse or ignore; `type` is simple or host.",
                remedy: "Take the suggestion: `state: drainig` is `state: draining`.")
        case .badCIDR:
            Entry(
                title: "not a CIDR",
                explanation: "A block is an address, a slash and a prefix length of 0 to 32 (IPv4) or 128 (IPv6).",
                remedy: "`10.0.0.0/16`, `fd00:1::/48`; one address is a `/32` or `/128`.")
        case .hostBits:
            Entry(
                title: "host bits set",
                explanation: "The address of a block has zeros after its prefix, so that one block has one spelling.",
                remedy: "`10.0.1.5/24` is `10.0.1.0/24`; the message names the block.")
        case .badAddress:
            Entry(
                title: "not an IP address",
                explanation: "IPv4 is four decimal numbers without leading zeros, IPv6 is RFC 4291's text without a zone.",
                remedy: "`10.0.1.10`, `fd00:1:1::10`.")
        case .notUnicast:
            Entry(
                title: "nobody's address",
                explanation: "Unspecified, loopback, link-local, multicast, reserved and broadcast addresses cannot be a "
                    + "host's, an endpoint's or a gateway's, and a block of nothing else is of no use.",
                remedy: "Choose a unicast address: `10.0.1.10`.")
        case .mappedAddress:
            Entry(
                title: "IPv4 address in IPv6 form",
                explanation: "`::ffff:10.0.0.1` is an IPv4 address; on the wire there is no such IPv6 address.",
                remedy: "Write `10.0.0.1`.")
        case .badMAC:
            Entry(
                title: "not a MAC address",
                explanation: "A MAC address is six pairs of hexadecimal digits with colons.",
                remedy: "`mac: \"02:00:00:00:00:11\"`.")
        case .macNotUnicast:
            Entry(
                title: "MAC address is not unicast",
                explanation: "A group address (odd first byte) or all zeros cannot be an endpoint's.",
                remedy: "`02:…` is a locally administered unicast address; without `mac` it is learned.")
        case .badInterface:
            Entry(
                title: "not an interface name",
                explanation: "Linux takes 1 to 15 bytes without white space, `/`, `:` and `%`, other than `.` and `..`; `all` "
                    + "and `default` have a meaning in its settings. `lo` is the loopback, which is nobody's port or uplink.",
                remedy: "`interface: v-web-1`.")
        case .badDuration:
            Entry(
                title: "not a duration",
                explanation: "A duration is a whole number and one of `ms`, `s`, `m`, `h`, a week at most.",
                remedy: "`settle: 60s`.")
        case .underlayNotIPv4:
            Entry(
                title: "underlay address is not IPv4",
                explanation: "Hosts reach each other over IPv4. Inner addresses may be of both families.",
                remedy: "`address: 172.16.0.1`.")
        case .badZone:
            Entry(
                title: "not a zone name",
                explanation: "A zone is 1 to 63 letters, digits, `-`, `_` and `.`, with a letter or digit at each end.",
                remedy: "`zone: az-1`.")
        case .badPercentage:
            Entry(
                title: "not a percentage",
                explanation: "`guards.destroy` is a whole number from 0 to 100 and a percent sign.",
                remedy: "`destroy: 10%`; `destroy: 100%` lets every commit pass.")
        default:
            Entry(
                title: "leading zero",
                explanation: "`010` is ten to YAML 1.2 and eight to YAML 1.1, so it is refused.",
                remedy: "Write `10`, or `0o10` for eight.")
        }
    }

    private var referenceEntry: Entry {
        switch self {
        case .unknownTenant:
            Entry(
                title: "unknown tenant",
                explanation: "The first part of a VPC's name is a tenant, which needs a document of its own. Reported once a "
                    + "tenant, at the first place that names it.",
                remedy: "Add `{apiVersion: mizar/v1, kind: Tenant, name: acme}`, or correct the name.")
        case .unknownVPC:
            Entry(
                title: "unknown VPC",
                explanation: "The first two parts of a network's name are its VPC. Reported once a VPC.",
                remedy: "Add the VPC, or correct the name.")
        case .unknownNetwork:
            Entry(
                title: "unknown network",
                explanation: "`network` of an Endpoints document names a Network of this tree. Reported once a network.",
                remedy: "Add the network, or correct the name.")
        default:
            Entry(
                title: "unknown host",
                explanation: "`host` of an endpoint names a Host of this tree. Reported once a host, however many endpoints "
                    + "name it.",
                remedy: "Add the host, or correct the name. A host that is away stays in the tree as `state: down`.")
        }
    }
}
