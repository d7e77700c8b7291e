import Glibc
import SystemPackage

extension SourceTree {
    /// The topology files below a plain folder, sorted by path.
    ///
    /// Symbolic links below `path` are not followed, as in a commit, where a link has no content of its own. What cannot
    /// be read has an obstacle in place of bytes: part of a topology is not a topology.
    ///
    /// - Throws: if the folder itself cannot be read.
    public static func folder(_ path: String) throws(DesiredError) -> SourceTree {
        var files: [SourceFile] = []
        do throws(Errno) {
            try collect(try descriptor(AT_FDCWD, path, O_DIRECTORY), prefix: "", depth: 0, into: &files)
        } catch {
            throw DesiredError(
                "read the folder", path,
                cause: error == .notDirectory ? "it is a file; give the folder that it is in" : "\(error)")
        }
        files.sort()
        return SourceTree(files: files)
    }

    /// Names are bytes, which need not be UTF-8: they are opened as they are, and only drawn as text.
    private static func collect(
        _ folder: Int32, prefix: String, depth: Int, into files: inout [SourceFile]
    ) throws(Errno) {
        guard let stream = fdopendir(folder) else {
            let cause = Errno(rawValue: errno)
            close(folder)
            throw cause
        }
        defer { closedir(stream) }
        for name in try names(in: stream) {
            let text = String(decoding: name.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
            guard visits(text) else { continue }
            let path = prefix + text
            do throws(Errno) {
                var status = stat()
                // Not d_type: some file systems leave it unknown.
                guard fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { throw Errno(rawValue: errno) }
                switch status.st_mode & S_IFMT {
                case S_IFDIR where depth + 1 == depthMax:
                    files.append(SourceFile(path: path, obstacle: .tooDeep))
                case S_IFDIR:
                    let below = try descriptor(folder, name, O_DIRECTORY | O_NOFOLLOW)
                    try collect(below, prefix: path + "/", depth: depth + 1, into: &files)
                case S_IFREG where takes(text):
                    files.append(SourceFile(path: path, bytes: try contents(folder, name)))
                default: continue
                }
            } catch {
                files.append(SourceFile(path: path, obstacle: .unreadable("\(error)")))
            }
        }
    }

    /// With their closing zeros.
    private static func names(in stream: OpaquePointer) throws(Errno) -> [[CChar]] {
        var names: [[CChar]] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { throw Errno(rawValue: errno) }
                return names
            }
            names.append(
                withUnsafeBytes(of: &entry.pointee.d_name) { $0.prefix { $0 != 0 }.map(CChar.init(bitPattern:)) + [0] })
        }
    }

    private static func descriptor(_ folder: Int32, _ name: UnsafePointer<CChar>, _ flags: Int32) throws(Errno) -> Int32 {
        let descriptor = openat(folder, name, O_RDONLY | O_CLOEXEC | flags)
        guard descriptor >= 0 else { throw Errno(rawValue: errno) }
        return descriptor
    }

    private static func contents(_ folder: Int32, _ name: [CChar]) throws(Errno) -> [UInt8] {
        let file = FileDescriptor(rawValue: try descriptor(folder, name, O_NOFOLLOW))
        defer { try? file.close() }
        var bytes: [UInt8] = []
        let limit = YAMLLimits.bytes + 1
        do {
            while bytes.count < limit {
                let missing = min(1 << 20, limit - bytes.count)
                let chunk = try [UInt8](unsafeUninitializedCapacity: missing) { buffer, count in
                    count = try file.read(into: UnsafeMutableRawBufferPointer(buffer))
                }
                if chunk.isEmpty { break }
                bytes += chunk
            }
        } catch {
            throw error as? Errno ?? .ioError
        }
        return bytes
    }
}
