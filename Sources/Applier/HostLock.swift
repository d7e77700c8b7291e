import Glibc

/// Why there is no lock on a host.
public struct LockError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The process that holds it; nil: it is in another pid namespace, or the lock could not be asked for at all.
    public var holder: Int32?
    /// How that process was started.
    public var command: String
    /// A sentence.
    public var description: String
}

/// The right to change a host's tables: one reconciler a host.
///
/// An flock of the bpffs directory itself, so it dies with its holder, `kill -9` included, and leaves no file.
public struct HostLock: ~Copyable {
    private let directory: String
    private let owner: Descriptor

    /// Takes the lock, or says who has it; it does not wait. The directory is made if it is missing.
    ///
    /// - Parameter directory: where the pins are, on a bpffs.
    public init(directory: String) throws(LockError) {
        self.directory = directory
        var tries = 0
        while true {
            do throws(BPFError) {
                try BPFFilesystem.prepare(directory)
            } catch {
                throw LockError(holder: nil, command: "", description: "\(error)")
            }
            let raw = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            if raw < 0, errno == ENOENT { continue }
            guard raw >= 0 else {
                let reason = String(cString: strerror(errno))
                throw LockError(holder: nil, command: "", description: "cannot open directory \(directory): \(reason)")
            }
            let descriptor = Descriptor(owning: raw)
            if flock(descriptor.raw, LOCK_EX | LOCK_NB) != 0 {
                if errno == EINTR { continue }
                let refusal = Self.refusal(directory, descriptor.raw)
                tries += 1
                // Nobody to be seen is nobody any more: the holder has just ended, or is just about to be listed.
                if refusal.holder == nil, tries < 10 {
                    usleep(10_000)
                    continue
                }
                throw refusal
            }
            // `detach` may have removed the directory in between: a lock on one without a name keeps nobody out.
            if Self.inode(descriptor.raw) == Self.inode(directory) {
                owner = descriptor
                return
            }
        }
    }

    /// For one that is held for long: takes it again if the directory that it is of was removed by hand, or hidden by a
    /// mount, and says who has it if somebody else was quicker.
    public mutating func renew() throws(LockError) {
        if Self.inode(owner.raw) != Self.inode(directory) { self = try HostLock(directory: directory) }
    }

    /// Gives the lock back before its owner goes.
    public func release() { flock(owner.raw, LOCK_UN) }

    private static func inode(_ descriptor: Int32) -> UInt64? {
        var info = stat()
        return fstat(descriptor, &info) == 0 ? UInt64(info.st_ino) : nil
    }

    private static func inode(_ path: String) -> UInt64? {
        var info = stat()
        return stat(path, &info) == 0 ? UInt64(info.st_ino) : nil
    }

    private static func refusal(_ directory: String, _ descriptor: Int32) -> LockError {
        let holder = holder(descriptor)
        let command = holder.map { HostCheck.commandLine("\($0)") } ?? ""
        let who = holder.map { "process \($0) (\(command)) holds the lock" } ?? "a process that cannot be seen from here holds the lock"
        return LockError(
            holder: holder, command: command,
            description: "another reconciler works on \(directory): \(who)")
    }

    /// `1: FLOCK  ADVISORY  WRITE 4711 00:1a:12345 0 EOF`, proc_locks(5).
    private static func holder(_ descriptor: Int32) -> Int32? {
        var info = stat()
        guard fstat(descriptor, &info) == 0, let locks = try? HostCheck.text(of: "/proc/locks") else { return nil }
        let device = UInt64(info.st_dev)
        let major = device >> 8 & 0xfff | device >> 32 & ~0xfff
        let minor = device & 0xff | device >> 12 & ~0xff
        for line in locks.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 5, fields[1] == "FLOCK", let pid = Int32(fields[4]), pid > 0 else { continue }
            let place = fields[5].split(separator: ":")
            guard place.count == 3, UInt64(place[0], radix: 16) == major, UInt64(place[1], radix: 16) == minor,
                UInt64(place[2]) == UInt64(info.st_ino)
            else { continue }
            return pid
        }
        return nil
    }
}
