public import Topology

// Whose a VNI is: bpf/vpc.h. What is one VPC's here is another's on a host that lags.
extension Forwarder {
    /// The tag of the VPC that has the VNI here; nil if none has.
    public func tag(of vni: UInt32) -> VPCTag? { image.vpcs[vni].map { VPCTag(of: $0.vpc) } }

    /// Whether a packet with a stage is of the VPC that has the VNI here.
    ///
    /// - Parameter tag: nil: it does not say, as those of earlier versions.
    func judge(_ tag: VPCTag?, vni: UInt32) -> DropReason? {
        guard let row = image.vpcs[vni] else { return .noVPC }
        guard let tag else { return row.handedOver ? .otherVPC : nil }
        return tag == VPCTag(of: row.vpc) ? nil : .otherVPC
    }

    /// Whether a host may send plain packets in the VNI.
    func judgePlain(from host: IPAddress, vni: UInt32) -> DropReason? {
        guard let row = image.vpcs[vni] else { return .noVPC }
        guard row.handedOver else { return nil }
        return told[Told(host: host, vni: vni)] == row.vpc ? nil : .otherVPC
    }

    /// Whether a question is for the VPC that has the VNI here.
    ///
    /// - Parameter vpc: stable id; 0: it does not say.
    func judge(question vpc: UInt64, vni: UInt32) -> DropReason? {
        guard let row = image.vpcs[vni] else { return .noVPC }
        if vpc == 0 { return row.handedOver ? .otherVPC : nil }
        return vpc == row.vpc ? nil : .otherVPC
    }
}
