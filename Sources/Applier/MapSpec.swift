import CBPF
import Planner

/// What the embedded object says of a map.
struct MapSpec: Hashable, Sendable {
    var name: String
    var type: UInt32
    var keySize: Int
    var valueSize: Int
    var flags: UInt32
    /// What the object says: of tables the plan's affair.
    var capacity = 0

    /// Every field in which `info` differs, in words; the capacity may.
    func differences(from info: MapInfo) -> [String] {
        var found: [String] = []
        if info.type != type { found.append("type \(info.type) instead of \(type)") }
        if info.keySize != keySize { found.append("keys of \(info.keySize) bytes instead of \(keySize)") }
        if info.valueSize != valueSize { found.append("values of \(info.valueSize) bytes instead of \(valueSize)") }
        if info.flags != flags { found.append("flags 0x\(String(info.flags, radix: 16)) instead of 0x\(String(flags, radix: 16))") }
        return found
    }

    /// What an upgrade does with a map of another layout.
    var mapClass: mzr_class { mzr_map_class(name) }

    var isPerCPU: Bool { Self.isPerCPU(type) }

    static func isPerCPU(_ type: UInt32) -> Bool {
        type == BPF_MAP_TYPE_PERCPU_HASH.rawValue || type == BPF_MAP_TYPE_PERCPU_ARRAY.rawValue
    }

    var isArray: Bool { Self.isArray(type) }

    static func isArray(_ type: UInt32) -> Bool {
        type == BPF_MAP_TYPE_ARRAY.rawValue || type == BPF_MAP_TYPE_PERCPU_ARRAY.rawValue
    }
}

/// What the kernel says of a map.
struct MapInfo: Hashable, Sendable {
    var id: UInt32
    var name: String
    var type: UInt32
    var keySize: Int
    var valueSize: Int
    var capacity: Int
    var flags: UInt32

    /// bpf_obj_get_info_by_fd.
    init(of descriptor: Int32, _ subject: @autoclosure () -> String) throws(BPFError) {
        var info = bpf_map_info()
        var size = UInt32(MemoryLayout<bpf_map_info>.size)
        try check(bpf_obj_get_info_by_fd(descriptor, &info, &size), "read the description of", subject())
        id = info.id
        name = withUnsafeBytes(of: info.name) { cString($0) }
        type = info.type
        keySize = Int(info.key_size)
        valueSize = Int(info.value_size)
        capacity = Int(info.max_entries)
        // What the kernel or libbpf set on the way is no part of the layout.
        let added = BPF_F_RDONLY | BPF_F_WRONLY | (info.type == BPF_MAP_TYPE_DEVMAP.rawValue ? BPF_F_RDONLY_PROG : 0)
        flags = info.map_flags & ~UInt32(added)
    }
}

/// The text up to the first zero byte.
func cString(_ bytes: UnsafeRawBufferPointer) -> String {
    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
}
