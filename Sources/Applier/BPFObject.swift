import CBPF
import Glibc
import Planner
import Topology

/// The embedded object, opened by libbpf: where maps and programs come from.
struct BPFObject: ~Copyable {
    private let pointer: OpaquePointer
    private let log: UnsafeMutablePointer<CChar>
    /// The verifier's words; it writes less than a MiB at level 1 even of a large program's failure.
    private static let logSize = 1 << 20

    /// The embedded one.
    init() throws(BPFError) {
        try self.init(UnsafeRawBufferPointer(start: mzr_object_bytes(), count: mzr_object_size()))
    }

    /// bpf_object__open_mem: parses, and asks nothing of the kernel.
    init(_ bytes: UnsafeRawBufferPointer) throws(BPFError) {
        _ = silenced
        let log = UnsafeMutablePointer<CChar>.allocate(capacity: Self.logSize)
        log[0] = 0
        var options = bpf_object_open_opts()
        options.sz = optionsSize(\bpf_object_open_opts.kernel_log_level)
        options.kernel_log_buf = log
        options.kernel_log_size = Self.logSize
        let opened = "mizar".withCString { name in
            options.object_name = name
            return bpf_object__open_mem(bytes.baseAddress, bytes.count, &options)
        }
        guard let opened else {
            log.deallocate()
            throw BPFError("open", "the embedded programs", .errno(errno))
        }
        pointer = opened
        self.log = log
        for name in mapNames { bpf_map__set_pin_path(bpf_object__find_map_by_name(pointer, name), nil) }
        // Of use for one interface alone.
        if let bound = bpf_object__find_program_by_name(pointer, ProgramName.xdpBound.rawValue) {
            bpf_program__set_autoload(bound, false)
        }
    }

    deinit {
        bpf_object__close(pointer)
        log.deallocate()
    }

    /// Names of its maps, without those that libbpf makes of sections.
    var mapNames: [String] {
        var names: [String] = []
        var map = bpf_object__next_map(pointer, nil)
        while let found = map {
            if !bpf_map__is_internal(found) { names.append(String(cString: bpf_map__name(found))) }
            map = bpf_object__next_map(pointer, found)
        }
        return names
    }

    /// Its maps by name.
    var specs: [String: MapSpec] {
        var specs: [String: MapSpec] = [:]
        for name in mapNames {
            guard let map = bpf_object__find_map_by_name(pointer, name) else { continue }
            specs[name] = MapSpec(
                name: name, type: bpf_map__type(map).rawValue, keySize: Int(bpf_map__key_size(map)),
                valueSize: Int(bpf_map__value_size(map)), flags: bpf_map__map_flags(map), capacity: Int(bpf_map__max_entries(map)))
        }
        return specs
    }

    /// The type and sizes of the tables in `direct`.
    var directTable: MapSpec? {
        guard let table = bpf_map__inner_map(bpf_object__find_map_by_name(pointer, "direct")) else { return nil }
        return MapSpec(
            name: "direct_table", type: bpf_map__type(table).rawValue, keySize: Int(bpf_map__key_size(table)),
            valueSize: Int(bpf_map__value_size(table)), flags: bpf_map__map_flags(table))
    }

    /// The layout of its maps.
    var layout: Int {
        var value: UInt32 = 0
        return mzr_get_constant(pointer, "mzr_layout", &value, MemoryLayout<UInt32>.size) == 0 ? Int(value) : 0
    }

    /// Creates the map `name` alone, with its BTF, and gives its descriptor.
    ///
    /// - Parameter capacity: its largest number of rows.
    consuming func createMap(_ name: String, capacity: Int) throws(BPFError) -> Descriptor {
        skipPrograms()
        var wanted: OpaquePointer?
        var map = bpf_object__next_map(pointer, nil)
        while let found = map {
            if String(cString: bpf_map__name(found)) == name {
                wanted = found
            } else {
                bpf_map__set_autocreate(found, false)
            }
            map = bpf_object__next_map(pointer, found)
        }
        guard let wanted else { throw BPFError("create", "map \(name)", .errno(ENOENT)) }
        try check(bpf_map__set_max_entries(wanted, UInt32(clamping: capacity)), "size", "map \(name)")
        try check(bpf_object__load(pointer), "create", "map \(name)")
        // The object's own descriptor is closed with it.
        return Descriptor(owning: try check(fcntl(bpf_map__fd(wanted), F_DUPFD_CLOEXEC, 3), "keep", "map \(name)"))
    }

    /// Creates a table of `direct`, with its BTF, and gives its descriptor.
    consuming func createDirectTable(capacity: Int) throws(BPFError) -> Descriptor {
        let subject = "a direct table"
        skipPrograms()
        var map = bpf_object__next_map(pointer, nil)
        while let found = map {
            bpf_map__set_autocreate(found, false)
            map = bpf_object__next_map(pointer, found)
        }
        guard let table = bpf_map__inner_map(bpf_object__find_map_by_name(pointer, "direct")) else {
            throw BPFError("create", subject, .errno(ENOENT))
        }
        // Only for the object's BTF.
        try check(bpf_object__load(pointer), "create", subject)
        var options = bpf_map_create_opts()
        options.sz = optionsSize(\bpf_map_create_opts.map_ifindex)
        options.btf_fd = UInt32(clamping: bpf_object__btf_fd(pointer))
        options.btf_key_type_id = bpf_map__btf_key_type_id(table)
        options.btf_value_type_id = bpf_map__btf_value_type_id(table)
        let raw = bpf_map_create(
            bpf_map__type(table), "direct_table", bpf_map__key_size(table), bpf_map__value_size(table),
            UInt32(clamping: capacity), &options)
        return Descriptor(owning: try check(raw, "create", subject))
    }

    private func skipPrograms() {
        var program = bpf_object__next_program(pointer, nil)
        while let found = program {
            bpf_program__set_autoload(found, false)
            program = bpf_object__next_program(pointer, found)
        }
    }

    /// BPF_F_XDP_DEV_BOUND_ONLY, which came with Linux 6.3.
    private static let boundToDevice: UInt32 = 1 << 6

    /// Loads one program, which may ask the driver of the interface that it is bound to.
    ///
    /// - Throws: `refused` where the kernel or the driver has no such thing.
    consuming func loadAlone(_ name: ProgramName, boundTo ifindex: UInt32) throws(BPFError) -> Descriptor {
        skipPrograms()
        let program = bpf_object__find_program_by_name(pointer, name.rawValue)
        bpf_program__set_ifindex(program, ifindex)
        try check(bpf_program__set_autoload(program, true), "load", "program \(name.rawValue)")
        try check(bpf_program__set_flags(program, Self.boundToDevice), "load", "program \(name.rawValue)")
        try load()
        // The object's own descriptor is closed with it.
        return Descriptor(
            owning: try check(fcntl(bpf_program__fd(program), F_DUPFD_CLOEXEC, 3), "keep", "program \(name.rawValue)"))
    }

    /// Lets the programs use a map that is there already.
    func reuse(_ name: String, _ descriptor: Int32) throws(BPFError) {
        guard let map = bpf_object__find_map_by_name(pointer, name) else { return }
        try check(bpf_map__reuse_fd(map, descriptor), "use", "map \(name)")
    }

    /// Gives a map that is to be created room for so many rows.
    func resize(_ name: String, to capacity: Int) throws(BPFError) {
        let map = bpf_object__find_map_by_name(pointer, name)
        try check(bpf_map__set_max_entries(map, UInt32(clamping: capacity)), "size", "map \(name)")
    }

    /// BPF_F_ADJ_ROOM_DECAP_L3_IPV6, which came with Linux 6.3: headers may be older.
    private static let decapIPv6: UInt64 = 1 << 8

    /// Tells the programs which kernel runs them, and gives them the key that proves answers.
    func setConstants(key: Secret) throws(BPFError) {
        try set("mzr_decap_flags", to: [HostCheck.kernelVersion() >= (6, 3) ? Self.decapIPv6 : 0])
        try set("mzr_reads_kernel_structs", to: [HostCheck.kernelVersion() >= (6, 2) ? 1 : 0])
        try set("mzr_key", to: [key.low, key.high])
    }

    /// Sets a constant of the programs, if they have one of that name.
    private func set(_ constant: String, to value: [UInt64]) throws(BPFError) {
        let result = mzr_set_constant(pointer, constant, value, value.count * MemoryLayout<UInt64>.size)
        guard result < 0, result != -ENOENT else { return }
        throw BPFError("set", "constant \(constant)", .errno(-result))
    }

    /// Creates the maps that are not reused and loads every program: bpf_object__load.
    func load() throws(BPFError) {
        let result = bpf_object__load(pointer)
        guard result < 0 else { return }
        throw BPFError("load", "the programs", .refused(errno: failure(result), log: verdict))
    }

    /// The descriptor of a map, borrowed: it lives as long as the object.
    func map(_ name: String) throws(BPFError) -> Int32 {
        try check(bpf_map__fd(bpf_object__find_map_by_name(pointer, name)), "find", "map \(name)")
    }

    /// The descriptor of a loaded program, borrowed: it lives as long as the object.
    func program(_ name: ProgramName) throws(BPFError) -> Int32 {
        guard let program = bpf_object__find_program_by_name(pointer, name.rawValue) else {
            throw BPFError("find", "program \(name.rawValue)", .errno(ENOENT))
        }
        return try check(bpf_program__fd(program), "find", "program \(name.rawValue)")
    }

    /// The last line of the verifier that is no statistic.
    private var verdict: String {
        let lines = String(cString: log).split(separator: "\n")
        let statistics = ["processed ", "verification time", "stack depth"]
        return lines.last { line in !statistics.contains { line.hasPrefix($0) } }.map(String.init) ?? ""
    }

    /// Facts about the embedded object, read once.
    struct Facts: Sendable {
        var specs: [String: MapSpec]
        var directTable: MapSpec?
        var layout: Int
    }

    static let facts: Result<Facts, BPFError> = {
        do throws(BPFError) {
            let object = try BPFObject()
            return .success(Facts(specs: object.specs, directTable: object.directTable, layout: object.layout))
        } catch {
            return .failure(error)
        }
    }()

    /// Maps of the embedded object.
    static var embedded: Result<[String: MapSpec], BPFError> { facts.map(\.specs) }

    /// Stable hash of the embedded object's bytes.
    static let digest: UInt64 = {
        var hash = StableHash()
        for byte in UnsafeRawBufferPointer(start: mzr_object_bytes(), count: mzr_object_size()) { hash.combine(byte) }
        return hash.value
    }()

    /// The map `name` of the embedded object.
    static func spec(_ name: String) throws(BPFError) -> MapSpec {
        guard let spec = try embedded.get()[name] else {
            throw BPFError("find", "map \(name) among the embedded programs", .errno(ENOENT))
        }
        return spec
    }
}
