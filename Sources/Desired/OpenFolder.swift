import Glibc
import SystemPackage

/// A folder that is open. Names are bytes, which need not be UTF-8: they are opened as they are, and only drawn as text.
struct OpenFolder: ~Copyable {
    let descriptor: Int32

    /// - Parameter name: with its closing zero, below `folder`.
    init(_ folder: Int32, _ name: [CChar], _ flags: Int32) throws(Errno) {
        descriptor = openat(folder, name, O_RDONLY | O_CLOEXEC | O_DIRECTORY | flags)
        guard descriptor >= 0 else { throw Errno(rawValue: errno) }
    }

    deinit { close(descriptor) }

    /// What is in a folder by a name.
    struct Name {
        /// With their closing zero.
        let bytes: [CChar]
        /// S_IFREG and so on, or why that is not known.
        let type: Result<mode_t, Errno>

        var text: String { String(decoding: bytes.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self) }
    }

    /// The names in the folder, in the order in which git sorts them: a folder's as if a slash were at its end.
    ///
    /// - Parameter most: names after which no more are asked for.
    func names(most: Int) throws(Errno) -> [Name] {
        let copy = dup(descriptor)
        guard copy >= 0 else { throw Errno(rawValue: errno) }
        guard let stream = fdopendir(copy) else {
            let cause = Errno(rawValue: errno)
            close(copy)
            throw cause
        }
        defer { closedir(stream) }
        var names: [Name] = []
        while names.count < most {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { throw Errno(rawValue: errno) }
                break
            }
            let bytes = withUnsafeBytes(of: &entry.pointee.d_name) {
                $0.prefix { $0 != 0 }.map(CChar.init(bitPattern:)) + [0]
            }
            if bytes == [46, 0] || bytes == [46, 46, 0] { continue }
            names.append(Name(bytes: bytes, type: type(of: bytes)))
        }
        return names.sorted()
    }

    /// Not d_type: some file systems leave it unknown.
    private func type(of name: [CChar]) -> Result<mode_t, Errno> {
        var status = stat()
        guard fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return .failure(Errno(rawValue: errno)) }
        return .success(status.st_mode & S_IFMT)
    }

    /// What a name leads to, links followed; nil if there is nothing or it cannot be told.
    func type(following path: [CChar]) -> mode_t? {
        var status = stat()
        return fstatat(descriptor, path, &status, 0) == 0 ? status.st_mode & S_IFMT : nil
    }

    func target(ofLink name: Name) -> String? {
        var buffer = [UInt8](repeating: 0, count: ReadLimits.pathBytes)
        let count = readlinkat(descriptor, name.bytes, &buffer, buffer.count)
        return count < 0 ? nil : String(decoding: buffer.prefix(count), as: UTF8.self)
    }

    /// A file's content, if it is wanted. Whatever has taken the file's place meanwhile is not waited for: a FIFO, a device.
    ///
    /// - Parameter wants: is asked with the file's size.
    /// - Returns: at most `most` bytes and one; nil if it is no plain file, or not wanted.
    func contents(of name: Name, most: Int, wants: (Int) -> Bool) throws(Errno) -> [UInt8]? {
        let opened = openat(descriptor, name.bytes, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
        guard opened >= 0 else { throw Errno(rawValue: errno) }
        defer { close(opened) }
        var status = stat()
        guard fstat(opened, &status) == 0 else { throw Errno(rawValue: errno) }
        guard status.st_mode & S_IFMT == S_IFREG, wants(Int(status.st_size)) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(min(Int(status.st_size), most) + 1)
        let file = FileDescriptor(rawValue: opened)
        do {
            while bytes.count <= most {
                let missing = min(1 << 20, most + 1 - bytes.count)
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

extension OpenFolder.Name: Comparable {
    static func == (left: Self, right: Self) -> Bool { left.bytes == right.bytes }

    static func < (left: Self, right: Self) -> Bool {
        var index = 0
        while true {
            let (this, that) = (left.byte(index), right.byte(index))
            guard this == that, this >= 0 else { return this < that }
            index += 1
        }
    }

    /// Negative behind the end.
    private func byte(_ index: Int) -> Int {
        let count = bytes.count - 1
        if index < count { return Int(UInt8(bitPattern: bytes[index])) }
        guard index == count, case .success(S_IFDIR) = type else { return -1 }
        return Int(UInt8(ascii: "/"))
    }
}
