import CBPF

/// The key that answers to questions of this host's programs are proven with. It outlives them, in the map `secret`.
struct Secret: Hashable, Sendable {
    var low: UInt64
    var high: UInt64

    static func drawn() -> Secret { Secret(low: .random(in: .min ... .max), high: .random(in: .min ... .max)) }

    /// The one that a map holds; nil: none yet.
    init?(_ map: borrowing PinnedMap) throws(BPFError) {
        guard let value = try map.value(of: [0, 0, 0, 0]), value.count >= 16 else { return nil }
        let words = value.withUnsafeBytes { ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self)) }
        guard words != (0, 0) else { return nil }
        self.init(low: words.0, high: words.1)
    }

    private init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high
    }

    /// Writes it into a map that holds none.
    func write(to map: Int32) throws(BPFError) {
        var index: UInt32 = 0
        let value = [low, high]
        try check(bpf_map_update_elem(map, &index, value, UInt64(BPF_ANY)), "write", "map secret")
    }
}
