import Applier
import Desired
import Logging
import Planner
import Topology

extension Reconciliation {
    /// What `run` reconciles this host to.
    struct Target {
        let desired: Desired
        /// Why that is not the newest commit.
        let trouble: String?
    }

    /// The newest commit; if it cannot be had, or has errors, what this host has: repair goes on.
    ///
    /// - Parameter held: what `run` has read last. It is not read again if it is still the newest.
    /// - Parameter wrong: the commit that was found to have errors, which is not read again either: a verdict is the same on
    ///   every machine and at all times. That a commit could not be read is none.
    func target(keeping held: Desired?, wrong: inout String?) throws -> Target {
        do {
            let commit = try Source.commit(
                repo: source.repo, ref: source.revision.ref, cache: source.revision.cache,
                deadlineSeconds: source.revision.fetchTimeout)
            if let held, held.commit == commit { return Target(desired: held, trouble: nil) }
            if let commit, commit == wrong { return try stay(on: held, Self.complaint(commit)) }
            do {
                return Target(desired: try Self.load(source, ref: commit, fetch: false), trouble: nil)
            } catch Exit.error {
                wrong = commit
                return try stay(on: held, Self.complaint(commit))
            }
        } catch let failure as DesiredError {
            return try stay(on: held, "\(failure)")
        }
    }

    private static func complaint(_ commit: String?) -> String {
        "\(commit.map { "commit \($0)" } ?? "the topology") has errors; the host stays as it is"
    }

    /// - Throws: `trouble`, if nothing is known that this host could be repaired to.
    private func stay(on held: Desired?, _ trouble: String) throws -> Target {
        guard let desired = held ?? applied() else { throw Failure(trouble) }
        let commit = desired.commit.isEmpty ? "what was read before" : "commit \(desired.commit)"
        return Target(desired: desired, trouble: "\(trouble), and is repaired to \(commit)")
    }

    /// The commit that this host applied last: by its own row, or after a reboot by the mirror's reference.
    private func applied() -> Desired? {
        let row = try? KernelStore(directory: host.maps.bpffs, forWriting: false).readApplied()
        for ref in [row?.commit, Mirror.appliedRef(host: host.host)] {
            guard let ref, !ref.isEmpty else { continue }
            do {
                return try Self.load(source, ref: ref, fetch: false)
            } catch {
                logger.debug("the commit applied last cannot be read: \(error)")
            }
        }
        return nil
    }
}
