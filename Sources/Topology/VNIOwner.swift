/// A VPC that has, or had, a VNI.
public struct VNIOwner: Hashable, Sendable {
    public var vni: UInt32
    /// Its path.
    public var vpc: String

    public init(vni: UInt32, vpc: String) {
        self.vni = vni
        self.vpc = vpc
    }
}
