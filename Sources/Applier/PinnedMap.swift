import CBPF
import Glibc
import Planner

/// The owner of an open map.
///
/// Its keys and values are lent and given as this version lays them out, also where another version made the map; such a
/// map is only read.
struct PinnedMap: ~Copyable {
    let spec: MapSpec
    let id: UInt32
    let capacity: Int
    /// Every field in which the map is another than `spec`.
    let differences: [String]
    /// Bytes that the kernel reads or writes for one value: of all possible CPUs where the map is per CPU.
    let valueSize: Int
    /// How the map's own rows are.
    let shape: RowShape
    /// Whether rows of it can be rows of a map of `spec`.
    let isOfKind: Bool
    private let owner: Descriptor

    var descriptor: Int32 { owner.raw }
    var subject: String { "map \(spec.name)" }
    /// Whether another version laid it out.
    var isRelaid: Bool { !differences.isEmpty }

    /// Takes over an open map.
    init(_ spec: MapSpec, owning descriptor: consuming Descriptor) throws(BPFError) {
        let info = try MapInfo(of: descriptor.raw, "map \(spec.name)")
        var cpus: Int?
        if MapSpec.isPerCPU(info.type) { cpus = Int(try check(libbpf_num_possible_cpus(), "count", "the CPUs")) }
        self.spec = spec
        differences = spec.differences(from: info)
        isOfKind = spec.isPerCPU == MapSpec.isPerCPU(info.type) && spec.isArray == MapSpec.isArray(info.type)
        shape = RowShape(keySize: info.keySize, valueSize: info.valueSize, cpus: cpus)
        valueSize = RowShape(keySize: spec.keySize, valueSize: spec.valueSize, cpus: cpus).allValues
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

    /// The value of a key, as bytes; nil if it has none, or one that says more than this version knows.
    func value(of key: [UInt8]) throws(BPFError) -> [UInt8]? {
        guard isOfKind, let key = key.withUnsafeBytes({ RowShape.fit($0, to: shape.keySize) }) else { return nil }
        var value = [UInt8](repeating: 0, count: shape.allValues)
        let result = bpf_map_lookup_elem(descriptor, key, &value)
        if result < 0, failure(result) == ENOENT { return nil }
        try check(result, "read", subject)
        return isRelaid ? value.withUnsafeBytes { translate($0) } : value
    }

    /// Writes one row, whether or not it is there: bpf_map_update_elem.
    func put(_ key: [UInt8], _ value: [UInt8]) throws(BPFError) {
        try mayBeWritten()
        let result = bpf_map_update_elem(descriptor, padded(key, spec.keySize), padded(value, valueSize), UInt64(BPF_ANY))
        guard result < 0 else { return }
        throw writeError(failure(result))
    }

    /// Removes one row; one that is not there is removed already.
    func remove(_ key: [UInt8]) throws(BPFError) {
        if spec.isArray { return try put(key, []) }
        try mayBeWritten()
        let result = bpf_map_delete_elem(descriptor, padded(key, spec.keySize))
        if result < 0, failure(result) == ENOENT { return }
        try check(result, "remove a row from", subject)
    }

    /// Sets a row of an array to zeros, which is right in any layout; beyond its end there is none.
    func clear(_ index: UInt32) throws(BPFError) {
        guard index < capacity else { return }
        var index = index
        let zeros = [UInt8](repeating: 0, count: shape.allValues)
        try check(bpf_map_update_elem(descriptor, &index, zeros, UInt64(BPF_ANY)), "clear a row of", subject)
    }

    /// As many bytes as the kernel reads: what is missing is zero.
    func padded(_ bytes: [UInt8], _ size: Int) -> [UInt8] {
        bytes.count < size ? bytes + [UInt8](repeating: 0, count: size - bytes.count) : bytes
    }

    func mayBeWritten() throws(BPFError) {
        if isRelaid { throw BPFError("write to", subject, .unsupportedLayout(differences)) }
    }

    func writeError(_ number: Int32) -> BPFError {
        BPFError("write a row to", subject, number == E2BIG ? .full(capacity: capacity) : .errno(number))
    }

    /// A row of another layout as one of this; nil: it says more than this version knows.
    func translate(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) -> RowBytes? {
        guard let key = RowShape.fit(key, to: spec.keySize), let value = translate(value) else { return nil }
        return RowBytes(key: key, value: value)
    }

    private func translate(_ value: UnsafeRawBufferPointer) -> [UInt8]? {
        var result: [UInt8] = []
        for cpu in 0..<(shape.cpus ?? 1) {
            let one = UnsafeRawBufferPointer(rebasing: value[cpu * shape.stride..<cpu * shape.stride + shape.valueSize])
            guard let fitting = RowShape.fit(one, to: spec.valueSize) else { return nil }
            result += shape.cpus == nil ? fitting : padded(fitting, RowShape.aligned(spec.valueSize))
        }
        return result
    }
}

/// The sizes of a map's rows, and the rule by which rows of one size are read as of another: they grow at their end, and
/// zeros there mean what the shorter ones meant.
struct RowShape: Hashable, Sendable {
    var keySize: Int
    var valueSize: Int
    /// Nil: the map is not per CPU.
    var cpus: Int?

    /// From one CPU's value to the next one's.
    var stride: Int { cpus == nil ? valueSize : Self.aligned(valueSize) }
    var allValues: Int { stride * (cpus ?? 1) }

    static func aligned(_ size: Int) -> Int { (size + 7) / 8 * 8 }

    /// The bytes at another length; nil: what would be cut off is not zero.
    static func fit(_ bytes: UnsafeRawBufferPointer, to size: Int) -> [UInt8]? {
        guard bytes.count > size else { return Array(bytes) + [UInt8](repeating: 0, count: size - bytes.count) }
        return bytes[size...].allSatisfy { $0 == 0 } ? Array(bytes[..<size]) : nil
    }
}
