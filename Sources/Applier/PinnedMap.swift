import CBPF
import Glibc
import Planner

/// The owner of an open map whose layout was compared with its spec.
struct PinnedMap: ~Copyable {
    let spec: MapSpec
    let id: UInt32
    let capacity: Int
    /// Bytes that the kernel reads or writes for one value: of all possible CPUs where the map is per CPU.
    let valueSize: Int
    private let owner: Descriptor

    var descriptor: Int32 { owner.raw }
    var subject: String { "map \(spec.name)" }

    /// Takes over an open map; refuses one of another layout.
    init(_ spec: MapSpec, owning descriptor: consuming Descriptor) throws(BPFError) {
        let info = try MapInfo(of: descriptor.raw, "map \(spec.name)")
        let differences = spec.differences(from: info)
        guard differences.isEmpty else { throw BPFError("use", "map \(spec.name)", .unsupportedLayout(differences)) }
        var valueSize = spec.valueSize
        if spec.isPerCPU {
            let cpus = try check(libbpf_num_possible_cpus(), "count", "the CPUs")
            valueSize = (spec.valueSize + 7) / 8 * 8 * Int(cpus)
        }
        self.spec = spec
        self.valueSize = valueSize
        id = info.id
        capacity = info.capacity
        owner = descriptor
    }

    /// Opens the pin `path`: bpf_obj_get. Nil if there is none.
    static func open(_ spec: MapSpec, at path: String) throws(BPFError) -> PinnedMap? {
        let raw = bpf_obj_get(path)
        if raw < 0, failure(raw) == ENOENT { return nil }
        let descriptor = Descriptor(owning: try check(raw, "open", "map \(path)"))
        return try PinnedMap(spec, owning: descriptor)
    }

    /// Gives the map a name below a bpffs: bpf_obj_pin.
    func pin(at path: String) throws(BPFError) {
        try check(bpf_obj_pin(descriptor, path), "pin", "map \(path)")
    }

    /// The value of a key, as bytes; nil if it has none.
    func value(of key: [UInt8]) throws(BPFError) -> [UInt8]? {
        var value = [UInt8](repeating: 0, count: valueSize)
        let result = bpf_map_lookup_elem(descriptor, key, &value)
        if result < 0, failure(result) == ENOENT { return nil }
        try check(result, "read", subject)
        return value
    }

    /// Writes one row, whether or not it is there: bpf_map_update_elem.
    func put(_ key: [UInt8], _ value: [UInt8]) throws(BPFError) {
        let result = bpf_map_update_elem(descriptor, key, padded(value), UInt64(BPF_ANY))
        guard result < 0 else { return }
        throw writeError(failure(result))
    }

    /// Removes one row; one that is not there is removed already.
    func remove(_ key: [UInt8]) throws(BPFError) {
        if spec.isArray { return try put(key, []) }
        let result = bpf_map_delete_elem(descriptor, key)
        if result < 0, failure(result) == ENOENT { return }
        try check(result, "remove a row from", subject)
    }

    /// A value with as many bytes as the kernel reads: what is missing is zero.
    func padded(_ value: [UInt8]) -> [UInt8] {
        value.count < valueSize ? value + [UInt8](repeating: 0, count: valueSize - value.count) : value
    }

    func writeError(_ number: Int32) -> BPFError {
        BPFError("write a row to", subject, number == E2BIG ? .full(capacity: capacity) : .errno(number))
    }
}
