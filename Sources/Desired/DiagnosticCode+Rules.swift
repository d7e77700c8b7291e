extension DiagnosticCode {
    var ruleEntry: Entry {
        switch self {
        case .duplicateName:
            Entry(
                title: "defined twice",
                explanation: "A name has one definition in the tree; the endpoints of a network may come from several "
                    + "documents, each name once. The later place is reported, the message names both.",
                remedy: "Rename or remove one of them.")
        case .secondCluster:
            Entry(
                title: "second Cluster",
                explanation: "A tree describes one cluster.",
                remedy: "Merge the two documents; one commit of another folder is another cluster (`--path`).")
        case .duplicateVNI:
            Entry(
                title: "VNI used twice",
                explanation: "The VNI is all that tells one VPC's packets from another's, so it is unique in the cluster.",
                remedy: "Give one of them another number.")
        case .overlapInVPC:
            Entry(
                title: "CIDRs of a VPC overlap",
                explanation: "The blocks of a VPC are apart from each other.",
                remedy: "Remove the smaller block: the larger one covers it.")
        case .outsideVPC:
            Entry(
                title: "network outside of its VPC",
                explanation: "Each block of a network lies in one of its VPC's.",
                remedy: "Choose a block within, or add one to the VPC's `cidrs`.")
        case .overlappingNetworks:
            Entry(
                title: "networks overlap",
                explanation: "An address of a VPC belongs to one network, and so do blocks of one network not overlap. "
                    + "Each block is reported once, in the smallest one around it.",
                remedy: "Choose another block; the message names the other one's place.")
        case .gatewayOutside:
            Entry(
                title: "gateway outside of its network",
                explanation: "A gateway is an address of one of the network's blocks.",
                remedy: "`gateway: 10.0.1.254` for 10.0.1.0/24, or leave it out for the first usable address.")
        case .secondGateway:
            Entry(
                title: "second gateway of a block",
                explanation: "Each block of a network has one gateway.",
                remedy: "Keep one; `gateways: [...]` is for networks of several blocks.")
        case .gatewayReserved:
            Entry(
                title: "gateway is the network or broadcast address",
                explanation: "The first address of a block, and the last of an IPv4 block, are nobody's; a /31, /32, /127 or "
                    + "/128 has no such addresses.",
                remedy: "`10.0.1.1` or `10.0.1.254` for 10.0.1.0/24.")
        case .outsideNetwork:
            Entry(
                title: "address outside of the network",
                explanation: "An endpoint's addresses lie in its network's blocks.",
                remedy: "Choose an address within, or move the endpoint to the network that has it.")
        case .addressTaken:
            Entry(
                title: "address used twice",
                explanation: "An address belongs to one endpoint of a VPC. Other VPCs may use it too.",
                remedy: "Choose another one; the message names the endpoint that has it.")
        case .addressReserved:
            Entry(
                title: "network or broadcast address",
                explanation: "The first address of a block, and the last of an IPv4 block, are nobody's; a /31, /32, /127 or "
                    + "/128 has no such addresses.",
                remedy: "Choose one in between.")
        case .addressOfGateway:
            Entry(
                title: "address of the gateway",
                explanation: "The gateway answers for its address on every host: the first usable address of a block, unless "
                    + "`gateway` says otherwise.",
                remedy: "Choose another address, or move the gateway: `gateway: 10.0.1.254`.")
        case .repeatedAddress:
            Entry(
                title: "address listed twice",
                explanation: "A list of addresses has each once.",
                remedy: "Keep one of them.")
        case .interfaceTaken:
            Entry(
                title: "interface used twice on a host",
                explanation: "An interface of a host is one endpoint's. The same name on another host is another interface.",
                remedy: "Give one of them another interface, or put both addresses on one endpoint: `ips: [...]`.")
        case .interfaceOfUnderlay:
            Entry(
                title: "the host's own uplink",
                explanation: "The underlay's interface carries what the overlay sends; it cannot be an endpoint's.",
                remedy: "Name the veth or tap of the endpoint.")
        case .hostAddressTaken:
            Entry(
                title: "two hosts with one address",
                explanation: "Hosts are told apart by their underlay address.",
                remedy: "Correct one of them.")
        case .noEligibleHost:
            Entry(
                title: "no host for bouncers and dividers",
                explanation: "The tables of a VPC and its networks are held by hosts that are `active` with a weight above 0; "
                    + "there is none. Reported once a tree.",
                remedy: "Add a host, or set one to `state: active` and a weight above 0.")
        case .fewEligibleHosts:
            Entry(
                title: "fewer hosts than asked for",
                explanation: "A warning: more bouncers or dividers were asked for than hosts are active with a weight above 0. "
                    + "All of them serve.",
                remedy: "Add hosts, or ask for fewer.")
        case .roleLimit:
            Entry(
                title: "more than 64 bouncers or dividers",
                explanation: "A warning: a row has room for 64 hosts, so 64 serve.",
                remedy: "Ask for 64 at most.")
        case .ambiguousRoutes:
            Entry(
                title: "two routes to one address",
                explanation: "A host has routes to the blocks of each VPC that it has a host endpoint in. An address of two of "
                    + "them would have two routes, so their VPCs' blocks do not overlap, and a VPC has one host endpoint a host.",
                remedy: "Put both addresses on one endpoint (`ips: [...]`), or the endpoints on different hosts.")
        case .underlayInBlock:
            Entry(
                title: "underlay within a host endpoint's VPC",
                explanation: "A host with a host endpoint sends to all of the VPC's blocks through it. If one of them holds "
                    + "the underlay address of a host, that host would no longer be reached. Reported once a block.",
                remedy: "Give the VPC blocks that hold no host's `address`; without a host endpoint any block will do.")
        case .ageBeyondSettle:
            Entry(
                title: "learned hosts are believed for longer than `settle`",
                explanation: "A warning: a host that an endpoint has left says that it has the endpoint for up to one `settle` "
                    + "after it took the commit, and sends on what comes for it until two have passed. Who believes such an "
                    + "answer for more than one `settle` (`direct.age`) may still send there when nobody does that any more: of "
                    + "a pair that was idle meanwhile the first packet is lost. With `settle: 0s` nothing waits, and this "
                    + "is not reported.",
                remedy: "`direct: {age: 30s}` for a `settle` of 30s or more.")
        case .tagCollision:
            Entry(
                title: "two VPCs with one tag",
                explanation: "Packets on their way through tables bear 24 bits of the hash of their VPC's name, so that none comes out "
                    + "in another VPC, should a host know its VNI as that one's. Two VPCs of this tree have the same, which happens by "
                    + "chance in one of 34 trees with 1,000 VPCs.",
                remedy: "Rename the newer one.")
        default:
            Entry(
                title: "two names with one id",
                explanation: "Rows of the tables carry a 64-bit hash of the name. Two different names of this tree have the "
                    + "same, which happens by chance once in more trees than there are.",
                remedy: "Rename one of them.")
        }
    }
}
