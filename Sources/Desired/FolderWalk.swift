import Glibc
import SystemPackage

/// A walk over a folder of the file system, in the order that a commit of it would have.
struct FolderWalk: ~Copyable {
    /// The chosen folder.
    private let root: OpenFolder

    init(_ path: String) throws(Errno) { root = try OpenFolder(AT_FDCWD, Array(path.utf8CString), 0) }

    func run(_ intake: inout TreeIntake) throws(DesiredError) {
        try collect(root, prefix: "", depth: 0, isHidden: false, &intake)
    }

    /// - Parameter prefix: the folder's path, empty or with a slash at its end.
    private func collect(
        _ folder: borrowing OpenFolder, prefix: String, depth: Int, isHidden: Bool, _ intake: inout TreeIntake
    ) throws(DesiredError) {
        let names: [OpenFolder.Name]
        do throws(Errno) {
            names = try folder.names(most: isHidden ? ReadLimits.Skipped.entries : ReadLimits.entries + 1)
        } catch {
            if !isHidden { intake.obstruct(prefix.isEmpty ? "." : String(prefix.dropLast()), "\(error)") }
            return
        }
        for name in names {
            guard !intake.isOver else { return }
            let text = name.text
            // Git's own store, or a file that names it, is of no commit.
            guard text != ".git" else { continue }
            let path = prefix + text
            let isHidden = isHidden || !SourceTree.visits(text)
            guard try intake.enter(path, isHidden: isHidden) else { continue }
            switch name.type {
            case .success(S_IFDIR):
                try enter(folder, name, path, depth: depth + 1, isHidden: isHidden, &intake)
            case .success(S_IFREG):
                take(folder, name, path, isHidden: isHidden, &intake)
            case .success(S_IFLNK):
                if !isHidden { judgeLink(folder, name, prefix: prefix, &intake) }
            case .success:
                if !isHidden, SkippedFile.isLikely(text) { intake.skip(path, .special) }
            case .failure(let cause):
                if !isHidden { intake.obstruct(path, "\(cause)") }
            }
        }
    }

    private func enter(
        _ folder: borrowing OpenFolder, _ name: OpenFolder.Name, _ path: String, depth: Int, isHidden: Bool,
        _ intake: inout TreeIntake
    ) throws(DesiredError) {
        guard intake.enterFolder(path, bytes: 0, depth: depth, isHidden: isHidden) else { return }
        let below: OpenFolder
        do throws(Errno) {
            below = try OpenFolder(folder.descriptor, name.bytes, O_NOFOLLOW)
        } catch {
            if !isHidden { intake.obstruct(path, "\(error)") }
            return
        }
        try collect(below, prefix: path + "/", depth: depth, isHidden: isHidden, &intake)
    }

    private func take(
        _ folder: borrowing OpenFolder, _ name: OpenFolder.Name, _ path: String, isHidden: Bool, _ intake: inout TreeIntake
    ) {
        let isTaken = !isHidden && SourceTree.takes(name.text)
        do throws(Errno) {
            if isTaken {
                let bytes = try folder.contents(of: name, most: ReadLimits.objectBytes) { intake.wants(path, bytes: $0) }
                bytes?.withUnsafeBytes { intake.take(path, bytes: $0, id: GitLibrary.blobID($0)) }
            } else {
                let bytes = try folder.contents(of: name, most: ReadLimits.Skipped.prefixBytes) {
                    intake.wantsBeginning(bytes: min($0, ReadLimits.Skipped.prefixBytes))
                }
                if let bytes, bytes.withUnsafeBytes(SkippedFile.looksLikeTopology) {
                    intake.skip(path, .named(isHidden: isHidden))
                }
            }
        } catch {
            // What is skipped anyway may be unreadable.
            if isTaken { intake.obstruct(path, "\(error)") }
        }
    }

    private func judgeLink(
        _ folder: borrowing OpenFolder, _ name: OpenFolder.Name, prefix: String, _ intake: inout TreeIntake
    ) {
        guard let target = folder.target(ofLink: name) else { return }
        let kind: SkippedFile.Target
        switch folder.type(following: name.bytes) {
        case S_IFDIR, S_IFREG:
            let isFolder = folder.type(following: name.bytes) == S_IFDIR
            if let path = SkippedFile.resolve(target, from: prefix) {
                kind = SkippedFile.kind(path, below: "", isFolder: isFolder)
            } else {
                kind = isFolder ? .folder : .file
            }
        default: kind = .unknown
        }
        if SkippedFile.warns(of: name.text, to: target, kind) { intake.skip(prefix + name.text, .link(target: target)) }
    }
}
