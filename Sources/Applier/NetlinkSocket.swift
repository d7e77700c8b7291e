import CBPF
import Glibc

/// A route netlink socket of the calling thread's network namespace.
struct NetlinkSocket: ~Copyable {
    private let owner: Descriptor

    init() throws(BPFError) {
        let raw = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), NETLINK_ROUTE)
        guard raw >= 0 else { throw BPFError("open", "a netlink socket", .errno(errno)) }
        owner = Descriptor(owning: raw)
    }

    /// Asks for all objects of a kind and gives what `read` makes of each message's payload.
    ///
    /// An answer that the kernel marks as inconsistent, because something changed meanwhile, is asked for again.
    func dump<Header: BitwiseCopyable, Found>(
        _ type: Int, _ header: Header, _ what: String, _ read: (UnsafeRawBufferPointer) -> Found?
    ) throws(BPFError) -> [Found] {
        for _ in 0..<16 {
            try send(type, header, what)
            var found: [Found] = []
            if try receive(what, { if let one = read($0) { found.append(one) } }) { return found }
        }
        throw BPFError("list", what, .errno(EAGAIN))
    }

    private func send<Header: BitwiseCopyable>(_ type: Int, _ header: Header, _ what: String) throws(BPFError) {
        var request = nlmsghdr()
        request.nlmsg_len = UInt32(MemoryLayout<nlmsghdr>.size + MemoryLayout<Header>.size)
        request.nlmsg_type = UInt16(type)
        request.nlmsg_flags = UInt16(NLM_F_REQUEST | NLM_F_ROOT | NLM_F_MATCH)
        let bytes = withUnsafeBytes(of: request) { Array($0) } + withUnsafeBytes(of: header) { Array($0) }
        guard Glibc.send(owner.raw, bytes, bytes.count, 0) == bytes.count else {
            throw BPFError("list", what, .errno(errno))
        }
    }

    /// Whether the answer is consistent.
    private func receive(_ what: String, _ body: (UnsafeRawBufferPointer) -> Void) throws(BPFError) -> Bool {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 8)
        defer { buffer.deallocate() }
        var isConsistent = true
        while true {
            let length = recv(owner.raw, buffer.baseAddress, buffer.count, 0)
            if length < 0, errno == EINTR { continue }
            guard length > 0 else { throw BPFError("list", what, .errno(errno)) }
            var offset = 0
            let headerSize = MemoryLayout<nlmsghdr>.size
            while offset + headerSize <= length {
                let header = buffer.loadUnaligned(fromByteOffset: offset, as: nlmsghdr.self)
                let end = offset + Int(header.nlmsg_len)
                guard end <= length, end >= offset + headerSize else {
                    throw BPFError("list", what, .errno(EBADMSG))
                }
                if header.nlmsg_flags & UInt16(NLM_F_DUMP_INTR) != 0 { isConsistent = false }
                let payload = UnsafeRawBufferPointer(rebasing: buffer[offset + headerSize..<end])
                switch Int32(header.nlmsg_type) {
                case NLMSG_DONE: return isConsistent
                case NLMSG_ERROR:
                    let number = payload.count >= 4 ? -payload.loadUnaligned(as: Int32.self) : EBADMSG
                    throw BPFError("list", what, .errno(number))
                case NLMSG_NOOP: break
                default: body(payload)
                }
                offset = (end + 3) & ~3
            }
        }
    }
}

/// Lends each attribute of a netlink message in turn.
///
/// - Parameter offset: length of the message's own header, in bytes.
func forEachAttribute(
    of message: UnsafeRawBufferPointer, after offset: Int, _ body: (_ type: Int, _ value: UnsafeRawBufferPointer) -> Void
) {
    var offset = (offset + 3) & ~3
    while offset + 4 <= message.count {
        let length = Int(message.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
        guard length >= 4, offset + length <= message.count else { return }
        // The two upper bits are flags.
        let type = Int(message.loadUnaligned(fromByteOffset: offset + 2, as: UInt16.self) & 0x3fff)
        body(type, UnsafeRawBufferPointer(rebasing: message[offset + 4..<offset + length]))
        offset += (length + 3) & ~3
    }
}
