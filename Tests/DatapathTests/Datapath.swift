@testable import Applier
import CBPF
import Glibc
import Testing

/// The real programs in the kernel, over maps of their own.
final class Datapath: @unchecked Sendable {
    struct Failure: Error, CustomStringConvertible { var description: String }

    enum Program: String, CaseIterable {
        case port = "mizar_port"
        case uplink = "mizar_uplink"
        case `guard` = "mizar_guard"
        case xdp = "mizar_xdp"
        case portEntry = "mizar_port_entry"
        case uplinkEntry = "mizar_uplink_entry"
        case guardEntry = "mizar_guard_entry"
        case answer = "mizar_answer"
        case tend = "mizar_tend"
        case send = "mizar_send"
        case icmp = "mizar_icmp"
        case fragment = "mizar_fragment"
        case forward = "mizar_forward"
        case control = "mizar_control"
        case loopback = "mizar_loopback"

        /// All that the hook acts on. tcx takes any other verdict for "go on with the next program".
        var verdicts: Set<UInt32> {
            self == .xdp
                ? [XDP_DROP.rawValue, XDP_PASS.rawValue, XDP_TX.rawValue, XDP_REDIRECT.rawValue]
                : [UInt32(bitPattern: TC_ACT_UNSPEC), UInt32(TC_ACT_OK), UInt32(TC_ACT_SHOT), UInt32(TC_ACT_REDIRECT)]
        }

        /// In the order of enum mzr_program.
        static let slots = [port, uplink, `guard`]
        /// In the order of enum mzr_tail.
        static let tails = [answer, tend, send, icmp, forward, control, fragment]
    }

    struct Context {
        var ifindex: UInt32 = 0
        var ingress: UInt32 = 0
        var mark: UInt32 = 0
        var gsoSize: UInt32 = 0
        var priority: UInt32 = 0
    }

    struct Outcome: Equatable {
        var verdict: UInt32
        var packet: [UInt8]
        var mark: UInt32
        var priority: UInt32
    }

    /// What the loader draws at random.
    static let mark: UInt32 = 0x6d7a_7200
    /// What nonces are made with.
    static let key: (UInt64, UInt64) = (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908)

    private let object: OpaquePointer
    private var generation: UInt32 = 0
    let cpus: Int
    /// The BTF types of a table of direct entries, which the object forgets once it is loaded.
    private let directTypes: (key: UInt32, value: UInt32)

    /// `decapFlags`, `readsKernelStructs`: what the loader puts into the constants of these names.
    convenience init(decapFlags: UInt64 = 0, readsKernelStructs: Bool = HostCheck.kernelVersion() >= (6, 2)) throws {
        let bytes = [UInt8](UnsafeRawBufferPointer(start: mzr_object_bytes(), count: mzr_object_size()))
        try self.init(bytes, decapFlags: decapFlags, readsKernelStructs: readsKernelStructs)
    }

    init(_ bytes: [UInt8], decapFlags: UInt64 = 0, readsKernelStructs: Bool) throws {
        var options = bpf_object_open_opts()
        options.sz = MemoryLayout<bpf_object_open_opts>.size
        guard let object = bpf_object__open_mem(bytes, bytes.count, &options) else {
            throw Failure(description: "open: \(errno)")
        }
        self.object = object
        let table = bpf_map__inner_map(bpf_object__find_map_by_name(object, "direct"))
        directTypes = (bpf_map__btf_key_type_id(table), bpf_map__btf_value_type_id(table))
        cpus = Int(libbpf_num_possible_cpus())
        let constants = [
            ("mzr_decap_flags", [decapFlags]), ("mzr_key", [Self.key.0, Self.key.1]),
            ("mzr_reads_kernel_structs", [readsKernelStructs ? 1 : 0]),
        ]
        for (name, value) in constants {
            var value = value
            let set = mzr_set_constant(object, name, &value, value.count * MemoryLayout<UInt64>.size)
            guard set == 0 else { throw Failure(description: "\(name): \(set)") }
        }
        // It loads for an interface alone.
        bpf_program__set_autoload(bpf_object__find_program_by_name(object, "mizar_xdp_bound"), false)
        let code = bpf_object__load(object)
        guard code == 0 else { throw Failure(description: "load: \(code)") }
        var (key, mark) = (UInt32(0), Self.mark)
        bpf_map_update_elem(map("mark"), &key, &mark, 0)
    }

    deinit { bpf_object__close(object) }

    /// Puts every program where others reach it.
    func fillSlots() throws {
        for (map, programs) in [("programs", Program.slots), ("tails", Program.tails)] {
            for (slot, program) in programs.enumerated() {
                try put(map, World.raw(UInt32(slot)), World.raw(UInt32(bitPattern: self.program(program))))
            }
        }
    }

    func map(_ name: String) -> Int32 { bpf_object__find_map_fd_by_name(object, name) }

    func program(_ program: Program) -> Int32 {
        bpf_program__fd(bpf_object__find_program_by_name(object, program.rawValue))
    }

    /// As the reconciler writes: what the programs remember of the tables ends with it.
    func put(_ map: String, _ key: [UInt8], _ value: [UInt8]) throws {
        let code = bpf_map_update_elem(self.map(map), key, value, 0)
        guard code == 0 else { throw Failure(description: "\(map): \(code)") }
        countGeneration()
    }

    func countGeneration() {
        var (zero, row) = (UInt32(0), mzr_config())
        guard bpf_map_lookup_elem(map("config"), &zero, &row) == 0, row.address != 0 else { return }
        generation &+= 1
        row.generation = generation
        bpf_map_update_elem(map("config"), &zero, &row, 0)
    }

    /// Gives the VPC an empty table of direct entries, in place of the one it has.
    func makeDirectTable(_ vni: UInt32) throws {
        // Linux 6.1 wants a map in a map to have the types of the one that is declared there.
        var options = bpf_map_create_opts()
        options.sz = MemoryLayout<bpf_map_create_opts>.offset(of: \.map_ifindex).map { $0 + 4 } ?? 0
        options.btf_fd = UInt32(clamping: bpf_object__btf_fd(object))
        options.btf_key_type_id = directTypes.key
        options.btf_value_type_id = directTypes.value
        let inner = bpf_map_create(
            BPF_MAP_TYPE_LRU_HASH, "direct_table", UInt32(MemoryLayout<mzr_address>.size), UInt32(MemoryLayout<mzr_direct>.size),
            1024, &options)
        guard inner >= 0 else { throw Failure(description: "direct_table: \(inner)") }
        defer { close(inner) }
        try put("direct", withUnsafeBytes(of: vni) { Array($0) }, withUnsafeBytes(of: inner) { Array($0) })
    }

    /// Does something with the VPC's table of direct entries.
    func withDirectTable<Value>(_ vni: UInt32, _ body: (Int32) -> Value) throws -> Value {
        guard let id = get("direct", withUnsafeBytes(of: vni) { Array($0) }, size: 4) else { throw Failure(description: "no table") }
        let table = bpf_map_get_fd_by_id(id.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) })
        defer { close(table) }
        return body(table)
    }

    func remove(_ map: String, _ key: [UInt8]) {
        bpf_map_delete_elem(self.map(map), key)
        countGeneration()
    }

    func get(_ map: String, _ key: [UInt8], size: Int) -> [UInt8]? {
        var value = [UInt8](repeating: 0, count: size)
        return bpf_map_lookup_elem(self.map(map), key, &value) == 0 ? value : nil
    }

    /// A row of counters, summed over the CPUs.
    func counters(_ map: String, _ key: UInt32, count: Int) -> [UInt64] {
        var values = [UInt64](repeating: 0, count: count * cpus)
        var key = key
        guard bpf_map_lookup_elem(self.map(map), &key, &values) == 0 else { return [] }
        return (0..<count).map { field in (0..<cpus).reduce(0) { $0 + values[$1 * count + field] } }
    }

    func clearCounters(_ map: String, _ key: UInt32, count: Int) {
        let zeros = [UInt64](repeating: 0, count: count * cpus)
        var key = key
        bpf_map_update_elem(self.map(map), &key, zeros, 0)
    }

    /// BPF_PROG_TEST_RUN, once. The calling thread's network namespace must have the context's interfaces.
    func run(_ program: Program, _ packet: [UInt8], _ context: Context) throws -> Outcome {
        var output = [UInt8](repeating: 0, count: packet.count + 512)
        var options = bpf_test_run_opts()
        options.sz = MemoryLayout<bpf_test_run_opts>.size
        options.data_size_in = UInt32(packet.count)
        options.data_size_out = UInt32(output.count)
        options.repeat = 1
        let fd = self.program(program)
        var (mark, priority) = (UInt32(0), UInt32(0))
        let code: Int32 = packet.withUnsafeBytes { input in
            output.withUnsafeMutableBytes { output in
                options.data_in = input.baseAddress
                options.data_out = output.baseAddress
                if program == .xdp {
                    var before = xdp_md()
                    before.data_end = UInt32(packet.count)
                    before.ingress_ifindex = context.ifindex
                    return withUnsafePointer(to: &before) { before in
                        options.ctx_in = UnsafeRawPointer(before)
                        options.ctx_size_in = UInt32(MemoryLayout<xdp_md>.size)
                        return bpf_prog_test_run_opts(fd, &options)
                    }
                }
                var before = __sk_buff()
                before.ifindex = context.ifindex
                before.ingress_ifindex = context.ingress
                before.mark = context.mark
                before.gso_size = context.gsoSize
                before.priority = context.priority
                var after = __sk_buff()
                return withUnsafePointer(to: &before) { before in
                    let code = withUnsafeMutablePointer(to: &after) { after in
                        options.ctx_in = UnsafeRawPointer(before)
                        options.ctx_size_in = UInt32(MemoryLayout<__sk_buff>.size)
                        options.ctx_out = UnsafeMutableRawPointer(after)
                        options.ctx_size_out = UInt32(MemoryLayout<__sk_buff>.size)
                        return bpf_prog_test_run_opts(fd, &options)
                    }
                    (mark, priority) = (after.mark, after.priority)
                    return code
                }
            }
        }
        guard code == 0 else { throw Failure(description: "\(program.rawValue): \(code)") }
        #expect(program.verdicts.contains(options.retval), "\(program.rawValue) returned \(options.retval)")
        let bytes = Array(output.prefix(Int(options.data_size_out)))
        return Outcome(verdict: options.retval, packet: bytes, mark: mark, priority: priority)
    }
}
