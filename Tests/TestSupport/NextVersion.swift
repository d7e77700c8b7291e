import CBPF
import Glibc
import SystemPackage

/// The program with another version of the data plane inside: the built binary with the bytes of its BPF object replaced.
///
/// What an upgrade does depends on the object alone, so this is one, and the product needs no way to load others.
public enum NextVersion {
    /// Makes it once a process; `make` knows how the object is compiled.
    private static let object = Task {
        let root = FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()
        let path = "build/next.bpf.o"
        let made = try await Tool.execute(["make", "--no-print-directory", "-C", root.string, path])
        guard made.succeeded else { throw FixtureError(text: "make \(path): \(made.output)\(made.error)") }
        return try bytes(of: root.appending(path))
    }

    /// Writes the binary into a folder.
    public static func tool(in folder: String) async throws -> Tool {
        let object = try await object.value
        let size = mzr_object_size()
        guard object.count <= size else { throw FixtureError(text: "the other object has \(object.count) bytes, room is for \(size)") }
        var binary = try bytes(of: FilePath(Tool().path))
        let place = binary.withUnsafeBytes { binary in
            // Aligned in memory, so in the file.
            stride(from: 0, through: binary.count - size, by: 8).first { offset in
                binary.baseAddress.map { memcmp($0 + offset, mzr_object_bytes(), size) == 0 } ?? false
            }
        }
        guard let place else { throw FixtureError(text: "the built program has not the object of these tests") }
        // What follows the end of the file that the header speaks of, nobody reads.
        binary.replaceSubrange(place..<place + size, with: object + [UInt8](repeating: 0, count: size - object.count))
        let path = FilePath(folder).appending("mizar-reconcile-next")
        let file = try FileDescriptor.open(path, .writeOnly, options: [.create, .truncate], permissions: [.ownerReadWriteExecute])
        try file.closeAfter { _ = try file.writeAll(binary) }
        return Tool(path: path.string)
    }

    private static func bytes(of path: FilePath) throws -> [UInt8] {
        let file = try FileDescriptor.open(path, .readOnly)
        return try file.closeAfter {
            let size = Int(try file.seek(offset: 0, from: .end))
            return try [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
                while count < size {
                    let read = try file.read(
                        fromAbsoluteOffset: Int64(count),
                        into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[count...]))
                    guard read > 0 else { throw FixtureError(text: "\(path) is shorter than it was") }
                    count += read
                }
            }
        }
    }
}
