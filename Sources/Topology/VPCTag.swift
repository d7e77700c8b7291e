/// What packets bear of the VPC that they are of, on their way through tables: the lowest 24 bits of its stable id, 1 in place
/// of 0.
public struct VPCTag: Hashable, Sendable {
    public let value: UInt32

    /// - Parameter id: the VPC's.
    public init(of id: UInt64) {
        let bits = UInt32(truncatingIfNeeded: id & 0xff_ffff)
        value = bits == 0 ? 1 : bits
    }

    /// The tag in an option; nil if the option has none.
    public init?(value: UInt32) {
        guard value != 0 else { return nil }
        self.value = value & 0xff_ffff
    }
}
