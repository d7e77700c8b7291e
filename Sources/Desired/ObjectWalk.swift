import CGit2

/// Reads objects and what they name, each once, and hands each to whoever wants them.
struct ObjectWalk {
    struct Fault: Error { let message: String }

    let database: OpaquePointer?
    /// Objects that need not be read, with all that they name.
    var isKnown: (ObjectID) -> Bool = { _ in false }
    /// An object was read: its id, type and content.
    var take: (ObjectID, git_object_t, UnsafeRawBufferPointer) throws(Fault) -> Void = { _, _, _ throws(Fault) in }
    private var seen: Set<ObjectID> = []

    init(database: OpaquePointer?) { self.database = database }

    /// - Parameter below: whether what the object names is read as well.
    /// - Parameter parents: whether a commit's parents are of that.
    mutating func visit(_ start: ObjectID, below: Bool, parents: Bool) throws(Fault) {
        var waiting = [start]
        while let id = waiting.popLast() {
            guard seen.insert(id).inserted, !isKnown(id) else { continue }
            var (oid, object) = (id.oid, OpaquePointer?.none)
            guard git_odb_read(&object, database, &oid) == 0 else {
                // What is too large to be read here is judged by whoever reads it.
                if let last = git_error_last(), last.pointee.klass == Int32(GIT_ERROR_NOMEMORY.rawValue) { continue }
                throw Fault(message: GitFailure(code: -1).message)
            }
            defer { git_odb_object_free(object) }
            let type = git_odb_object_type(object)
            let content = UnsafeRawBufferPointer(start: git_odb_object_data(object), count: git_odb_object_size(object))
            try take(id, type, content)
            guard below else { continue }
            switch type {
            case GIT_OBJECT_COMMIT: waiting += named(content, ["tree "] + (parents ? ["parent "] : []))
            case GIT_OBJECT_TAG: waiting += named(content, ["object "])
            case GIT_OBJECT_TREE: waiting += try entries(content)
            default: continue
            }
        }
    }

    /// The ids in a commit's or tag's header, on lines that begin so.
    private func named(_ content: UnsafeRawBufferPointer, _ labels: [String]) -> [ObjectID] {
        var found: [ObjectID] = []
        for line in content.split(separator: 10, omittingEmptySubsequences: false) {
            guard !line.isEmpty else { break }
            let text = String(decoding: line, as: UTF8.self)
            for label in labels where text.hasPrefix(label) {
                if let id = ObjectID(hex: text.dropFirst(label.count)) { found.append(id) }
            }
        }
        return found
    }

    /// The ids in a folder, without submodules: mode, space, name, 0, and 20 bytes each.
    private func entries(_ content: UnsafeRawBufferPointer) throws(Fault) -> [ObjectID] {
        var found: [ObjectID] = []
        var rest = content[...]
        while !rest.isEmpty {
            guard let end = rest.firstIndex(of: 0), rest.endIndex - end > 20 else { throw Fault(message: "a folder is damaged") }
            if !rest.starts(with: "160000 ".utf8) { found.append(ObjectID(Array(rest[end + 1..<end + 21])[...])) }
            rest = rest[(end + 21)...]
        }
        return found
    }
}
