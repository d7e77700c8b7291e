import CBPF
import Glibc
public import Planner
import Topology

/// A program of ours, where it is attached.
struct AttachedPlace: Hashable {
    var ifindex: UInt32
    var interface: String
    var point: Attachment.Point
    var program: UInt32
    /// Whether what belongs to it is there, too: without it half of what it is for is not.
    var isComplete = true
}

/// The names of programs of ours by id; one program is on thousands of interfaces.
private struct ProgramNames {
    private var known: [UInt32: ProgramName?] = [:]

    subscript(program: UInt32) -> ProgramName? {
        mutating get throws(BPFError) {
            if let name = known[program] { return name }
            let name = try ProgramName.find(program)
            known[program] = .some(name)
            return name
        }
    }

    /// Nil: it is nobody's of ours, or not for this direction.
    mutating func point(of program: UInt32, _ direction: Filter.Direction) throws(BPFError) -> Attachment.Point? {
        guard let name = try self[program] else { return nil }
        return Attachment.Point.allCases.first { $0.direction == direction && $0.program == name }
    }
}

extension KernelStore {
    public func observe() throws(BPFError) -> Observation {
        (slots, ownDevices) = (nil, nil)
        var image = Image()
        var capacities: [Table: Int] = [:]
        var pinned: [String: UInt32] = [:]
        var relaid: Set<Table> = []
        var unreadable: Set<Table> = []
        for table in Table.allCases {
            guard let map = try open(table) else { continue }
            capacities[table] = map.capacity
            pinned[table.rawValue] = map.id
            if try isRelaid(table, map) { relaid.insert(table) }
            if table == .traffic {
                continue
            } else if table.hasOneRow {
                if let row = try Self.onlyRow(table, map) { image.put(row) } else if map.isRelaid { unreadable.insert(table) }
            } else if table == .direct {
                for (vni, table) in try directTables(map) { image.direct[vni] = table.map.capacity }
            } else if table == .ports {
                var found = TrafficSlots()
                let devices = try devices()
                let missed = try map.forEach {
                    found.keep($0, $1)
                    guard var row = Record(table, key: $0, value: $1) else { return }
                    let bytes = RowBytes(key: Array($0), value: Array($1))
                    if let devices, devices.lacks(bytes), case .port(let ifindex, var port) = row {
                        port.hasDevice = false
                        row = .port(ifindex, port)
                    }
                    image.put(row)
                }
                if missed > 0 { unreadable.insert(table) }
                slots = found
            } else {
                let missed = try map.forEach { if let row = Record(table, key: $0, value: $1) { image.put(row) } }
                if missed > 0 { unreadable.insert(table) }
            }
        }
        let specs = try BPFObject.embedded.get()
        for name in specs.keys where Table(rawValue: name) == nil {
            if let map = try open(name) { pinned[name] = map.id }
        }
        let links = try NetlinkSocket().links()
        let places = try attachedPlaces(links)
        return Observation(
            image: image, capacities: capacities, relaid: relaid, unreadable: unreadable,
            programsUsePinnedMaps: try programsUse(pinned, places), interfaces: try interfaces(links, places),
            attachments: Set(places.filter(\.isComplete).map { Attachment(ifindex: $0.ifindex, interface: $0.interface, point: $0.point) }),
            devices: try HostDevices().found(links),
            ipsec: try NetlinkSocket.ipsecPolicies(), elsewhere: try elsewhere(places), programs: BPFObject.digest, now: Self.now())
    }

    /// The row of an array; nil: it was never written.
    static func onlyRow(_ table: Table, _ map: borrowing PinnedMap) throws(BPFError) -> Record? {
        let key: [UInt8] = [0, 0, 0, 0]
        guard let value = try map.value(of: key) else { return nil }
        return key.withUnsafeBytes { key in value.withUnsafeBytes { Record(table, key: key, value: $0) } }
    }

    /// The row that says what was applied last; nil: nothing was.
    public func readApplied() throws(BPFError) -> AppliedRow? {
        guard let map = try open(.applied), case .applied(let row) = try Self.onlyRow(.applied, map) else { return nil }
        return row
    }

    /// lo, in every network namespace.
    private static let loopback: UInt32 = 1

    /// The interfaces of which ours may be: those that the tables name (the uplink, and those of endpoints), and lo.
    func namedInterfaces() throws(BPFError) -> Set<UInt32> {
        var named: Set<UInt32> = []
        if let map = try open(.config), case .config(let row) = try Self.onlyRow(.config, map) {
            named = [row.uplink, Self.loopback]
        }
        if let map = try open(.ports) {
            try map.forEach { if case .port(let ifindex, _) = Record(.ports, key: $0, value: $1) { named.insert(ifindex) } }
        }
        return named
    }

    /// CLOCK_BOOTTIME, nanoseconds.
    static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    func attachedPlaces() throws(BPFError) -> [AttachedPlace] { try attachedPlaces(NetlinkSocket().links()) }

    /// Our programs on the interfaces of this network namespace, wherever they are attached as they should be.
    func attachedPlaces(_ links: [Link]) throws(BPFError) -> [AttachedPlace] {
        var names = ProgramNames()
        let filters = try filterPlaces(links, &names)
        let lists = hook == .tcx ? try tcxLists(links) : []
        // What a program of tcx lets pass no filter sees.
        let hidden = Set(lists.filter { $0.direction == .ingress && !$0.programs.isEmpty }.map(\.link.ifindex))
        var places = filters.filter { $0.point.hook(hook) == .clsact }
        for index in places.indices where hidden.contains(places[index].ifindex) { places[index].isComplete = false }
        for list in lists {
            for (number, program) in list.programs.enumerated() {
                guard let point = try names.point(of: program, list.direction) else { continue }
                // A filter of ours would run what tcx has run already.
                let isDoubled = filters.contains { $0.ifindex == list.link.ifindex && $0.point == point }
                if point.hook(hook) == .clsact { places.removeAll { $0.ifindex == list.link.ifindex && $0.point == point } }
                guard !isDoubled || point.hook(hook) == .clsact else { continue }
                places.append(
                    AttachedPlace(
                        ifindex: list.link.ifindex, interface: list.link.name, point: point, program: program,
                        isComplete: number == 0 && !isDoubled))
            }
        }
        if try !Loopback.forwards() { places.removeAll { $0.point == .loopback } }
        let open = Set(links.lazy.filter { !$0.isClosed }.map(\.ifindex))
        for index in places.indices where places[index].point == .port && open.contains(places[index].ifindex) {
            places[index].isComplete = false
        }
        for link in links where link.xdp != 0 && link.isNativeXDP {
            guard try names[link.xdp]?.isXDP == true else { continue }
            places.append(
                AttachedPlace(ifindex: link.ifindex, interface: link.name, point: .xdp, program: link.xdp))
        }
        return places
    }

    /// The programs of tcx of one direction of an interface, in the order in which they run.
    private struct TCXList {
        var link: Link
        var direction: Filter.Direction
        var programs: [UInt32]
    }

    private func tcxLists(_ links: [Link]) throws(BPFError) -> [TCXList] {
        var lists: [TCXList] = []
        for link in links {
            for direction in Filter.Direction.allCases {
                let programs = try TCX.programs(link.ifindex, direction)
                if !programs.isEmpty { lists.append(TCXList(link: link, direction: direction, programs: programs)) }
            }
        }
        return lists
    }

    private func filterPlaces(_ links: [Link], _ names: inout ProgramNames) throws(BPFError) -> [AttachedPlace] {
        var places: [AttachedPlace] = []
        let interfaces = Dictionary(links.map { ($0.ifindex, $0.name) }, uniquingKeysWith: { first, _ in first })
        let netlink = try NetlinkSocket()
        for ifindex in try netlink.filterQdiscs().keys.sorted() {
            guard let interface = interfaces[ifindex] else { continue }
            for direction in Filter.Direction.allCases {
                for filter in try netlink.filters(ifindex, direction)
                where filter.program != 0 && filter.handle == Filter.handle && filter.priority == Filter.priority {
                    guard let point = try names.point(of: filter.program, direction) else { continue }
                    places.append(
                        AttachedPlace(ifindex: ifindex, interface: interface, point: point, program: filter.program))
                }
            }
        }
        return places
    }

    private func interfaces(_ links: [Link], _ places: [AttachedPlace]) throws(BPFError) -> [Interface] {
        let addresses = Dictionary(grouping: try NetlinkSocket().interfaceAddresses(), by: \.ifindex)
        let raw = socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { throw BPFError("open", "a socket", .errno(errno)) }
        let drivers = Descriptor(owning: raw)
        let ours = Set(places.filter { $0.point == .xdp }.map(\.ifindex))
        return links.map { link in
            var driver = [CChar](repeating: 0, count: 32)
            // An interface without ethtool, or one that has just gone, has no driver to name.
            let result = mzr_interface_driver(drivers.raw, link.name, &driver, driver.count)
            let name = result < 0 ? "" : driver.withUnsafeBytes { cString($0) }
            return Interface(
                name: link.name, altnames: link.altnames, ifindex: link.ifindex, medium: link.medium,
                resolvesNeighbours: link.resolvesNeighbours, mtu: link.mtu, driver: name,
                foreignXDP: link.xdp != 0 && !ours.contains(link.ifindex), isUp: link.isUp, hasCarrier: link.hasCarrier,
                entersNamespace: link.isPeerElsewhere && ["veth", "netkit"].contains(name),
                addresses: (addresses[link.ifindex] ?? []).map(\.address).sorted(),
                neighbourhoods: (addresses[link.ifindex] ?? []).compactMap(\.neighbourhood).sorted())
        }
    }

    /// Whether every slot is filled, every attachable program is pinned, and all of them, and what is attached, use
    /// the pinned maps.
    private func programsUse(_ pinned: [String: UInt32], _ places: [AttachedPlace]) throws(BPFError) -> Bool {
        var programs = Set(places.map(\.program))
        for name in ProgramName.allCases {
            if let (array, slot) = name.slot.map({ ("programs", $0) }) ?? name.tail.map({ ("tails", $0) }) {
                guard let map = try open(array), let value = try map.value(of: withUnsafeBytes(of: slot) { Array($0) })
                else { return false }
                programs.insert(value.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) })
            } else if name.pin != nil {
                guard let program = try openProgram(name) else { return false }
                programs.insert(try ProgramInfo(of: program.raw).id)
            }
        }
        let ids = Set(pinned.values)
        var others = Set<UInt32>()
        for program in programs.sorted() {
            guard let info = try ProgramInfo.find(program) else { return false }
            others.formUnion(info.mapIDs.filter { !ids.contains($0) })
        }
        for id in others.sorted() {
            let raw = bpf_map_get_fd_by_id(id)
            if raw < 0, failure(raw) == ENOENT { return false }
            let map = Descriptor(owning: try check(raw, "open", "map \(id)"))
            // Constants have a map of their own, which is never pinned.
            if pinned[try MapInfo(of: map.raw, "map \(id)").name] != nil { return false }
        }
        return true
    }
}
