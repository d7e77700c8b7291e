import Glibc
import SystemPackage

extension Output {
    /// Writes the file whole or not at all; what is there and no regular file, a device or a pipe, is written to.
    ///
    /// Links stay: the file that they lead to is replaced, or made.
    static func save(_ text: String, to path: String) throws {
        do {
            switch try destination(of: FilePath(path)) {
            case .open(let descriptor):
                try descriptor.writeAll(text.utf8)
            case .special(let path):
                let device = try FileDescriptor.open(path, .writeOnly, options: [.closeOnExec])
                try device.closeAfter { _ = try device.writeAll(text.utf8) }
            case .file(let path, let permissions):
                try replace(path, with: text, permissions: permissions)
            }
        } catch let error as Errno {
            throw Failure("cannot write \(path): \(error)")
        }
    }

    private enum Destination {
        /// What this process has open already: `/dev/stdout`, `/dev/fd/3`.
        case open(FileDescriptor)
        case special(FilePath)
        /// With the permissions that it has, if it is there.
        case file(FilePath, FilePermissions?)
    }

    /// Follows links one by one, as the last of them may lead to a file that is yet to be made.
    private static func destination(of path: FilePath) throws(Errno) -> Destination {
        var path = path
        // Linux follows 40.
        for _ in 0...40 {
            if let descriptor = openDescriptor(path) { return .open(descriptor) }
            var status = stat()
            guard lstat(path.string, &status) == 0 else {
                guard errno == ENOENT else { throw Errno(rawValue: errno) }
                return .file(path, nil)
            }
            switch status.st_mode & S_IFMT {
            case S_IFREG: return .file(path, FilePermissions(rawValue: status.st_mode & 0o7777))
            case S_IFLNK: path = path.removingLastComponent().pushing(try target(of: path))
            default: return .special(path)
            }
        }
        throw .tooManySymbolicLinkLevels
    }

    private static func openDescriptor(_ path: FilePath) -> FileDescriptor? {
        guard let number = path.lastComponent.flatMap({ Int32($0.string) }) else { return nil }
        let folder = path.removingLastComponent()
        return real(folder.isEmpty ? "." : folder.string) == real("/proc/self/fd") ? FileDescriptor(rawValue: number) : nil
    }

    private static func real(_ path: String) -> String? {
        guard let text = realpath(path, nil) else { return nil }
        defer { free(text) }
        return String(cString: text)
    }

    private static func target(of link: FilePath) throws(Errno) -> FilePath {
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        guard readlink(link.string, &bytes, bytes.count - 1) >= 0 else { throw Errno(rawValue: errno) }
        return FilePath(platformString: bytes)
    }

    private static func replace(_ path: FilePath, with text: String, permissions: FilePermissions?) throws {
        let partial = FilePath("\(path).\(getpid()).partial")
        let file = try FileDescriptor.open(
            partial, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
            permissions: [.ownerReadWrite, .groupReadWrite, .otherReadWrite])
        do {
            try file.closeAfter {
                if let permissions, fchmod(file.rawValue, permissions.rawValue) != 0 { throw Errno(rawValue: errno) }
                try file.writeAll(text.utf8)
            }
            guard rename(partial.string, path.string) == 0 else { throw Errno(rawValue: errno) }
        } catch {
            unlink(partial.string)
            throw error
        }
    }
}
