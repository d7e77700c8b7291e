import Glibc
import SystemPackage

extension SourceTree {
    /// The topology files below a plain folder, sorted by path.
    ///
    /// Symbolic links below `path` are not followed, as in a commit, where a link has no content of its own. Throws
    /// if any folder or file cannot be read: part of a topology is not a topology.
    public static func folder(_ path: String) throws(DesiredError) -> SourceTree {
        var files: [SourceFile] = []
        try collect(folder: path, prefix: "", depth: 0, into: &files)
        files.sort { $0.path < $1.path }
        return SourceTree(files: files)
    }

    private static func collect(
        folder: String, prefix: String, depth: Int, into files: inout [SourceFile]
    ) throws(DesiredError) {
        guard depth < 64 else { throw DesiredError("read", folder, cause: "folders are nested more than 64 deep") }
        for entry in try entries(of: folder) where visits(entry.name) {
            let path = "\(folder)/\(entry.name)"
            let relative = prefix.isEmpty ? entry.name : "\(prefix)/\(entry.name)"
            if entry.isFolder {
                try collect(folder: path, prefix: relative, depth: depth + 1, into: &files)
            } else if entry.isFile, takes(entry.name) {
                files.append(SourceFile(path: relative, bytes: try contents(of: path)))
            }
        }
    }

    private struct Entry {
        var name: String
        var isFolder: Bool
        var isFile: Bool
    }

    private static func entries(of folder: String) throws(DesiredError) -> [Entry] {
        guard let stream = opendir(folder) else { throw failure("read the folder", folder) }
        defer { closedir(stream) }
        var entries: [Entry] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { throw failure("read the folder", folder) }
                return entries
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            var status = stat()
            // Not d_type: some file systems leave it unknown.
            guard fstatat(dirfd(stream), name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
                throw failure("read", "\(folder)/\(name)")
            }
            let type = status.st_mode & S_IFMT
            entries.append(Entry(name: name, isFolder: type == S_IFDIR, isFile: type == S_IFREG))
        }
    }

    private static func contents(of path: String) throws(DesiredError) -> [UInt8] {
        do {
            let file = try FileDescriptor.open(FilePath(path), .readOnly, options: [.noFollow, .closeOnExec])
            return try file.closeAfter {
                var bytes: [UInt8] = []
                let limit = YAMLLimits.bytes + 1
                while bytes.count < limit {
                    let missing = min(1 << 20, limit - bytes.count)
                    let chunk = try [UInt8](unsafeUninitializedCapacity: missing) { buffer, count in
                        count = try file.read(into: UnsafeMutableRawBufferPointer(buffer))
                    }
                    if chunk.isEmpty { break }
                    bytes += chunk
                }
                return bytes
            }
        } catch let error as Errno {
            throw DesiredError("read", path, cause: "\(error)")
        } catch {
            throw DesiredError("read", path, cause: "\(error)")
        }
    }

    private static func failure(_ operation: String, _ subject: String) -> DesiredError {
        let cause = Errno(rawValue: errno)
        return DesiredError(
            operation, subject, cause: cause == .notDirectory ? "it is a file; give the folder that it is in" : "\(cause)")
    }
}
