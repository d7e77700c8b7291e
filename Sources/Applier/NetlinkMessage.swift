import CBPF
import Glibc

/// A request to route netlink: the header of its kind, and attributes.
struct NetlinkMessage {
    private var bytes: [UInt8]

    /// - Parameter flags: beside NLM_F_REQUEST. Those of a dump and those of a change are the same bits.
    init<Header: BitwiseCopyable>(_ type: Int, flags: Int32, _ header: Header) {
        var request = nlmsghdr()
        request.nlmsg_type = UInt16(type)
        request.nlmsg_flags = UInt16(NLM_F_REQUEST | flags)
        bytes = withUnsafeBytes(of: request) { Array($0) }
        append(header)
    }

    /// A change, which the kernel acknowledges.
    init<Header: BitwiseCopyable>(change type: Int, flags: Int32 = 0, _ header: Header) {
        self.init(type, flags: NLM_F_ACK | flags, header)
    }

    /// As it is sent, its length filled in.
    var finished: [UInt8] {
        var message = bytes
        message.replaceSubrange(0..<4, with: withUnsafeBytes(of: UInt32(bytes.count)) { Array($0) })
        return message
    }

    /// What no attribute has around it: a header within an attribute.
    mutating func append<Header: BitwiseCopyable>(_ header: Header) {
        withUnsafeBytes(of: header) { bytes.append(contentsOf: $0) }
        pad()
    }

    mutating func add(_ type: Int, _ value: [UInt8]) { nest(type) { $0.bytes += value } }

    mutating func add(_ type: Int, _ number: some FixedWidthInteger & BitwiseCopyable) {
        add(type, withUnsafeBytes(of: number) { Array($0) })
    }

    /// With the zero byte that ends it.
    mutating func add(_ type: Int, _ text: String) { add(type, Array(text.utf8) + [0]) }

    /// An attribute of attributes.
    mutating func nest(_ type: Int, _ body: (inout NetlinkMessage) -> Void) {
        let start = bytes.count
        for number in [0, UInt16(type)] { bytes += withUnsafeBytes(of: number) { Array($0) } }
        body(&self)
        bytes.replaceSubrange(start..<start + 2, with: withUnsafeBytes(of: UInt16(bytes.count - start)) { Array($0) })
        pad()
    }

    private mutating func pad() { while bytes.count % 4 != 0 { bytes.append(0) } }
}
