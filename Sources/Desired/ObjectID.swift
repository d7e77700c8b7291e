import CGit2

/// An object's id, as a value.
struct ObjectID: Hashable {
    private let bytes: [UInt8]

    init(_ id: UnsafePointer<git_oid>) { bytes = withUnsafeBytes(of: id.pointee) { Array($0.prefix(20)) } }
    init(_ bytes: ArraySlice<UInt8>) { self.bytes = Array(bytes) }

    /// Of 40 hexadecimal digits.
    init?(hex: some StringProtocol) {
        var id = git_oid()
        guard hex.utf8.count == 40, git_oid_fromstr(&id, String(hex)) == 0 else { return nil }
        self.init(&id)
    }

    var oid: git_oid {
        var id = git_oid()
        withUnsafeMutableBytes(of: &id) { $0.copyBytes(from: bytes) }
        return id
    }
}
