import Topology

/// Judges what a plan file says by itself, before anything is compared with the host: names, counts and lengths that no plan of ours
/// has. A file is anybody's; what a plan makes on a host goes by these.
public struct PlanShape {
    /// One for each fault, with its place in the JSON: `changes[3].after.name: …`.
    public private(set) var faults: [String] = []

    /// More are not looked for.
    private static let most = 20
    /// Rows of a map, VNIs, members of a row and bytes of a name: mizar_abi.h and RFC 8926.
    private static let (rows, vnis, members, nameBytes) = (1 << 26, 1..<(UInt32(1) << 24), 64, 255)
    /// Of words that are only shown.
    private static let textBytes = 1 << 16

    public init(_ plan: Plan) {
        if !plan.host.isPath(of: 1...1) { add("host", "“\(plan.host)” is not a valid host name") }
        judge(commit: plan.commit, "commit")
        for (number, step) in plan.steps.enumerated() where faults.count < Self.most { judge(step, "changes[\(number)]") }
        for (number, item) in plan.waiting.enumerated() where faults.count < Self.most { judge(item.step, "waiting[\(number)].step") }
        for (number, item) in plan.pending.enumerated() where faults.count < Self.most {
            if !item.name.isPath(of: 1...4) { add("pending[\(number)].name", "“\(item.name)” is neither an endpoint's path nor a host's") }
            judge(new: item.interface, "pending[\(number)].interface")
        }
    }

    private mutating func add(_ place: String, _ fault: String) { faults.append("\(place): \(fault)".printable) }

    // MARK: Steps

    private mutating func judge(_ step: Step, _ place: String) {
        for (field, text) in [("address", step.subject), ("detail", step.detail)] where text.utf8.count > Self.textBytes {
            add("\(place).\(field)", "\(text.utf8.count) bytes, and \(Self.textBytes) are the most")
        }
        switch step.change {
        case .row(let before, let after):
            if let before { judge(before, "\(place).before") }
            if let after { judge(after, "\(place).after") }
            if case .port(_, let row) = after, !row.hasDevice {
                add("\(place).after.value.has_device", "a port's row is only written for an interface that is there")
            }
            if case .foreign = after { add("\(place).after", "a row of unknown meaning is only ever removed") }
        case .capacity(let table, let from, let to):
            if !(0...Self.rows).contains(from) { add("\(place).from", "\(from) is not a valid number of rows") }
            let most = table.hasOneRow ? 1 : Self.rows
            if !(1...most).contains(to) { add("\(place).to", "\(to) is not a valid number of rows: 1 to \(most)") }
        case .programs: break
        case .attach(let attachment, _), .detach(let attachment):
            judge(existing: attachment.interface, "\(place).attachment.interface")
            judge(index: attachment.ifindex, "\(place).attachment.ifindex")
        case .device(let before, let after):
            if let before { judge(before, isNew: false, "\(place).before") }
            if let after { judge(after, isNew: true, "\(place).after") }
        }
    }

    private mutating func judge(_ device: Device, isNew: Bool, _ place: String) {
        for (field, name) in [("name", device.name), ("port", device.port)] {
            // Of one that is half there, a name may be missing.
            if isNew { judge(new: name, "\(place).\(field)") } else if !name.isEmpty { judge(existing: name, "\(place).\(field)") }
        }
        if device.endpoint.utf8.count > Self.nameBytes || (isNew && !device.endpoint.isLabel) {
            add("\(place).endpoint", "“\(device.endpoint)” is not an endpoint's path")
        }
        if device.addresses.count > Self.members {
            add("\(place).addresses", "\(device.addresses.count), and \(Self.members) are the most")
        }
        if device.routes.count > 1 << 12 { add("\(place).routes", "\(device.routes.count), and \(1 << 12) are the most") }
        guard isNew else { return }
        judge(index: device.ifindex, "\(place).ifindex")
        judge(index: device.portIndex, "\(place).port_index")
        if device.ifindex == device.portIndex { add("\(place).port_index", "\(device.portIndex) is the index of both ends") }
        if !(68...65_535).contains(device.mtu) { add("\(place).mtu", "\(device.mtu) is not a valid MTU: 68 to 65535") }
        if !device.mac.isUnicast { add("\(place).mac", "\(device.mac) is not a unicast MAC address") }
    }

    // MARK: Rows

    private mutating func judge(_ record: Record, _ place: String) {
        let (key, value) = ("\(place).key", "\(place).value")
        switch record {
        case .config(let row):
            judge(underlay: row.address, "\(value).address")
            if row.port == 0 { add("\(value).port", "0 is not a valid UDP port") }
            if let dscp = row.dscp, dscp > Cluster.DSCP.most { add("\(value).dscp", "\(dscp) is not a valid DSCP: 0 to 63") }
            if row.otherPorts.count > 2 { add("\(value).other_ports", "\(row.otherPorts.count), and 2 are the most") }
        case .host(let address, _): judge(underlay: address, key)
        case .vpc(let vni, let row):
            judge(vni: vni, key)
            judge(members: row.dividers, "\(value).dividers")
            judge(lengths: row.lengths4, 96...128, "\(value).lengths4")
            judge(lengths: row.lengths6, 0...128, "\(value).lengths6")
        case .network(let network, let row):
            judge(vni: network.vni, "\(key).vni")
            judge(members: row.bouncers, "\(value).bouncers")
        case .endpoint(let endpoint, let row):
            judge(vni: endpoint.vni, "\(key).vni")
            judge(underlay: row.host, "\(value).host")
        case .direct(let vni, let capacity):
            judge(vni: vni, key)
            if !(1...Self.rows).contains(capacity) { add(value, "\(capacity) is not a valid number of rows: 1 to \(Self.rows)") }
        case .port(let ifindex, let row):
            judge(index: ifindex, key)
            judge(vni: row.vni, "\(value).vni")
        case .portMAC(let ifindex, _): judge(index: ifindex, key)
        case .name(_, let text):
            if text.utf8.count > Self.nameBytes { add(value, "\(text.utf8.count) bytes, and \(Self.nameBytes) are the most") }
            if text.printable != text { add(value, "“\(text)” has characters that no name has") }
        case .wait, .datapath: break
        case .applied(let row): judge(commit: row.commit, "\(value).commit")
        case .foreign(_, let keyBytes, let valueBytes):
            if keyBytes.count > 512 || valueBytes.count > 1 << 16 { add(place, "no row is so long") }
        }
    }

    // MARK: Values

    private mutating func judge(commit: String, _ place: String) {
        let isID = [0, 40, 64].contains(commit.utf8.count) && commit.utf8.allSatisfy { Self.hexadecimal.contains($0) }
        if !isID { add(place, "“\(commit.prefix(80))” is not an object id") }
    }

    private static let hexadecimal = Set("0123456789abcdef".utf8)

    private mutating func judge(new interface: String, _ place: String) {
        if let fault = InterfaceName.faultOfNew(interface) { add(place, "“\(interface)” is not a valid interface name: \(fault)") }
    }

    private mutating func judge(existing interface: String, _ place: String) {
        if let fault = InterfaceName.fault(interface) { add(place, "“\(interface)” is not a valid interface name: \(fault)") }
    }

    private mutating func judge(index: UInt32, _ place: String) {
        if index == 0 || index > UInt32(Int32.max) { add(place, "\(index) is not a valid interface index") }
    }

    private mutating func judge(vni: UInt32, _ place: String) {
        if !Self.vnis.contains(vni) { add(place, "\(vni) is not a valid VNI: 1 to \(Self.vnis.upperBound - 1)") }
    }

    private mutating func judge(underlay address: IPAddress, _ place: String) {
        if !address.isIPv4 { add(place, "\(address) is not an IPv4 address, as those of hosts are") }
    }

    private mutating func judge(members: [IPAddress], _ place: String) {
        if members.count > Self.members { return add(place, "\(members.count), and \(Self.members) are the most") }
        for (number, address) in members.enumerated() { judge(underlay: address, "\(place)[\(number)]") }
    }

    private mutating func judge(lengths: [UInt8], _ range: ClosedRange<UInt8>, _ place: String) {
        let isDescending = zip(lengths, lengths.dropFirst()).allSatisfy { $0 > $1 }
        if !isDescending || !lengths.allSatisfy(range.contains) { add(place, "not prefix lengths of the family, longest first") }
    }
}

extension String {
    /// Whether it has so many parts, each a name such as resources have (RFC 1123, 2.1).
    fileprivate func isPath(of parts: ClosedRange<Int>) -> Bool {
        let all = split(separator: "/", omittingEmptySubsequences: false)
        return parts.contains(all.count)
            && all.allSatisfy { part in
                (1...63).contains(part.utf8.count) && part.first != "-" && part.last != "-"
                    && part.utf8.allSatisfy { $0 == UInt8(ascii: "-") || (0x30...0x39).contains($0) || (0x61...0x7a).contains($0) }
            }
    }

    /// An endpoint's path, or `Endpoint.label` of a long one.
    fileprivate var isLabel: Bool {
        guard let end = lastIndex(of: "#") else { return isPath(of: 4...4) }
        return self[..<end].utf8.count == 180
            && self[index(after: end)...].utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
            && self[..<end].utf8.allSatisfy { $0 == UInt8(ascii: "-") || (0x2f...0x39).contains($0) || (0x61...0x7a).contains($0) }
    }
}
