import CBPF
import Glibc

/// A netlink socket of the calling thread's network namespace.
struct NetlinkSocket: ~Copyable {
    private let owner: Descriptor

    /// - Parameter strictly: the kernel leaves out of a dump what the request's header and attributes do not match; where it
    ///   cannot, it refuses the request.
    init(protocol: Int32 = NETLINK_ROUTE, strictly: Bool = false) throws(BPFError) {
        let raw = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), `protocol`)
        guard raw >= 0 else { throw BPFError("open", "a netlink socket", .errno(errno)) }
        owner = Descriptor(owning: raw)
        // Refusals come with a sentence, and without a copy of the request; a kernel that cannot do that says less.
        for option in [NETLINK_EXT_ACK, NETLINK_CAP_ACK] + (strictly ? [NETLINK_GET_STRICT_CHK] : []) {
            var on: Int32 = 1
            setsockopt(raw, SOL_NETLINK, option, &on, socklen_t(MemoryLayout<Int32>.size))
        }
    }

    /// Asks for all objects of a kind and gives what `read` makes of each message's payload.
    ///
    /// An answer that the kernel marks as inconsistent, because something changed meanwhile, is asked for again.
    ///
    /// - Parameter more: attributes of the request.
    func dump<Header: BitwiseCopyable, Found>(
        _ type: Int, _ header: Header, _ what: String, more: (inout NetlinkMessage) -> Void = { _ in },
        _ read: (UnsafeRawBufferPointer) -> Found?
    ) throws(BPFError) -> [Found] {
        var message = NetlinkMessage(type, flags: NLM_F_ROOT | NLM_F_MATCH, header)
        more(&message)
        for _ in 0..<16 {
            try send(message, "list", what)
            var found: [Found] = []
            if try receive(what, { if let one = read($0) { found.append(one) } }) { return found }
        }
        throw BPFError("list", what, .errno(EAGAIN))
    }

    /// Asks for a change (`NetlinkMessage(change:)`) and waits until the kernel has made or refused it.
    func request(_ message: NetlinkMessage, _ operation: String, _ subject: String) throws(BPFError) {
        try send(message, operation, subject)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 13, alignment: 8)
        defer { buffer.deallocate() }
        while true {
            let length = recv(owner.raw, buffer.baseAddress, buffer.count, 0)
            if length < 0, errno == EINTR { continue }
            let (headerSize, answerSize) = (MemoryLayout<nlmsghdr>.size, MemoryLayout<nlmsgerr>.size)
            guard length >= headerSize + answerSize else { throw BPFError(operation, subject, .errno(length < 0 ? errno : EBADMSG)) }
            let header = buffer.loadUnaligned(as: nlmsghdr.self)
            guard Int32(header.nlmsg_type) == NLMSG_ERROR else { continue }
            let answer = UnsafeRawBufferPointer(rebasing: buffer[headerSize..<length])
            guard let cause = Self.refusal(header, answer, attributesAfter: answerSize) else { return }
            throw BPFError(operation, subject, cause)
        }
    }

    /// What a message that ends an answer (NLMSG_ERROR, NLMSG_DONE) says went wrong; nil: nothing.
    ///
    /// - Parameter attributesAfter: bytes before its attributes, if it has any.
    private static func refusal(
        _ header: nlmsghdr, _ payload: UnsafeRawBufferPointer, attributesAfter offset: Int
    ) -> BPFError.Cause? {
        guard payload.count >= MemoryLayout<Int32>.size else { return .errno(EBADMSG) }
        let number = payload.loadUnaligned(as: Int32.self)
        guard number < 0 else { return nil }
        var why = ""
        if Int32(header.nlmsg_flags) & NLM_F_ACK_TLVS != 0 {
            forEachAttribute(of: payload, after: offset) { type, value in
                if type == Int(NLMSGERR_ATTR_MSG.rawValue) { why = cString(value) }
            }
        }
        return why.isEmpty ? .errno(-number) : .refused(errno: -number, log: why)
    }

    private func send(_ message: NetlinkMessage, _ operation: String, _ subject: String) throws(BPFError) {
        let bytes = message.finished
        guard Glibc.send(owner.raw, bytes, bytes.count, 0) == bytes.count else {
            throw BPFError(operation, subject, .errno(errno))
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
                case NLMSG_DONE, NLMSG_ERROR:
                    // A dump that cannot begin, or go on, ends by DONE with the error: what came before is not all there is.
                    let isDone = Int32(header.nlmsg_type) == NLMSG_DONE
                    let size = isDone ? MemoryLayout<Int32>.size : MemoryLayout<nlmsgerr>.size
                    if let cause = Self.refusal(header, payload, attributesAfter: size) { throw BPFError("list", what, cause) }
                    if isDone { return isConsistent }
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
