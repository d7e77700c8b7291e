import CBPF
import Glibc

/// Looks for pins of maps in every mount namespace that this process can see.
///
/// The kernel tells no map's pins, and a bpffs that is mounted again is another one: whoever runs in a mount namespace of its
/// own, as containers do, sees none of the host's.
struct PinSearch {
    /// Names of pins that are looked at.
    let names: Set<String>
    let ids: Set<UInt32>
    /// Entries that are looked at yet, so that nobody's folders hold anybody up.
    private var patience = 50_000

    init(names: Set<String>, ids: Set<UInt32>) {
        self.names = names
        self.ids = ids
    }

    /// Whether the processes that are to be seen are all of the machine's: a search that finds nothing says something then.
    static var seesEverybody: Bool { HostCheck.link("/proc/self/ns/pid") == "pid:[4026531836]" }  // PROC_PID_INIT_INO

    /// The directory of the first pin that is found, in a user's words; nil: there is none.
    mutating func run() -> String? {
        // What cannot be read of a process that ends, or of a folder that goes, is as good as not there.
        var seen: Set<String> = []
        for process in ["self", "1"] + ((try? BPFFilesystem.names(in: "/proc")) ?? []).filter({ Int($0) != nil }) {
            let namespace = HostCheck.link("/proc/\(process)/ns/mnt")
            guard !namespace.isEmpty, seen.insert(namespace).inserted else { continue }
            for mount in Self.mounts(process) {
                guard let found = search("/proc/\(process)/root\(mount)", depth: 5) else { continue }
                let path = String(found.dropFirst("/proc/\(process)/root".count))
                return process == "self" ? path : "\(path) of process \(process)'s mount namespace"
            }
        }
        return nil
    }

    /// Where a process has a bpffs: proc(5), mountinfo.
    private static func mounts(_ process: String) -> [String] {
        ((try? HostCheck.text(of: "/proc/\(process)/mountinfo")) ?? "").split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ")
            guard fields.count > 4, let dash = fields.firstIndex(of: "-"), dash + 1 < fields.count, fields[dash + 1] == "bpf" else {
                return nil
            }
            return String(fields[4])
        }
    }

    private mutating func search(_ directory: String, depth: Int) -> String? {
        guard depth > 0, let entries = try? BPFFilesystem.names(in: directory) else { return nil }
        for entry in entries {
            patience -= 1
            guard patience > 0 else { return nil }
            let path = "\(directory)/\(entry)"
            if names.contains(entry), isWanted(path) { return directory }
            if let found = search(path, depth: depth - 1) { return found }
        }
        return nil
    }

    private func isWanted(_ path: String) -> Bool {
        let raw = bpf_obj_get(path)
        guard raw >= 0 else { return false }
        let pin = Descriptor(owning: raw)
        return ((try? MapInfo(of: pin.raw, path)).map { ids.contains($0.id) }) ?? false
    }
}
